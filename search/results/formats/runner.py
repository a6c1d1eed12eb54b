"""Runs one exported file in a process without this package:

    python runner.py LOADER.py FILE OUTS IMAGES.npy FOUND.npz THREADS BATCH...

LOADER.py has a function `load`, which returns what runs the file. OUTS are the names of what it gives, as JSON; it is
stored in this order. The last line that is printed is JSON: latency in milliseconds by the number of images, and the
versions of the runtime.
"""

from __future__ import annotations

import json
import runpy
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

REPEATS, LEAST_SECONDS = 15, 0.3  # of each batch, after one that is not counted
PART = 64  # images that run together


def milliseconds(run: Callable[[Any], Any], images: Any) -> dict[str, float]:
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
    loader, file, names, given, found, threads, *sizes = sys.argv[1:]
    run, versions = runpy.run_path(loader)["load"](file, json.loads(names), int(threads))
    images = np.load(given)
    parts = [run(images[i : i + PART]) for i in range(0, len(images), PART)]
    outs = [np.concatenate(one) for one in zip(*parts, strict=True)]
    named: dict[str, Any] = {f"out{i}": one for i, one in enumerate(outs)}
    np.savez(found, **named)
    batches = {size: np.resize(images, (int(size), *images.shape[1:])) for size in sizes}
    latency = {size: milliseconds(run, batch) for size, batch in batches.items()}
    print(json.dumps({"milliseconds": latency, "versions": versions}))


if __name__ == "__main__":
    main()
