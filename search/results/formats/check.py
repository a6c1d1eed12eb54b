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
from search.results.formats.format import Format, Refused

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

    from search.results.pixels import Pixels

CLOSE = 1e-4  # of the largest logit: a file whose logits differ by more is not kept
SECONDS = 600.0  # after which a check has failed
BATCHES, THREADS = (1, 64), 1  # images, and threads, that latency is measured with


def checked_file(
    one: Format,
    stored: Mapping[str, bytes],
    module: Pixels,
    images: npt.NDArray[np.uint8],
    batches: Sequence[int] = BATCHES,
    threads: int = THREADS,
) -> dict[str, Any]:
    """Run the files of a format in a fresh process; return how far the logits are from the module's, and the latency.

    images: (N, C, H, W).  batches: numbers of images that latency is measured with.

    Raises:
        Refused: the files do not run.
    """
    import numpy as np

    found, seen = ran(one, stored, module.outs, images, batches, threads)
    wanted = maps(module, images)
    error = largest_difference(found, wanted)
    is_kept = bool(error <= CLOSE)  # also where it is not a number
    return {
        "is_kept": is_kept,
        **({} if is_kept else {"why": f"its logits {told(error)}"}),
        "largest_difference": error if np.isfinite(error) else None,
        "same_predictions": float(np.mean(_answers(module, found) == _answers(module, wanted))),
        "images": len(images),
        "bytes": sum(map(len, stored.values())),
        "images_per_call": one.batch,
        **seen,
    }


def _answers(module: Pixels, logits: Sequence[Any]) -> Any:
    """Return the class of each image by the last exit, or each of its labels."""
    return logits[-1] > 0 if module.is_multilabel else logits[-1].argmax(1)


def largest_difference(found: Sequence[Any], wanted: Sequence[Any]) -> float:
    """Return how far maps are from others, as a part of the largest number of each; infinite for other shapes."""
    import numpy as np

    if any(a.shape != b.shape for a, b in zip(found, wanted, strict=True)):
        return float("inf")
    return max(
        float(np.abs(a - b).max() / max(float(np.abs(b).max()), 1e-9))
        for a, b in zip(found, wanted, strict=True)
    )


def told(error: float) -> str:
    """Return the difference of maps in words."""
    if error == float("inf"):
        return "are infinite, or have other shapes"
    return f"differ by {error:.1%} of the largest" if error == error else "are not all numbers"


def maps(module: Pixels, images: npt.NDArray[np.uint8]) -> list[Any]:
    """Return what a module gives for images, as arrays."""
    import torch

    with torch.inference_mode():
        return [one.numpy() for one in module(torch.from_numpy(images))]


def ran(
    one: Format,
    stored: Mapping[str, bytes],
    outs: Sequence[str],
    images: npt.NDArray[np.uint8],
    batches: Sequence[int] = (),
    threads: int = THREADS,
) -> tuple[list[Any], dict[str, Any]]:
    """Return what the files of a format give for images in a fresh process, and latency and versions. Raises Refused.

    outs: the names of what they give, in order.
    """
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "images.npy"), Path(folder, "found.npz")
        np.save(given, images)
        for name, content in stored.items():
            Path(folder, name).write_bytes(content)
        about = one.loader, str(Path(folder, one.file)), json.dumps(list(outs)), str(given), str(found)
        said = _said([runner.__file__, *about, *map(str, (threads, *batches))])
        with np.load(found) as arrays:
            return [arrays[f"out{i}"] for i in range(len(outs))], json.loads(said)


def _said(arguments: Sequence[str]) -> str:
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
