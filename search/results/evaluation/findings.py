"""What an evaluation comes to: the classes with the lowest recall, and the most frequent confusions."""

from __future__ import annotations

from typing import NamedTuple

from search.results.evaluation.evaluation import Evaluation


class Recall(NamedTuple):
    """The share of the images of a class that are answered with it; None without images."""

    name: str
    images: int
    recall: float | None


class Confusion(NamedTuple):
    """Images of a class that are taken for another."""

    wanted: str
    said: str
    images: int


def recalls(found: Evaluation) -> list[Recall]:
    """Return the recall of each class, the lowest first, and classes without images last."""
    counts = zip(found.classes, found.by_class["images"], found.by_class["right"], strict=True)
    rows = [Recall(name, images, right / images if images else None) for name, images, right in counts]
    return sorted(rows, key=lambda row: 2.0 if row.recall is None else row.recall)


def confusions(found: Evaluation) -> list[Confusion]:
    """Return the pairs of classes that are confused, the most frequent first; none without a confusion matrix."""
    names, rows = found.classes, found.confusion or []
    pairs = [
        Confusion(names[wanted], names[said], images)
        for wanted, row in enumerate(rows)
        for said, images in enumerate(row)
        if images and wanted != said
    ]
    return sorted(pairs, key=lambda pair: -pair.images)
