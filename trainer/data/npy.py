"""Arrays of NumPy's files, read after their headers were checked. No code in a file is ever run."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from trainer.data.raw import Array
from trainer.errors import DataError


class Archive:
    """An .npz file, whose arrays are read one by one. Raises DataError for what is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise DataError(
                f"{path} is not a readable .npz file ({error}); write it with numpy.savez"
            ) from None

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def names(self) -> list[str]:
        """Return the names of the arrays."""
        inside = self._zip.namelist()
        return [
            name.removesuffix(".npy") for name in inside if name.endswith(".npy") and "__MACOSX" not in name
        ]

    def read(self, name: str) -> Array:
        """Return an array. Raises DataError where it is damaged, or holds Python objects."""
        inner = f"{name}.npy"
        return _read(
            f"{self.path}: {name}", lambda: self._zip.open(inner), self._zip.getinfo(inner).file_size
        )


def read_npy(path: Path) -> Array:
    """Return the array of an .npy file. Raises DataError where it is damaged, or holds Python objects."""
    return _read(str(path), lambda: path.open("rb"), path.stat().st_size)


def _read(place: str, opened: Callable[[], IO[bytes]], stored: int) -> Array:
    """Read one array after its header was checked, so that a wrong header cannot allocate memory."""
    try:
        with opened() as file:
            shape, dtype, header = _header(file)
        if dtype.hasobject:
            raise DataError(
                f"{place} holds Python objects, which are never loaded; save plain numbers or strings"
            )
        if header + int(np.prod(shape, dtype=object)) * dtype.itemsize != stored:
            raise DataError(f"{place} is cut short or damaged; write the file again")
        with opened() as file:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    except DataError:
        raise
    except Exception as error:  # a damaged header can raise nearly any exception
        raise DataError(f"{place} cannot be read ({_one_line(error)}); write the file again") from None


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype, file.tell()


def names_of(place: str, array: Array) -> tuple[str, ...]:
    """Return the names of classes of an array (K,). Raises DataError for what are no different strings."""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.ndim != 1 or array.dtype.kind != "U":
        raise DataError(f"{place} is {array.dtype} {array.shape}; it must be strings (K,)")
    names = tuple(str(name) for name in array)
    if len(names) < 2 or len(set(names)) < len(names):
        raise DataError(
            f"{place} holds {len(names)} names, {len(set(names))} different; it must be 2 or more"
        )
    if not all(name.strip() for name in names):
        raise DataError(f"{place} holds an empty name; name every class")
    return names


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
