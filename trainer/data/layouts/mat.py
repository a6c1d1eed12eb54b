"""mat: MATLAB files with X and y, as SVHN's train_32x32.mat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from trainer.data.arrays import Pair, raw_of, roles
from trainer.data.layouts.registry import OF_ARRAYS, layout
from trainer.data.raw import Array, Raw
from trainer.data.reading import Reading
from trainer.data.seen import Seen, counted
from trainer.data.tree import LEFT_OUT, scan
from trainer.data.words import split_within
from trainer.errors import DataError


def _files(path: Path, reading: Reading) -> list[Path]:
    found = sorted(path.glob("*.mat")) if path.is_dir() else [path] if path.suffix.lower() == ".mat" else []
    return [file for file in found if not file.name.startswith(".") and not _is_left_out(file, reading)]


def _is_left_out(file: Path, reading: Reading) -> bool:
    return any(fnmatch(file.name, one) for one in reading.skip or ())


def _fits(path: Path, reading: Reading) -> bool:
    """Whether there are MATLAB files, and no images beside them that they may be the labels of."""
    return bool(_files(path, reading)) and not (path.is_dir() and scan(path, reading.skip).holds_images)


@layout(
    "mat",
    about="a .mat file with arrays X and y, or a folder with one for each split (SVHN)",
    splits="names of the files, or of the arrays: train, val or valid, test",
    fits=_fits,
    answers=OF_ARRAYS,
)
def read(path: Path, reading: Reading) -> Raw:
    """Read MATLAB files up to version 7. Raises DataError for any other, and for what holds no arrays of numbers."""
    files = _files(path, reading)
    _check_splits(path, files)
    arrays = _all_arrays(path, files)
    found = roles(str(path), list(arrays), reading)
    pairs = {}
    for split in dict.fromkeys(split for split, _ in found.names):
        x, y = found.names[split, "x"], found.names[split, "y"]
        labels = arrays[y].reshape(-1) if 1 in arrays[y].shape else arrays[y]  # MATLAB has no vectors
        pairs[split] = Pair(arrays[x], labels, x, y)
    left_out = [(LEFT_OUT, file.name) for file in sorted(path.glob("*.mat")) if _is_left_out(file, reading)]
    seen = Seen(layout="MATLAB file", skipped=counted(left_out))
    return raw_of(str(path), path.resolve().stem, pairs, None, reading, seen)


def _check_splits(path: Path, files: Sequence[Path]) -> None:
    """Raise DataError where a file is of no split beside others that are, as SVHN's extra images."""
    splits = {file: split_within(file.stem) for file in files}
    if "train" in splits.values() and None in splits.values():
        odd = next(file.name for file, split in splits.items() if split is None)
        raise DataError(
            f"{path}: {odd} is of no split beside the files of train; leave it out with skip: ['{odd}'], or put its "
            "images into the file of train"
        )


def _all_arrays(path: Path, files: Sequence[Path]) -> Mapping[str, Array]:
    """Return the arrays of all files by name. Raises DataError where two files hold one of the same name and split."""
    found: dict[str, Array] = {}
    sources: dict[str, Path] = {}
    for file in files:
        for name, array in _arrays(file).items():
            key = _name(file, name, len(files))
            if key in found:
                raise DataError(
                    f"{path}: {sources[key].name} and {file.name} both hold {name} of the same split; save one file "
                    "for each split, named train and test, or give the path of the one to read"
                )
            found[key], sources[key] = array, file
    return found


def _name(file: Path, name: str, files: int) -> str:
    split = split_within(file.stem)
    return f"{split}_{name}" if files > 1 and split else name


def _arrays(file: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    try:
        found = loadmat(file)
    except NotImplementedError:
        raise DataError(f"{file} is of MATLAB 7.3, an HDF5 file; name it .h5 or save it with -v7") from None
    except Exception as error:  # a damaged file can raise nearly any exception
        raise DataError(f"{file} is no readable .mat file ({' '.join(str(error).split())[:120]})") from None
    named = {name: value for name, value in found.items() if isinstance(value, np.ndarray) and name[0] != "_"}
    arrays = {name: value for name, value in named.items() if value.dtype.kind in "biufU"}
    if named and not arrays:
        raise DataError(
            f"{file} holds structures ({', '.join(named)}), which are not read; save their arrays of images and "
            "labels, as with numpy.savez"
        )
    return arrays
