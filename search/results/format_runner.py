"""Runs one exported file in a process without this package:

    python format_runner.py FORMAT FILE IMAGES.npy FOUND.npz THREADS BATCH...

It stores the logits. It prints, as JSON, latency in milliseconds by the number of images, and the runtime's version.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

REPEATS, LEAST_SECONDS = 15, 0.3  # of each batch, after one that is not counted
PART = 64  # images that run together

Run = Callable[[Any], Any]  # of pixels (B, C, H, W), logits for each exit


def pt2(file: str, threads: int) -> tuple[Run, dict[str, str]]:
    """Load a program of torch.export."""
    import torch

    torch.set_num_threads(threads)
    module = torch.export.load(file).module()

    def run(images: Any) -> Any:
        with torch.inference_mode():
            return [one.numpy() for one in module(torch.from_numpy(images))]

    return run, {"torch": torch.__version__}


def onnx(file: str, threads: int) -> tuple[Run, dict[str, str]]:
    """Load a model of ONNX."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"pixels": images}), {"onnxruntime": onnxruntime.__version__}


def milliseconds(run: Run, images: Any) -> dict[str, float]:
    """Return the median and the 95th percentile of the time of a call."""
    run(images)
    seconds = list[float]()
    while len(seconds) < REPEATS or sum(seconds) < LEAST_SECONDS:
        start = time.perf_counter()
        run(images)
        seconds.append(time.perf_counter() - start)
    return {f"p{part}": 1000 * float(np.percentile(seconds, part)) for part in (50, 95)}


def main() -> None:
    """Run the file of the command line."""
    name, file, given, found, threads, *sizes = sys.argv[1:]
    run, versions = {"pt2": pt2, "onnx": onnx}[name](file, int(threads))
    images = np.load(given)
    parts = [run(images[i : i + PART]) for i in range(0, len(images), PART)]
    logits: dict[str, Any] = {
        f"exit{i}": np.concatenate(one) for i, one in enumerate(zip(*parts, strict=True))
    }
    np.savez(found, **logits)
    batches = {size: np.resize(images, (int(size), *images.shape[1:])) for size in sizes}
    latency = {size: milliseconds(run, batch) for size, batch in batches.items()}
    print(json.dumps({"milliseconds": latency, "versions": versions}))


if __name__ == "__main__":
    main()
