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
        if not count:
            raise ValueError(f"there is no exits-1.onnx in {folder}; this file belongs beside it")
        files = [folder / f"exits-{k + 1}.onnx" for k in range(count)]
        self.stages = [loaded(file, options) for file in files]
        if "leaves" in [one.name for one in self.stages[-1].get_outputs()]:
            raise ValueError(f"exits-{count + 1}.onnx is not in {folder}; run `genome exits --onnx` again")

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


def loaded(file: Path, options: Any) -> Any:
    """Return a stage. Raises ValueError for a file that is missing or damaged."""
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception:  # onnxruntime's errors have no class of their own
        raise ValueError(f"{file} is missing or damaged; run `genome exits --onnx` again") from None


def read(file: str) -> Any:
    """Return the array of a file. Raises ValueError for what is no .npy file; nothing in the file is ever run."""
    try:
        return np.load(file, allow_pickle=False)
    except (ValueError, EOFError):
        raise ValueError(f"{file} is no .npy file of numbers") from None


def main(arguments: list[str]) -> None:
    """Run the network on the images of a file. Raises ValueError or OSError, one sentence, for what it cannot run."""
    if len(arguments) != 2:
        raise ValueError("give two files: IMAGES.npy, which is read, and FOUND.npz, which is written")
    pixels, network = read(arguments[0]), StopsEarly(Path(__file__).parent)
    size = network.stages[0].get_inputs()[0].shape[1:]
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or [*pixels.shape[1:]] != size:
        raise ValueError(
            f"{arguments[0]} must be one array of uint8 of the shape (N, {', '.join(map(str, size))})"
        )
    logits, exits = network(pixels)
    np.savez(arguments[1], logits=logits, exits=exits)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (OSError, ValueError) as error:
        sys.stderr.write(f"exits_runner.py: {' '.join(str(error).split())}\n")
        sys.exit(2)
