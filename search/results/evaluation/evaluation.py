"""The evaluation of a network: its confusions, its calibration and its worst answers on the validation images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from genome.exits.calibration import Bin, expected_error, reliability

if TYPE_CHECKING:
    from torch import Tensor

    from trainer import Data
    from trainer.loop.evaluation import Scores

WORST = 16  # images that are kept
SIDE = 96  # pixels, to which larger ones of them are reduced
TOLD = 3  # most probable classes of each
# of the contact sheet
SHEET_CLASSES, SHEET_IMAGES, SHEET_SIDE = 20, 10, 48


class Answer(NamedTuple):
    """The answer of a network to one image."""

    # place among the validation images
    number: int
    # classes of the image: one, or its labels
    wanted: Sequence[int]
    # likewise as the network says
    said: Sequence[int]
    # cross-entropy
    loss: float
    # classes with their probabilities: the wanted ones and the most probable, in falling order
    probabilities: Sequence[tuple[int, float]]
    # the image as PNG
    png: bytes

    @property
    def is_right(self) -> bool:
        """Whether the network says what the image is."""
        return list(self.wanted) == list(self.said)


class SheetRow(NamedTuple):
    """Some train images of a class, side by side."""

    label: int
    # that the class has
    images: int
    # of those that are shown
    shown: int
    png: bytes


class Evaluation(NamedTuple):
    """A network on the validation images."""

    # sha256 of the file of its weights
    weights: str
    # name and fingerprint of the data set
    data: str
    data_digest: str
    classes: Sequence[str]
    # whether an image may have several labels, or none
    is_multilabel: bool
    # number of validation images
    images: int
    accuracy: float
    # mean cross-entropy
    loss: float
    # for each class `images`, `predicted`, `right` and `auc`, as in the report of a training
    by_class: Mapping[str, Sequence[Any]]
    # images by class (rows) and prediction; None for many classes, and for several labels an image
    confusion: Sequence[Sequence[int]] | None
    # of the most probable class of each image; of several labels an image, of each label
    reliability: Sequence[Bin]
    # with the largest loss, the worst first
    worst: Sequence[Answer]
    sheet: Sequence[SheetRow]

    @property
    def calibration_error(self) -> float:
        """The expected calibration error (Guo et al., ICML 2017, arXiv:1706.04599)."""
        return expected_error(self.reliability)

    @property
    def errors(self) -> int:
        """Images that are not answered correctly."""
        return round(self.images * (1.0 - self.accuracy))


def evaluation(scores: Scores, data: Data, weights: str) -> Evaluation | None:
    """Return the evaluation of a network, None where its answers are not numbers.

    scores: on the validation images of `data`, with the logits.  weights: sha256 of their file.
    """
    assert scores.logits is not None
    logits = scores.logits.double()
    if not (math.isfinite(scores.loss) and bool(logits.isfinite().all())):
        return None
    several = data.is_multilabel
    return Evaluation(
        weights,
        data.name,
        data.digest(),
        list(data.classes),
        several,
        len(data.valid),
        scores.accuracy,
        scores.loss,
        scores.by_class,
        scores.confusion,
        _bins(logits, data.valid.y.cpu(), several),
        _worst(logits, data),
        _sheet(data),
    )


def _bins(logits: Tensor, y: Tensor, several: bool) -> list[Bin]:
    if several:
        return reliability(logits.sigmoid().flatten().numpy(), (y == 1).flatten().numpy())
    confidence, said = logits.softmax(1).max(1)
    return reliability(confidence.numpy(), (said == y).numpy())


def _worst(logits: Tensor, data: Data) -> list[Answer]:
    from torch.nn import functional

    y = data.valid.y.cpu()
    if data.is_multilabel:
        loss = functional.binary_cross_entropy_with_logits(logits, y.double(), reduction="none").mean(1)
        shares = logits.sigmoid()
    else:
        loss, shares = functional.cross_entropy(logits, y, reduction="none"), logits.softmax(1)
    places = loss.argsort(descending=True, stable=True)[:WORST].tolist()
    return [_answer(place, shares[place], float(loss[place]), data) for place in places]


def _answer(place: int, shares: Tensor, loss: float, data: Data) -> Answer:
    from trainer.data.sheet import thumbnail

    y, top = data.valid.y[place], shares.argsort(descending=True, stable=True).tolist()
    if data.is_multilabel:
        wanted = y.nonzero().flatten().tolist()
        said = (shares > 0.5).nonzero().flatten().tolist()
    else:
        wanted, said = [int(y)], top[:1]
    told = sorted({*wanted, *said, *top[:TOLD]}, key=top.index)
    probabilities = [(label, float(shares[label])) for label in told]
    return Answer(place, wanted, said, loss, probabilities, thumbnail(data.valid.x[place], SIDE))


def _sheet(data: Data) -> list[SheetRow]:
    from trainer.data.sheet import strip

    rows = list[SheetRow]()
    for label in range(min(len(data.classes), SHEET_CLASSES)):
        count = int(data.train.has(label).sum())
        if png := strip(data, label, SHEET_IMAGES, SHEET_SIDE):
            rows.append(SheetRow(label, count, min(count, SHEET_IMAGES), png))
    return rows
