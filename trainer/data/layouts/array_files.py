"""array_files: one array a file, .npy, .npz with one array, or the IDX files of MNIST."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np

from trainer.data.arrays import Pair, raw_of, roles, unused_arrays
from trainer.data.layouts.hdf5 import SUFFIXES as HDF5
from trainer.data.layouts.hdf5 import only_array
from trainer.data.layouts.registry import OF_ARRAYS, layout
from trainer.data.npy import Archive, names_of, read_npy
from trainer.data.raw import Array, Raw
from trainer.data.reading import Reading
from trainer.errors import DataError

IDX_KINDS = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
MAX_IDX_BYTES = 1 << 33


def _files(path: Path) -> dict[str, Path]:
    """Return the files of arrays in a folder by the part of their name that says what they are."""
    found = {}
    for file in sorted(path.iterdir()):
        name = file.name.lower().removesuffix(".gz")
        if not file.name.startswith(".") and (
            name.endswith((".npy", ".npz", *HDF5)) or ("idx" in name and "ubyte" in name)
        ):
            found[name if "idx" in name else Path(name).stem] = file
    return found


@layout(
    "array_files",
    about="a folder with one array a file: .npy, .npz (KMNIST) or .h5 (PatchCamelyon) of one array, or IDX (MNIST), as "
    "train-images.npy and train-labels.npy",
    splits="names of the files: train, val or valid, test; files without one are split here",
    fits=lambda path, _: path.is_dir() and len(_files(path)) > 1,
    answers=OF_ARRAYS,
)
def read(path: Path, reading: Reading) -> Raw:
    """Read pairs of files; a file `classes.npy` of strings names the classes. Raises DataError."""
    files = _files(path)
    found = roles(str(path), list(files))
    pairs = {}
    for split in dict.fromkeys(split for split, _ in found.names):
        x, y = (files[found.names[split, role]] for role in ("x", "y"))
        pairs[split] = Pair(_array(x), _array(y), x.name, y.name)
    names = names_of(found.classes, _array(files[found.classes])) if found.classes else None
    about = unused_arrays(found)._replace(layout="files of arrays")
    return raw_of(str(path), path.resolve().name, pairs, names, reading, about)


def _array(file: Path) -> Array:
    suffix = file.suffix.lower()
    if suffix == ".npy":
        return read_npy(file)
    if suffix == ".npz":
        return _only_array(file)
    if suffix in HDF5:
        return only_array(file)
    return _idx(file)


def _only_array(file: Path) -> Array:
    with Archive(file) as archive:
        names = archive.names()
        if len(names) != 1:
            raise DataError(f"{file} holds {len(names)} arrays; a file of this layout holds one")
        return archive.read(names[0])


def _idx(file: Path) -> Array:
    """Read an IDX file (LeCun's MNIST page): two zero bytes, number type, dimensions, sizes, then the numbers."""
    try:
        with gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb") as stream:
            head = stream.read(4)
            kind, dimensions = np.dtype(IDX_KINDS[head[2]]), head[3]
            shape = tuple(int.from_bytes(stream.read(4), "big") for _ in range(dimensions))
            wanted = math.prod(shape) * kind.itemsize
            content = stream.read(min(wanted, MAX_IDX_BYTES) + 1)
    except (OSError, EOFError, KeyError, IndexError, ValueError) as error:
        raise DataError(f"{file} is no readable IDX file ({error or 'cut short'}); fetch it again") from None
    if len(content) != wanted:
        raise DataError(f"{file} is cut short or damaged; fetch it again")
    return np.frombuffer(content, kind).reshape(shape).copy()  # writable, as torch needs it
