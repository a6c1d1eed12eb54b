"""The check of a file: it runs in a fresh process without this package, and its numbers are compared."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.results.formats import runner
from search.results.formats.format import Format

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

CLOSE = 1e-4  # of the largest logit: a file whose logits differ by more is not kept
SECONDS = 600.0  # after which a check has failed
BATCHES, THREADS = (1, 64), 1  # images, and threads, that latency is measured with


class Refused(Exception):
    """A file that cannot be run, with a sentence that says why."""


def checked_file(
    one: Format,
    stored: Mapping[str, bytes],
    module: nn.Module,
    images: npt.NDArray[np.uint8],
    batches: Sequence[int] = BATCHES,
    threads: int = THREADS,
) -> dict[str, Any]:
    """Run the files of a format in a fresh process; return how far the logits are from the module's, and the latency.

    images: (N, C, H, W).  batches: numbers of images that latency is measured with.
    """
    import numpy as np

    try:
        found, seen = _run(one, stored, images, batches, threads)
    except Refused as refused:
        return {"is_kept": False, "why": str(refused)}
    wanted = _logits(module, images)
    error = largest_difference(found, wanted)
    is_kept = bool(error <= CLOSE)  # also where it is not a number
    return {
        "is_kept": is_kept,
        **({} if is_kept else {"why": f"its logits differ from the network's by {error:.1%} of the largest"}),
        "largest_difference": error if np.isfinite(error) else None,
        "same_predictions": float(np.mean(found[-1].argmax(1) == wanted[-1].argmax(1))),
        "images": len(images),
        "bytes": sum(map(len, stored.values())),
        **seen,
    }


def largest_difference(found: Sequence[Any], wanted: Sequence[Any]) -> float:
    """Return how far maps are from others, as a part of the largest number of each."""
    import numpy as np

    return max(
        float(np.abs(a - b).max() / max(float(np.abs(b).max()), 1e-9))
        for a, b in zip(found, wanted, strict=True)
    )


def _logits(module: nn.Module, images: npt.NDArray[np.uint8]) -> list[Any]:
    import torch

    with torch.inference_mode():
        return [one.numpy() for one in module(torch.from_numpy(images))]


def _run(
    one: Format,
    stored: Mapping[str, bytes],
    images: npt.NDArray[np.uint8],
    batches: Sequence[int],
    threads: int,
) -> tuple[list[Any], dict[str, Any]]:
    """Return what a file gives for images, and its latency and versions. Raises Refused."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "images.npy"), Path(folder, "found.npz")
        np.save(given, images)
        for name, content in stored.items():
            Path(folder, name).write_bytes(content)
        file = Path(folder, one.file)
        said = _said([runner.__file__, one.loader, file, given, found, *map(str, (threads, *batches))])
        with np.load(found) as maps:
            return [maps[f"exit{i}"] for i in range(len(maps.files))], json.loads(said)


def _said(arguments: Sequence[str | Path]) -> str:
    """Return what a script prints in a process without this package. Raises Refused."""
    command = [sys.executable, "-I", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise Refused(f"it did not end within {SECONDS:.0f} s in a fresh process") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1][:200]
        raise Refused(f"it does not run in a fresh process ({last})")
    return done.stdout.strip().splitlines()[-1]


def eager_milliseconds(
    network: nn.Module, input: Sequence[int], batches: Sequence[int] = BATCHES, threads: int = THREADS
) -> dict[str, dict[str, float]]:
    """Return the latency of a module on the CPU by the number of images: median and 95th percentile."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            return {str(size): runner.milliseconds(network, torch.zeros(size, *input)) for size in batches}
    finally:
        torch.set_num_threads(before)
