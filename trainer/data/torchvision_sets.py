"""Reading of torchvision's data sets."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from trainer.data.raw import Images, Labels
from trainer.errors import DataError

NETWORK_SECONDS = 30.0  # a silent network becomes an error after so long


def read_torchvision(
    name: str, class_name: str, root: Path, *, download: bool
) -> tuple[tuple[str, ...], Images, Labels, Images, Labels]:
    """Read torchvision.datasets.<class_name> from a folder: classes, images and labels of train and test.

    Raises DataError if it is absent and cannot be downloaded.
    """
    import torchvision  # type: ignore[import-untyped, unused-ignore]

    kind = getattr(torchvision.datasets, class_name)
    keys: tuple[dict[str, Any], ...] = ({"train": True}, {"train": False})
    if class_name == "SVHN":
        keys = ({"split": "train"}, {"split": "test"})
    try:
        train, test = (_open(kind, root, key, download=download) for key in keys)
    except (RuntimeError, OSError, EOFError) as error:
        raise _absent(name, class_name, root, error) from None
    classes = tuple(getattr(train, "classes", None) or (str(digit) for digit in range(10)))
    return classes, _images(train.data), _labels(train), _images(test.data), _labels(test)


def _open(kind: Any, root: Path, key: dict[str, Any], *, download: bool) -> Any:
    """Open one part; download it only if it is absent, so that a read-only folder is enough."""
    try:
        return kind(str(root), download=False, **key)
    except (RuntimeError, OSError):
        if not download:
            raise
    with _network_limit():
        return kind(str(root), download=True, **key)


def _absent(name: str, class_name: str, root: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:160].rstrip(".")
    return DataError(
        f"{name} is not in {root.absolute()} and could not be fetched ({reason}); put its files there as "
        f"torchvision.datasets.{class_name} keeps them, or name "
        "their folder with --data-root or GENOME_DATA"
    )


@contextmanager
def _network_limit() -> Iterator[None]:
    """Limit the silence of the network, and send torchvision's messages to standard error."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(NETWORK_SECONDS)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        socket.setdefaulttimeout(before)


def _images(array: Any) -> Images:
    """Return (N, H, W) of the MNIST family, (N, H, W, C) of CIFAR or (N, C, H, W) of SVHN as (N, C, H, W)."""
    x = np.asarray(array)
    if x.ndim == 3:
        x = x[:, None]
    elif x.shape[3] == 3:
        x = x.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(x, dtype=np.uint8)


def _labels(part: Any) -> Labels:
    return np.asarray(part.labels if hasattr(part, "labels") else part.targets, dtype=np.int64)
