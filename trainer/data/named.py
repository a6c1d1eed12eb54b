"""The data sets known by name: one decorated reader each. Importing this file loads no NumPy and no torch.

A new data set is one function here; its shape stands at the decorator, so that a study can be checked on a machine
that does not have the data.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.errors import DataError

if TYPE_CHECKING:
    from trainer.data.raw import Images, Labels, Raw

    # names of the classes, images and labels of train and test; test is None if the set has no test part
    Parts = tuple[tuple[str, ...], Images, Labels, Images | None, Labels | None]
    # of the folder that the caller names
    Root = str | os.PathLike[str] | None
    Reader = Callable[[Root, bool], Parts]


@dataclass(frozen=True)
class NamedData:
    """A data set with a name, and what is known of it without reading it."""

    name: str
    input: tuple[int, int, int]
    """(channels, height, width) of an image."""
    classes: int
    mirror: bool
    """Whether a mirrored image still belongs to its class."""
    module: str
    """The module that reading imports, for processes that import ahead."""
    read: Reader
    """Read it from the folder `data_root(first)`, and download it into the folder if it is absent and `second`."""


NAMED: dict[str, NamedData] = {}


def named(
    name: str, *, input: tuple[int, int, int], classes: int, mirror: bool, module: str
) -> Callable[[Reader], Reader]:
    """Register the decorated reader under a name."""

    def register(read: Reader) -> Reader:
        NAMED[name] = NamedData(name, input, classes, mirror, module, read)
        return read

    return register


@named("digits", input=(1, 8, 8), classes=10, mirror=False, module="sklearn.datasets")
def digits(root: Root, download: bool) -> Parts:
    """Read 1,797 scans of 8x8 (Alpaydin and Kaynak, UCI, 1998), values 0..16 scaled to 0..255; no test part."""
    import numpy as np
    from sklearn.datasets import load_digits

    found = load_digits()
    x = np.rint(found.images * (255 / 16)).astype(np.uint8)[:, None]
    return tuple(str(digit) for digit in range(10)), x, found.target.astype(np.int64), None, None


@named("fashion-mnist", input=(1, 28, 28), classes=10, mirror=True, module="torchvision")
def fashion_mnist(root: Root, download: bool) -> Parts:
    """Read 70,000 clothes (Xiao et al., arXiv:1708.07747)."""
    return _torchvision("fashion-mnist", "FashionMNIST", root, download)


@named("mnist", input=(1, 28, 28), classes=10, mirror=False, module="torchvision")
def mnist(root: Root, download: bool) -> Parts:
    """Read 70,000 handwritten digits (LeCun et al., 1998)."""
    return _torchvision("mnist", "MNIST", root, download)


@named("cifar10", input=(3, 32, 32), classes=10, mirror=True, module="torchvision")
def cifar10(root: Root, download: bool) -> Parts:
    """Read 60,000 photographs (Krizhevsky, 2009)."""
    return _torchvision("cifar10", "CIFAR10", root, download)


@named("cifar100", input=(3, 32, 32), classes=100, mirror=True, module="torchvision")
def cifar100(root: Root, download: bool) -> Parts:
    """Read 60,000 photographs (Krizhevsky, 2009)."""
    return _torchvision("cifar100", "CIFAR100", root, download)


@named("svhn", input=(3, 32, 32), classes=10, mirror=False, module="torchvision")
def svhn(root: Root, download: bool) -> Parts:
    """Read 99,289 house numbers (Netzer et al., 2011)."""
    return _torchvision("svhn", "SVHN", root, download)


NAMES: tuple[str, ...] = tuple(NAMED)


def read_named(name: str, root: Root, *, download: bool, mirror: bool | None) -> Raw:
    """Read the data set of that name. Raises DataError if it is absent and cannot be downloaded."""
    from trainer.data.raw import Part, Raw
    from trainer.data.seen import Seen

    one = NAMED[name]
    classes, x, y, test_x, test_y = one.read(root, download)
    test = None if test_x is None or test_y is None else Part(test_x, test_y)
    seen = Seen(origins=("official", "", "official") if test else ("", "", ""))
    return Raw(name, classes, Part(x, y), None, test, one.mirror if mirror is None else mirror, name, seen)


def data_root(root: Root) -> Path:
    """Return the folder of the named data sets: the argument, else GENOME_DATA, else ~/.cache/genome/data.

    Raises DataError where the system does not know the home folder of this user.
    """
    given = root or os.environ.get("GENOME_DATA") or "~/.cache/genome/data"
    try:
        return Path(given).expanduser()
    except RuntimeError:
        raise DataError(
            f"the folder of the data sets is {os.fspath(given)}, and the system does not know that home; "
            "name a folder with --data-root or GENOME_DATA, or set HOME"
        ) from None


def _torchvision(name: str, class_name: str, root: Root, download: bool) -> Parts:
    from trainer.data.torchvision_sets import read_torchvision

    return read_torchvision(name, class_name, data_root(root), download=download)
