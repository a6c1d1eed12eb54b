"""The layouts of images by word, and the one door through which own images are read.

A layout is a file of this package with a decorated reader. Another package adds one by an entry point of the group
`genome.image_layouts`, which names the module that registers it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trainer.data.beside import not_read
from trainer.data.hints import hint_of
from trainer.data.named import NAMES
from trainer.data.reading import Reading
from trainer.data.tree import listed_once, scan
from trainer.errors import DataError

if TYPE_CHECKING:
    from trainer.data.raw import Raw

    Fits = Callable[[Path, Reading], bool]
    Reader = Callable[[Path, Reading], Raw]

# What may be said of picture files and of arrays, whatever the layout.
OF_PICTURES = (
    "size",
    "fit",
    "draft",
    "megapixels",
    "damaged",
    "alpha",
    "bits",
    "depth",
    "range",
    "pages",
    "classes",
)
OF_ARRAYS = ("channels", "bits", "depth", "range", "classes", "multilabel", "skip", "image", "label")

ENTRY_POINTS = "genome.image_layouts"
DEPTH = 2  # folders that are looked into for the one thing that has a layout


class Layout(NamedTuple):
    """A way in which images and labels lie in files."""

    word: str
    about: str
    """One line for a person: what lies where."""
    splits: str
    """Where train, valid and test come from."""
    answers: tuple[str, ...]
    """The fields of `Reading` that it asks for."""
    extra: str
    """The library that it needs beside the project's own, or nothing."""
    over: tuple[str, ...]
    """The layouts that it is taken before, since it says all that they say, and the splits too."""
    fits: Fits
    """Whether a path looks like it; cheap, and true for broken ones too, whose reader says what is wrong."""
    read: Reader
    """Path and answers -> images. Raises DataError."""


_REGISTRY: dict[str, Layout] = {}


def layout(
    word: str,
    *,
    about: str,
    splits: str,
    fits: Fits,
    answers: Iterable[str],
    extra: str = "",
    over: Iterable[str] = (),
) -> Callable[[Reader], Reader]:
    """Register the decorated reader as a layout; the arguments are the fields of `Layout`."""

    def register(read: Reader) -> Reader:
        _REGISTRY[word] = Layout(word, about, splits, tuple(answers), extra, tuple(over), fits, read)
        return read

    return register


def layouts() -> Mapping[str, Layout]:
    """Return every layout by its word, in the order of the words."""
    _load()
    return dict(sorted(_REGISTRY.items()))


@cache
def _load() -> None:
    """Import the layouts of this package and of installed ones."""
    from importlib.metadata import entry_points

    package = importlib.import_module("trainer.data.layouts")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    for point in entry_points(group=ENTRY_POINTS):
        try:
            point.load()
        except Exception as error:  # a package of somebody else can raise anything
            raise DataError(
                f"{point.value} cannot be imported: {type(error).__name__}: {error}; repair or uninstall its package"
            ) from None


def read_own(name: str, reading: Reading) -> Raw:
    """Read own images at a path. Raises DataError, one sentence."""
    path = _path(name)
    try:
        with listed_once():
            below, chosen = _chosen(path, reading)
            _check_answers(below, reading, chosen)
            raw = chosen.read(below, reading)
        note = not_read(path)
    except OSError as error:
        raise _unreadable(path, error) from None
    return raw if note is None else replace(raw, seen=raw.seen._replace(notes=(*raw.seen.notes, note)))


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read: {error.strerror or error}")


def may_say(name: str, reading: Reading) -> tuple[str, ...]:
    """Return the fields of `Reading` that the layout of a path asks for. Raises DataError, as reading it does."""
    path = _path(name)
    try:
        with listed_once():
            return _chosen(path, reading)[1].answers
    except OSError as error:
        raise _unreadable(path, error) from None


def _path(name: str) -> Path:
    try:
        path = Path(name).expanduser()
        is_there = path.exists()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL byte in it, the home of an unknown user
        is_there = False
    if not is_there or not name:
        raise DataError(
            f"data is {name!r}; it must be one of {', '.join(NAMES)}, or a file or folder of images that is "
            "there (docs/data.md has the layouts)"
        )
    return path


def _check_answers(path: Path, reading: Reading, chosen: Layout) -> None:
    for key in reading.given():
        if key not in ("layout", *chosen.answers):
            raise DataError(
                f"{key} is given for {path}, which is read as {chosen.word}; there it says nothing, so take it out "
                f"(it may have {', '.join(chosen.answers)})"
            )


def _chosen(path: Path, reading: Reading) -> tuple[Path, Layout]:
    """Return the layout of a path, or of the only thing below it that has one."""
    known = layouts()
    if reading.layout is not None:
        if reading.layout not in known:
            raise DataError(f"layout is {reading.layout!r}; it may be {', '.join(known)}")
        return path, known[reading.layout]
    fitting = _fitting(path, reading)
    if not fitting and path.is_dir() and (below := _below(path, reading)):
        return _chosen(below, reading)
    if not fitting and path.is_dir():
        return path, known["folders"]  # it says what is missing
    if not fitting and (hint := hint_of(path)):
        raise DataError(f"{path} {hint}")
    if not fitting:
        raise DataError(f"{path} is of no layout that is known ({', '.join(known)})")
    if len(fitting) > 1:
        ways = " or ".join(f"layout: {one.word} ({one.about})" for one in fitting)
        raise DataError(f"{path} can be read in {len(fitting)} ways; say {ways}")
    return path, fitting[0]


def _fitting(path: Path, reading: Reading) -> list[Layout]:
    fitting = [one for one in layouts().values() if one.fits(path, reading)]
    return [one for one in fitting if not any(one.word in other.over for other in fitting)]


def _below(path: Path, reading: Reading, depth: int = 0) -> Path | None:
    """Return the one file or folder below a folder without images that has a layout, as MNIST/raw or data/set.npz."""
    if depth == 0 and scan(path, reading.skip).holds_images:
        return None
    inside = [entry for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
    found = [entry for entry in inside if _fitting(entry, reading)]
    if not found and depth < DEPTH:
        deeper = (_below(entry, reading, depth + 1) for entry in inside if entry.is_dir())
        found = [entry for entry in deeper if entry]
    return found[0] if len(found) == 1 else None
