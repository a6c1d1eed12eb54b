"""mat: MATLAB files with X and y, as SVHN's train_32x32.mat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainer.data.arrays import Pair, raw_of, roles
from trainer.data.layouts.registry import OF_ARRAYS, layout
from trainer.data.raw import Array, Raw
from trainer.data.reading import Reading
from trainer.data.seen import Seen
from trainer.data.words import split_within
from trainer.errors import DataError


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in sorted(path.glob("*.mat")) if not file.name.startswith(".")]
    return [path] if path.suffix.lower() == ".mat" else []


@layout(
    "mat",
    about="a .mat file with arrays X and y, or a folder with one for each split (SVHN)",
    splits="names of the files, or of the arrays: train, val or valid, test",
    fits=lambda path, _: bool(_files(path)),
    answers=OF_ARRAYS,
)
def read(path: Path, reading: Reading) -> Raw:
    """Read MATLAB files up to version 7. Raises DataError for any other, and for what holds no arrays of numbers."""
    files = _files(path)
    arrays = _all_arrays(path, files)
    found = roles(str(path), list(arrays), reading)
    pairs = {}
    for split in dict.fromkeys(split for split, _ in found.names):
        x, y = found.names[split, "x"], found.names[split, "y"]
        labels = arrays[y].reshape(-1) if 1 in arrays[y].shape else arrays[y]  # MATLAB has no vectors
        pairs[split] = Pair(arrays[x], labels, x, y)
    return raw_of(str(path), path.resolve().stem, pairs, None, reading, Seen(layout="MATLAB file"))


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
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "biufU" and not name.startswith("_")
    }
