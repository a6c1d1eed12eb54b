"""Which data a study trains on, and its shape as far as it is known without reading any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.data.named import NAMED

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
    # pixels to which own images are resized
    size: int | None = None
    # whether a mirrored image keeps its class; None is what is known of a named data set
    mirror: bool | None = None
    # of own images, where a study has stored it: `shape` then reads none
    known_shape: tuple[tuple[int, int, int], int] | None = None

    def load(self) -> Data:
        """Read the data on the CPU. Raises trainer.DataError, one sentence."""
        import trainer

        return trainer.load(self.name, root=self.root, size=self.size, mirror=self.mirror)

    def shape(self) -> tuple[tuple[int, int, int], int]:
        """Return (channels, height, width) and the number of classes; own images are read for it once."""
        return SHAPES.get(self.name) or self.known_shape or _shape_of(self)

    def found(self, folder: Path | None) -> Dataset:
        """Return the same data set, a path to own images made absolute; it may be relative to `folder`."""
        if self.name in SHAPES:
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
        named = {"name": self.name, "size": self.size, "mirror": self.mirror}
        return {key: value for key, value in named.items() if value is not None}


@lru_cache(maxsize=4)
def _shape_of(dataset: Dataset) -> tuple[tuple[int, int, int], int]:
    data = dataset.load()
    return data.input, len(data.classes)
