"""A test image of an export as a picture, as the network sees it."""

from __future__ import annotations

import io
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
    # its class, and the one that the network gives it
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
    wanted, predicted = int(data.test.y[0]), int(test.predicted[0])
    return Example(stored.getvalue(), data.classes[wanted], data.classes[predicted])
