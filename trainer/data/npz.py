"""Images in a NumPy archive: train_x, train_y, test_x, test_y. No code in the file is ever run."""

import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from trainer.data.raw import Images, Labels, Raw, check_labels
from trainer.errors import DataError

ARRAYS = ("train_x", "train_y", "test_x", "test_y")
MAX_CHANNELS = 4


def read_npz(path: Path, *, mirror: bool) -> Raw:
    """Read an .npz of uint8 images (N, H, W), (N, H, W, C) or (N, C, H, W) and integer labels (N,).

    A further array `classes` of strings may name the classes; otherwise they are 0..K-1.
    Raises DataError for any other content; pickled objects are refused, never loaded.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            missing = [name for name in ARRAYS if f"{name}.npy" not in archive.namelist()]
            if missing:
                raise DataError(f"{path} has no array {missing[0]}; it must hold {', '.join(ARRAYS)}")
            arrays = {name: _read_array(archive, path, name) for name in ARRAYS}
            names = _read_classes(archive, path)
    except zipfile.BadZipFile as error:
        raise DataError(f"{path} is not a readable .npz file ({error}); write it with numpy.savez") from None
    return _raw(path, arrays, names, mirror=mirror)


def _raw(path: Path, arrays: dict[str, Any], names: tuple[str, ...] | None, *, mirror: bool) -> Raw:
    train_y, test_y = (_labels(f"{path}: {name}", arrays[name]) for name in ("train_y", "test_y"))
    train_x, test_x = (_images(f"{path}: {name}", arrays[name]) for name in ("train_x", "test_x"))
    if train_x.shape[1:] != test_x.shape[1:]:
        raise DataError(
            f"{path}: train images are {_size(train_x)} but test images are {_size(test_x)}; they must agree"
        )
    classes = len(names) if names else int(train_y.max(initial=-1)) + 1
    if classes < 2 and len(train_y):
        raise DataError(f"{path}: train_y holds one class; at least 2 are needed")
    check_labels(f"{path}: train_y", train_y, classes, len(train_x), all_present=True)
    check_labels(f"{path}: test_y", test_y, classes, len(test_x), all_present=False)
    return Raw(
        name=path.stem,
        classes=names or tuple(str(label) for label in range(classes)),
        train_x=train_x,
        train_y=train_y,
        test_x=test_x,
        test_y=test_y,
        mirror=mirror,
        place=str(path),
    )


def _read_array(archive: zipfile.ZipFile, path: Path, name: str) -> npt.NDArray[Any]:
    """Read one array after its header was checked, so that a wrong header cannot allocate memory."""
    try:
        with archive.open(f"{name}.npy") as file:
            shape, dtype, header = _header(file)
        _check_kind(f"{path}: {name}", name, shape, dtype)
        expected = header + int(np.prod(shape, dtype=object)) * dtype.itemsize
        if expected != archive.getinfo(f"{name}.npy").file_size:
            raise DataError(f"{path}: {name} is cut short or damaged; write the file again")
        with archive.open(f"{name}.npy") as file:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    except DataError:
        raise
    except Exception as error:  # a damaged header can raise nearly any exception
        raise DataError(f"{path}: {name} cannot be read ({_one_line(error)}); write the file again") from None


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype, file.tell()


def _check_kind(place: str, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise DataError(
            f"{place} holds Python objects, which are never loaded; save plain numbers or strings"
        )
    if name.endswith("_x"):
        if dtype != np.uint8:
            raise DataError(f"{place} is {dtype}; images must be uint8 (0..255)")
        if len(shape) not in (3, 4):
            raise DataError(f"{place} has shape {shape}; it must be (N, H, W), (N, H, W, C) or (N, C, H, W)")
    elif name.endswith("_y"):
        if dtype.kind not in "iu":
            raise DataError(f"{place} is {dtype}; labels must be integers 0..K-1")
        if len(shape) != 1:
            raise DataError(f"{place} has shape {shape}; labels must be (N,)")


def _images(place: str, array: npt.NDArray[Any]) -> Images:
    """Return images as (N, C, H, W); the axis of at most 4 is the channels."""
    if array.ndim == 3:
        array = array[:, None]
    elif array.shape[1] <= MAX_CHANNELS and array.shape[3] <= MAX_CHANNELS:
        raise DataError(f"{place} has shape {array.shape}; which axis is the channels cannot be told")
    elif array.shape[3] <= MAX_CHANNELS:
        array = array.transpose(0, 3, 1, 2)
    elif array.shape[1] > MAX_CHANNELS:
        raise DataError(
            f"{place} has shape {array.shape}; it must be (N, H, W), (N, H, W, C) or (N, C, H, W), C of 1..4"
        )
    if array.size == 0:
        raise DataError(f"{place} has shape {array.shape} and is empty; at least one image a class is needed")
    return np.ascontiguousarray(array, dtype=np.uint8)


def _labels(place: str, array: npt.NDArray[Any]) -> Labels:
    if array.dtype == np.uint64 and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise DataError(f"{place} holds the label {array.max()}; labels must be 0..K-1")
    if array.size and int(array.max()) >= max(array.size, 2):
        # Otherwise one wrong label of a million would make a million classes.
        raise DataError(
            f"{place} holds the label {array.max()}; labels must be 0..K-1, and K at most the images"
        )
    return array.astype(np.int64)


def _read_classes(archive: zipfile.ZipFile, path: Path) -> tuple[str, ...] | None:
    if "classes.npy" not in archive.namelist():
        return None
    array = _read_array(archive, path, "classes")
    if array.ndim != 1 or array.dtype.kind != "U":
        raise DataError(f"{path}: classes is {array.dtype} {array.shape}; it must be strings (K,)")
    names = tuple(str(name) for name in array)
    if len(names) < 2 or len(set(names)) < len(names):
        raise DataError(
            f"{path}: classes holds {len(names)} names, {len(set(names))} different; it must be 2 or more"
        )
    return names


def _size(x: Images) -> str:
    return "x".join(str(side) for side in x.shape[1:])


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
