"""The data sets known by name: scikit-learn's digits, and torchvision's."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from trainer.data.names import KNOWN
from trainer.data.raw import Images, Labels, Raw
from trainer.errors import DataError

NETWORK_SECONDS = 30.0  # a silent network is an error by then, not a wait for ever


def data_root(root: str | os.PathLike[str] | None) -> Path:
    """Where data sets lie: the argument, else the environment's GENOME_DATA, else ~/.cache/genome/data."""
    return Path(root or os.environ.get("GENOME_DATA") or "~/.cache/genome/data").expanduser()


def read_known(name: str, root: Path, *, download: bool, mirror: bool | None) -> Raw:
    """Read a data set of `trainer.NAMES`. Raises DataError where it is absent and cannot be fetched."""
    torchvision_name, natural = KNOWN[name]
    raw = (
        _read_torchvision(name, torchvision_name, root, download=download)
        if torchvision_name
        else _read_digits()
    )
    return Raw(name, *raw, natural if mirror is None else mirror, name)


_Parts = tuple[tuple[str, ...], Images, Labels, Images | None, Labels | None]


def _read_digits() -> _Parts:
    """1,797 scans of 8x8 (Alpaydin and Kaynak, UCI, 1998), values 0..16 brought to 0..255; no test part."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None]
    return tuple(str(digit) for digit in range(10)), x, digits.target.astype(np.int64), None, None


def _read_torchvision(name: str, class_name: str, root: Path, *, download: bool) -> _Parts:
    import torchvision  # type: ignore[import-untyped, unused-ignore]

    kind = getattr(torchvision.datasets, class_name)
    keys = ({"split": "train"}, {"split": "test"}) if name == "svhn" else ({"train": True}, {"train": False})
    train, test = (_open(name, kind, root, key, download=download) for key in keys)
    classes = tuple(getattr(train, "classes", None) or (str(digit) for digit in range(10)))
    return classes, _images(train.data), _labels(train), _images(test.data), _labels(test)


def _open(name: str, kind: Any, root: Path, key: dict[str, Any], *, download: bool) -> Any:
    """Open one part; fetch it only when it is not there, so that a read-only folder will do."""
    try:
        return kind(str(root), download=False, **key)
    except (RuntimeError, OSError) as error:
        absent = error
    if not download:
        raise _absent(name, root, absent)
    try:
        with _patience():
            return kind(str(root), download=True, **key)
    except (RuntimeError, OSError, EOFError) as error:
        raise _absent(name, root, error) from None


def _absent(name: str, root: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:160].rstrip(".")
    return DataError(
        f"{name} is not in {root.absolute()} and could not be fetched ({reason}); put its files there as "
        f"torchvision.datasets.{KNOWN[name][0]} keeps them, or name "
        "their folder with --data-root or GENOME_DATA"
    )


@contextmanager
def _patience() -> Iterator[None]:
    """A limit on the network's silence, and torchvision's chatter away from standard output."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(NETWORK_SECONDS)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        socket.setdefaulttimeout(before)


def _images(array: Any) -> Images:
    """(N, H, W) of the MNIST family, (N, H, W, C) of CIFAR, (N, C, H, W) of SVHN -> (N, C, H, W)."""
    x = np.asarray(array)
    if x.ndim == 3:
        x = x[:, None]
    elif x.shape[3] == 3:
        x = x.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(x, dtype=np.uint8)


def _labels(part: Any) -> Labels:
    return np.asarray(part.labels if hasattr(part, "labels") else part.targets, dtype=np.int64)
