"""array_files: arrays in several files, .npy, .npz, HDF5, or the IDX files of MNIST."""

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
from trainer.data.layouts.hdf5 import array_names, read_array
from trainer.data.layouts.registry import OF_ARRAYS, layout
from trainer.data.npy import Archive, names_of, read_npy
from trainer.data.raw import Array, Raw
from trainer.data.reading import Reading
from trainer.data.seen import counted
from trainer.data.words import role_of, split_of, split_within
from trainer.errors import DataError

IDX_KINDS = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
MAX_IDX_BYTES = 1 << 33
BLOCK = 1 << 20  # bytes that are compared at a time


class _Array(NamedTuple):
    """An array of a file."""

    file: Path
    inner: str | None  # its name in an archive


class _Files(NamedTuple):
    """The files of arrays in a folder, by the part of their name that says what they are."""

    by_name: Mapping[str, Path]
    packed: Sequence[Path]  # archives whose content lies beside them


def _files(path: Path) -> Mapping[str, list[Path]]:
    """Return the files of arrays of a folder, or of the folders of its splits, by what says what they are."""
    inner = [folder for folder in sorted(path.iterdir()) if split_of(folder.name) and folder.is_dir()]
    return _files_in(path, "") or {
        name: files for folder in inner for name, files in _files_in(folder, f"{folder.name} ").items()
    }


def _files_in(folder: Path, before: str) -> Mapping[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        name = file.name.lower().removesuffix(".gz")
        if not file.name.startswith(".") and (
            name.endswith((".npy", ".npz", *HDF5)) or ("idx" in name and "ubyte" in name)
        ):
            found.setdefault(before + (name if "idx" in name else Path(name).stem), []).append(file)
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
    about="a folder of files of arrays: .npy, .npz (KMNIST), .h5 (PatchCamelyon) or IDX (MNIST), as train-images.npy "
    "and train-labels.npy, or train.npz and test.npz with images and labels in each",
    splits="names of the files or of their folders: train, val or valid, test; files without one are split here",
    fits=lambda path, _: path.is_dir() and len(_files(path)) > 1,
    answers=OF_ARRAYS,
)
def read(path: Path, reading: Reading) -> Raw:
    """Read arrays of several files; an array `classes` of strings names the classes. Raises DataError."""
    files, packed = _one_each(path)
    arrays = _arrays(files)
    if len(arrays) == len(files):
        _check_names(path, files)
    found = roles(str(path), list(arrays), reading)
    pairs = {}
    for split in dict.fromkeys(split for split, _ in found.names):
        x, y = (arrays[found.names[split, role]] for role in ("x", "y"))
        pairs[split] = Pair(_read(x), _read(y), _told(x), _told(y))
    names = names_of(found.classes, _read(arrays[found.classes])) if found.classes else None
    about = unused_arrays(found)._replace(layout="files of arrays")
    archives = counted([("the archive of a file beside it", file.name) for file in packed])
    about = about._replace(skipped=(*about.skipped, *archives))
    return raw_of(str(path), path.resolve().name, pairs, names, reading, about)


def _arrays(files: Mapping[str, Path]) -> dict[str, _Array]:
    """Return every array by the name of its file, with its own name behind it where the file has several."""
    found = {}
    for name, file in files.items():
        inner = _inner(file)
        for one in inner:
            found[name if len(inner) == 1 else f"{name} {one}"] = _Array(file, one)
    return found


def _inner(file: Path) -> Sequence[str | None]:
    """Return the names of the arrays of a file, None for the one of a file that has no names."""
    if file.suffix.lower() in HDF5:
        return array_names(file)
    if file.suffix.lower() != ".npz":
        return [None]
    with Archive(file) as archive:
        return archive.names()


def _check_names(path: Path, files: Mapping[str, Path]) -> None:
    """Raise DataError where there is one file a class, as Quick, Draw! has them: its names say no part of a set."""
    if not any(role_of(name)[1] or split_within(name) for name in files):
        listed = ", ".join(file.name for file in list(files.values())[:3])
        raise DataError(
            f"{path} has {listed}, whose names say neither images nor labels; if each is one file a class, join them "
            "into train-images.npy (N, H, W) and train-labels.npy (N,)"
        )


def _told(array: _Array) -> str:
    return array.file.name if array.inner is None else f"{array.file.name} {array.inner}"


def _read(array: _Array) -> Array:
    file, suffix = array.file, array.file.suffix.lower()
    if suffix == ".npy":
        return read_npy(file)
    if array.inner is None:
        return _idx(file)
    if suffix in HDF5:
        return read_array(file, array.inner)
    with Archive(file) as archive:
        return archive.read(array.inner)


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
