"""array_files: one array a file, .npy, .npz with one array, or the IDX files of MNIST."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainer.data.arrays import Pair, raw_of, roles, unused_arrays
from trainer.data.layouts.hdf5 import SUFFIXES as HDF5
from trainer.data.layouts.hdf5 import only_array
from trainer.data.layouts.registry import OF_ARRAYS, layout
from trainer.data.npy import Archive, names_of, read_npy
from trainer.data.raw import Array, Raw
from trainer.data.reading import Reading
from trainer.data.seen import counted
from trainer.errors import DataError

IDX_KINDS = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
MAX_IDX_BYTES = 1 << 33
BLOCK = 1 << 20  # bytes that are compared at a time


class _Files(NamedTuple):
    """The files of arrays in a folder, by the part of their name that says what they are."""

    by_name: Mapping[str, Path]
    packed: Sequence[Path]  # archives whose content lies beside them


def _files(path: Path) -> Mapping[str, list[Path]]:
    """Return the files of arrays in a folder by the part of their name that says what they are."""
    found: dict[str, list[Path]] = {}
    for file in sorted(path.iterdir()):
        name = file.name.lower().removesuffix(".gz")
        if not file.name.startswith(".") and (
            name.endswith((".npy", ".npz", *HDF5)) or ("idx" in name and "ubyte" in name)
        ):
            found.setdefault(name if "idx" in name else Path(name).stem, []).append(file)
    return found


def _one_each(path: Path) -> _Files:
    """Return one file for each name. Raises DataError where two files may be the same array."""
    chosen, packed = {}, []
    for name, (first, *others) in _files(path).items():
        chosen[name] = first
        for other in others:
            if not _is_packed(other, first):
                raise DataError(f"{path}: {first.name} and {other.name} may both be {name}; keep one")
            packed.append(other)
    return _Files(chosen, packed)


def _is_packed(archive: Path, file: Path) -> bool:
    """Whether an archive holds the same bytes as the file of its name."""
    if archive.name != f"{file.name}.gz":
        return False
    try:
        with gzip.open(archive) as packed, file.open("rb") as plain:
            while block := plain.read(BLOCK):
                if packed.read(BLOCK) != block:
                    return False
            return not packed.read(1)
    except (OSError, EOFError, zlib.error):
        return False


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
    files, packed = _one_each(path)
    found = roles(str(path), list(files))
    pairs = {}
    for split in dict.fromkeys(split for split, _ in found.names):
        x, y = (files[found.names[split, role]] for role in ("x", "y"))
        pairs[split] = Pair(_array(x), _array(y), x.name, y.name)
    names = names_of(found.classes, _array(files[found.classes])) if found.classes else None
    about = unused_arrays(found)._replace(layout="files of arrays")
    archives = counted([("the archive of a file beside it", file.name) for file in packed])
    about = about._replace(skipped=(*about.skipped, *archives))
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
