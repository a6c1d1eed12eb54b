"""What a network reached on a split, class by class or label by label: accuracies and the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

    from trainer.data.data import Data, Split
    from trainer.loop.evaluation import Scores

MOST_CLASSES = 1000  # of a confusion matrix


class ClassScores(NamedTuple):
    """A split by class, in the order of the classes."""

    # images of each class
    images: Sequence[int]
    # of these, how many have this class as their prediction
    hits: Sequence[int]
    # images by class and prediction; None for more than `MOST_CLASSES`, and where images have several labels
    confusion: Sequence[Sequence[int]] | None
    # area under the ROC curve of each class against all others; None for a class that all images have, or none
    auc: Sequence[float | None] = ()
    # how many images have each label as a prediction; empty where images have one class
    predicted: Sequence[int] = ()

    @property
    def accuracy(self) -> list[float | None]:
        """The share of each class that is predicted; None for a class without images."""
        return [
            hits / images if images else None for hits, images in zip(self.hits, self.images, strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return what a report has of each class."""
        areas = {"auc": list(self.auc)} if self.auc else {}
        if not self.predicted:
            return {"images": list(self.images), "accuracy": self.accuracy, **areas}
        precision = [
            hits / said if said else None for hits, said in zip(self.hits, self.predicted, strict=True)
        ]
        return {"images": list(self.images), "recall": self.accuracy, "precision": precision, **areas}


def scored(
    network: nn.Module, split: Split, data: Data, training: Mapping[str, Any], logits: bool = False
) -> Scores | None:
    """Return what a network reaches on a split, as its training computed it; None for a split without images.

    training: the report, which tells device and precision.  logits: whether the scores hold those of the last exit.
    """
    import trainer

    if not len(split):
        return None
    return trainer.evaluate(
        network,
        split,
        data,
        _device(training.get("device", "cpu")),
        precision=training.get("precision") or training.get("recipe", {}).get("precision", "auto"),
        layout=training.get("layout") or "auto",
        predictions=True,
        logits=logits,
    )


def _device(trained_on: str) -> str:
    """Where to evaluate a network whose report names its device: cpu, or a GPU by its maker's name."""
    import torch

    return "cuda" if trained_on != "cpu" and torch.cuda.is_available() else "cpu"


def class_scores(scores: Scores, split: Split, classes: int) -> ClassScores:
    """Return the scores of each class. scores: with the predictions for the images of the split."""
    import numpy as np

    if split.y.ndim == 2:
        counts = scores.by_class
        return ClassScores(counts["images"], counts["right"], None, counts["auc"], counts["predicted"])
    assert scores.predicted is not None
    wanted, found = split.y.cpu().numpy(), scores.predicted.numpy()

    def counted(labels: npt.NDArray[np.int64]) -> list[int]:
        return [int(count) for count in np.bincount(labels, minlength=classes)]

    confusion = None
    if classes <= MOST_CLASSES:
        cells = np.bincount(wanted * classes + found, minlength=classes * classes)
        confusion = [[int(count) for count in row] for row in cells.reshape(classes, classes)]
    areas = scores.by_class.get("auc", ())
    return ClassScores(counted(wanted), counted(wanted[wanted == found]), confusion, areas)
