"""What a network reached on a split, class by class: accuracies and the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from trainer.data.data import Split
    from trainer.loop.evaluation import Scores

MOST_CLASSES = 1000  # of a confusion matrix


class ClassScores(NamedTuple):
    """A split by class, in the order of the classes."""

    # images of each class
    images: Sequence[int]
    # of these, how many have this class as their prediction
    hits: Sequence[int]
    # images by class and prediction; None for more than `MOST_CLASSES`
    confusion: Sequence[Sequence[int]] | None

    @property
    def accuracy(self) -> list[float | None]:
        """The share of each class that is predicted; None for a class without images."""
        return [
            hits / images if images else None for hits, images in zip(self.hits, self.images, strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return what a report has of each class."""
        return {"images": list(self.images), "accuracy": self.accuracy}


def class_scores(scores: Scores, split: Split, classes: int) -> ClassScores:
    """Return the scores of each class. scores: with the predictions for the images of the split."""
    import numpy as np

    assert scores.predicted is not None
    wanted, found = split.y.cpu().numpy(), scores.predicted.numpy()

    def counted(labels: npt.NDArray[np.int64]) -> list[int]:
        return [int(count) for count in np.bincount(labels, minlength=classes)]

    confusion = None
    if classes <= MOST_CLASSES:
        cells = np.bincount(wanted * classes + found, minlength=classes * classes)
        confusion = [[int(count) for count in row] for row in cells.reshape(classes, classes)]
    return ClassScores(counted(wanted), counted(wanted[wanted == found]), confusion)
