"""A test image of an export as a picture, as the network sees it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from search.results.model_file import READ_AS

if TYPE_CHECKING:
    from trainer import Data
    from trainer.loop.evaluation import Scores

EXAMPLE_FILE = "example.png"


class Example(NamedTuple):
    """A test image."""

    # in the size and the colours of the network's input, before it is normalised
    png: bytes
    # its class or labels, and what the network gives it
    wanted: str
    predicted: str


def example(data: Data | None, test: Scores | None) -> Example | None:
    """Return the first test image; None where it is missing, or has channels or a depth that no picture has.

    test: the scores of the network on the test images, with the predictions.
    """
    from PIL import Image

    if data is None or test is None or test.predicted is None:
        return None
    if data.input[0] not in READ_AS or data.white != 255:
        return None
    pixels = data.test.x[0].cpu().permute(1, 2, 0).squeeze(2).contiguous().numpy()
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, format="PNG")
    wanted, predicted = (_named(one[0].tolist(), data.classes) for one in (data.test.y, test.predicted))
    return Example(stored.getvalue(), wanted, predicted)


def _named(found: int | list[int], classes: Sequence[str]) -> str:
    """Return the name of a class, or the names of the labels that are marked with 1."""
    if isinstance(found, int):
        return classes[found]
    return ", ".join(name for name, mark in zip(classes, found, strict=True) if mark) or "no label"
