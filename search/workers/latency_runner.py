"""Times one exported file in a process without this package:

    python latency_runner.py LOADER.py FILE OUTS IMAGES.npy THREADS PASSES.py

LOADER.py is the file of the format, and OUTS are the names of what the file gives, as JSON. It prints, as JSON,
the seconds of a pass over the images, their noise, and the number of passes.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import Any

import numpy as np


def module_of(path: str, name: str) -> Any:
    """Import a file by its path."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a class that is defined there looks for its module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Time the file of the command line."""
    loader, file, outs, given, threads, passes = sys.argv[1:]
    run, _ = module_of(loader, "loader").load(file, json.loads(outs), int(threads))
    watch, images = module_of(passes, "passes"), np.load(given)
    spent = watch.on_the_processor if int(threads) == 1 else watch.on_the_clock
    print(json.dumps(watch.timed(lambda: run(images), spent)._asdict()))


if __name__ == "__main__":
    main()
