"""hdf5: an HDF5 file with data sets of images and labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from trainer.data.arrays import Pair, raw_of, roles, unused_arrays
from trainer.data.extras import needed
from trainer.data.layouts.registry import OF_ARRAYS, layout
from trainer.data.npy import names_of
from trainer.data.raw import Array, Raw
from trainer.data.reading import Reading
from trainer.errors import DataError

SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5")


@layout(
    "hdf5",
    about="an .h5 file with data sets named as the arrays of an .npz, at any depth",
    splits="names of the data sets or of their groups: train, val or valid, test",
    fits=lambda path, _: path.suffix.lower() in SUFFIXES,
    answers=OF_ARRAYS,
    extra="h5py",
)
def read(path: Path, reading: Reading) -> Raw:
    """Read data sets of an HDF5 file. Raises DataError; object types other than text are refused."""
    raw: Raw = _opened(path, lambda opened, h5py: _read(path, opened, h5py, reading))
    return raw


def _read(path: Path, opened: Any, h5py: Any, reading: Reading) -> Raw:
    names = _names(opened, h5py)
    found = roles(str(path), names, reading)
    pairs = {}
    for split in dict.fromkeys(split for split, _ in found.names):
        x, y = found.names[split, "x"], found.names[split, "y"]
        pairs[split] = Pair(_array(path, opened[x], h5py), _array(path, opened[y], h5py), x, y)
    names_said = (
        names_of(f"{path}: {found.classes}", _array(path, opened[found.classes], h5py))
        if found.classes
        else None
    )
    about = unused_arrays(found)._replace(layout="HDF5 file")
    return raw_of(str(path), path.stem, pairs, names_said, reading, about)


def _names(opened: Any, h5py: Any) -> list[str]:
    names: list[str] = []
    opened.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def array_names(path: Path) -> list[str]:
    """Return the names of the data sets of an HDF5 file. Raises DataError."""
    names: list[str] = _opened(path, _names)
    return names


def read_array(path: Path, name: str) -> Array:
    """Return a data set of an HDF5 file. Raises DataError."""
    array: Array = _opened(path, lambda opened, h5py: _array(path, opened[name], h5py))
    return array


def _opened(path: Path, read: Callable[[Any, Any], Any]) -> Any:
    h5py = needed("h5py", "hdf5", f"{path} is an HDF5 file")
    try:
        with h5py.File(path, "r") as opened:
            return read(opened, h5py)
    except OSError as error:
        raise DataError(f"{path} is no readable HDF5 file ({' '.join(str(error).split())[:120]})") from None


def _array(path: Path, dataset: Any, h5py: Any) -> Array:
    if h5py.check_string_dtype(dataset.dtype):
        return np.asarray(dataset.asstr()[()], dtype=str)
    if dataset.dtype.hasobject:
        raise DataError(
            f"{path}: {dataset.name} holds rows of several lengths; save plain numbers or strings"
        )
    return np.asarray(dataset[()])
