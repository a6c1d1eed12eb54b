"""Runs a network that stops early from its ONNX files, with numpy and onnxruntime alone.

    python exits_runner.py IMAGES.npy FOUND.npz

IMAGES.npy has pixels of uint8 (N, C, H, W); FOUND.npz gets `logits` (N, classes) and `exits` (N,), from 0.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


class StopsEarly:
    """The stages of a network. Between two stages only the images that have not left run on."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        count = len([*folder.glob("exits-*.onnx")])
        files = [str(folder / f"exits-{k + 1}.onnx") for k in range(count)]
        self.stages = [
            onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"]) for file in files
        ]

    def __call__(self, pixels: Any) -> tuple[Any, Any]:
        """Return logits (N, classes) and the exit of each image (N,)."""
        values, left = {"pixels": pixels}, np.arange(len(pixels))
        logits, exits = [], []
        for k, stage in enumerate(self.stages):
            outputs = [one.name for one in stage.get_outputs()]
            inputs = {one.name: values[one.name] for one in stage.get_inputs()}
            values |= dict(zip(outputs, stage.run(None, inputs), strict=True))
            leaves = values.pop("leaves", np.ones(len(left), bool))
            logits.append((left[leaves], values.pop("logits")[leaves]))
            exits.append(np.full(np.count_nonzero(leaves), k))
            left, values = left[~leaves], {name: value[~leaves] for name, value in values.items()}
            if not len(left):
                break
        order = np.concatenate([places for places, _ in logits]).argsort()
        return np.concatenate([rows for _, rows in logits])[order], np.concatenate(exits)[order]


if __name__ == "__main__":
    found_logits, found_exits = StopsEarly(Path(__file__).parent)(np.load(sys.argv[1]))
    np.savez(sys.argv[2], logits=found_logits, exits=found_exits)
