"""Which data a study trains on, and its shape as far as it is known without reading any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genome.yaml.source import parse
from search.errors import StudyError
from trainer.data.named import NAMED
from trainer.data.reading import Reading

if TYPE_CHECKING:
    from trainer import Data

# name -> (channels, height, width), classes: so that a study can be checked where its data is not
SHAPES = {name: (one.input, one.classes) for name, one in NAMED.items()}


@dataclass(frozen=True)
class Dataset:
    """A data set."""

    # a known name, or the absolute path to own images
    name: str
    # folder of named data sets
    root: str | None = None
    # how own images are read
    reading: Reading = field(default_factory=Reading)
    # whether a mirrored image keeps its class; None is what is known of a named data set
    mirror: bool | None = None
    # K of K folds in place of one validation part
    folds: int | None = None
    # of own images, where a study has stored it: `shape` then reads none
    known_shape: tuple[tuple[int, int, int], int] | None = None
    # folder that keeps decoded images, from which processes map them
    cache: str | None = None

    def load(self) -> Data:
        """Read the data on the CPU. Raises trainer.DataError, one sentence."""
        import trainer

        return trainer.load(
            self.name,
            root=self.root,
            mirror=self.mirror,
            cache=self.cache,
            folds=self.folds,
            **self.reading.given(),
        )

    def shape(self) -> tuple[tuple[int, int, int], int]:
        """Return (channels, height, width) and the number of classes; own images are read for it once."""
        return SHAPES.get(self.name) or self.known_shape or _shape_of(self)

    def found(self, folder: Path | None, is_path: bool = False) -> Dataset:
        """Return the same data set, a path to own images made absolute; it may be relative to `folder`.

        is_path: the name is a path, also where a known data set has the same name.
        """
        if self.name in SHAPES and not is_path:
            return self
        try:
            path = Path(self.name).expanduser()
        except RuntimeError:  # the home of an unknown user: reading refuses it with a sentence
            return self
        if folder is not None and not path.exists() and (folder / path).exists():
            path = folder / path
        return replace(self, name=str(path.absolute()))

    def modules(self) -> tuple[str, ...]:
        """Return the heavy modules that loading needs, for processes that import ahead."""
        return (NAMED[self.name].module,) if self.name in NAMED else ()

    def identity(self) -> dict[str, Any]:
        """Return what makes it this data set, wherever it lies."""
        mirror = {} if self.mirror is None else {"mirror": self.mirror}
        return {"name": self.name, **self.reading.given(), **mirror}


def said_of_images(size: str | None, answers: Sequence[str]) -> Reading:
    """Return what options say of own images: the size, as 32, 24x32 or auto, and answers as KEY=VALUE.

    Raises StudyError, or trainer.DataError for a key or a value that is not known.
    """
    values = dict(_answer(one) for one in answers)
    if size is not None:
        sides = [int(side) if side.strip("-").isdigit() else side for side in size.split("x")]
        values["size"] = sides if len(sides) == 2 else sides[0]
    return Reading.parse(values)


def _answer(text: str) -> tuple[str, Any]:
    """Return the key and the value of KEY=VALUE; YAML reads the value."""
    key, mark, value = text.partition("=")
    if not mark or not key.strip() or not value.strip():
        raise StudyError(f"--read {text}: write KEY=VALUE, such as --read alpha=white")
    return key.strip(), parse(f"value: {value}", f"--read {key}").value["value"]


KEYS = tuple(one.name for one in fields(Reading))


@lru_cache(maxsize=4)
def _shape_of(dataset: Dataset) -> tuple[tuple[int, int, int], int]:
    data = dataset.load()
    return data.input, len(data.classes)
