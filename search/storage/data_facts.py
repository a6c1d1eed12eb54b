"""What a study stores of its images, so that its results can be read where the images are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from search.config.study import StudyConfig
from search.errors import StudyError

if TYPE_CHECKING:
    from trainer import Data

NOTHING: Mapping[str, Any] = MappingProxyType({})
FACTS_ATTR = "data_facts"  # attribute of a study; studies of earlier versions have none


class DataFacts(NamedTuple):
    """A data set without its images."""

    name: str
    digest: str
    input: tuple[int, int, int]  # (channels, height, width) of an image
    classes: tuple[str, ...]
    mean: tuple[float, ...]  # of the train pixels of each channel, on the scale 0..1
    std: tuple[float, ...]
    images: Mapping[str, int]  # number of train, valid and test images
    reading: Mapping[str, Any] = NOTHING  # what is said of the pixels of own pictures
    depth: int = 8  # bits a channel in which the images are kept
    multilabel: bool = False  # whether an image may have several of the classes, or none

    @classmethod
    def of(cls, data: Data) -> DataFacts:
        images = {"train": len(data.train), "valid": len(data.valid), "test": len(data.test)}
        said, depth = data.reading.of_pixels(), data.white.bit_length()
        described = data.name, data.digest(), data.input, data.classes, data.mean, data.std
        return cls(*described, images, said, depth, data.is_multilabel)

    @property
    def white(self) -> int:
        """The value of white pixels, 255 or 65535."""
        return int(2**self.depth) - 1

    def check_files(self) -> None:
        """Raise StudyError where files for other runtimes cannot take the images."""
        if self.depth != 8:
            raise StudyError(
                f"files for other runtimes take pixels of 8 bits, and the images of {self.name} are kept in "
                f"{self.depth}; train on them with depth: 8 under data, or export without --formats"
            )

    @classmethod
    def of_attrs(cls, attrs: Mapping[str, Any]) -> DataFacts | None:
        """Read the attributes of a study; None where nothing is stored about its images, or in another form."""
        try:
            stored = attrs[FACTS_ATTR]
            channels, height, width = map(int, stored["input"])
            tuples = {key: tuple(stored[key]) for key in ("classes", "mean", "std")}
            return cls(**{**stored, **tuples, "input": (channels, height, width)})
        except (KeyError, TypeError, ValueError):
            return None

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as the attribute of a study holds them."""
        plain = {
            key: list(value) if isinstance(value, tuple) else value for key, value in self._asdict().items()
        }
        for name in ("reading", "depth", "multilabel"):
            del plain[name]
        return {
            **plain,
            "images": dict(self.images),
            **({"depth": self.depth} if self.depth != 8 else {}),
            **({"reading": dict(self.reading)} if self.reading else {}),
            **({"multilabel": True} if self.multilabel else {}),
        }


def with_stored_shape(config: StudyConfig, attrs: Mapping[str, Any]) -> StudyConfig:
    """Return the study with the shape of its images as it is stored, so that its space is parsed without them."""
    facts = DataFacts.of_attrs(attrs)
    if facts is None:
        return config
    return replace(config, data=replace(config.data, known_shape=(facts.input, len(facts.classes))))
