"""Runs one exported file in a process without this package: python format_runner.py FORMAT FILE IMAGES.npy FOUND.npz

It stores the logits, and prints latency in milliseconds (median, one thread) and the version of the runtime as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

REPEATS, LEAST_SECONDS = 15, 0.3  # of each batch
BATCHES = (1, 64)

Run = Callable[[Any], Any]  # of pixels (B, C, H, W), logits for each exit


def pt2(file: str) -> tuple[Run, dict[str, str]]:
    """Load a program of torch.export."""
    import torch

    torch.set_num_threads(1)
    module = torch.export.load(file).module()

    def run(images: Any) -> Any:
        with torch.inference_mode():
            return [one.numpy() for one in module(torch.from_numpy(images))]

    return run, {"torch": torch.__version__}


def onnx(file: str) -> tuple[Run, dict[str, str]]:
    """Load a model of ONNX."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"pixels": images}), {"onnxruntime": onnxruntime.__version__}


def milliseconds(run: Run, images: Any) -> float:
    """Return the median time of a call."""
    seconds = list[float]()
    while len(seconds) < REPEATS or sum(seconds) < LEAST_SECONDS:
        start = time.perf_counter()
        run(images)
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds))


def main() -> None:
    """Run the file of the command line."""
    name, file, given, found = sys.argv[1:]
    run, versions = {"pt2": pt2, "onnx": onnx}[name](file)
    images = np.load(given)
    parts = [run(images[i : i + 64]) for i in range(0, len(images), 64)]
    logits: dict[str, Any] = {
        f"exit{i}": np.concatenate(one) for i, one in enumerate(zip(*parts, strict=True))
    }
    np.savez(found, **logits)
    batches = {size: np.resize(images, (size, *images.shape[1:])) for size in BATCHES}
    latency = {str(size): milliseconds(run, batch) for size, batch in batches.items()}
    print(json.dumps({"milliseconds": latency, "versions": versions}))


if __name__ == "__main__":
    main()
