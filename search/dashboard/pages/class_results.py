"""What a trial says of each class of the validation images: recall, precision, AUC, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

MOST_ROWS = 50  # classes that are listed; of more, those with the lowest recall
MOST_CONFUSED = 20  # classes of a matrix that a page can show
SHADES = 5


class ClassRow(NamedTuple):
    """One class. A share of no images is None."""

    name: str
    images: int
    recall: float | None  # share of its images that are predicted as it
    precision: float | None  # share of the images that are predicted as it and are of it
    auc: float | None


class Cell(NamedTuple):
    """A cell of the confusion matrix."""

    images: int
    shade: int  # of its share of the row, from 0 to SHADES


def class_rows(report: Mapping[str, Any], names: Sequence[str]) -> list[ClassRow]:
    """Return the classes of a report, those with the lowest recall of many; nothing where it is malformed."""
    found = report.get("by_class")
    counts = [_counts(found, key) for key in ("images", "predicted", "right")]
    images, predicted, right = counts
    if not images or len({len(one) for one in counts}) > 1:
        return []
    areas = found.get("auc") if isinstance(found, Mapping) else None
    areas = areas if isinstance(areas, list) and len(areas) == len(images) else [None] * len(images)
    rows = [
        ClassRow(name, of_it, _share(hits, of_it), _share(hits, said), area if _is_share(area) else None)
        for name, of_it, said, hits, area in zip(
            _named(names, len(images)), images, predicted, right, areas, strict=True
        )
    ]
    if len(rows) <= MOST_ROWS:
        return rows
    return sorted(rows, key=lambda row: 2.0 if row.recall is None else row.recall)[:MOST_ROWS]


def confusion_cells(report: Mapping[str, Any]) -> list[list[Cell]]:
    """Return the confusion matrix of a report, for a number of classes that a page can show."""
    rows = report.get("confusion")
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST_CONFUSED:
        return []
    if not all(_is_counts(row) and len(row) == len(rows) for row in rows):
        return []
    return [[Cell(count, -(-SHADES * count // sum(row)) if sum(row) else 0) for count in row] for row in rows]


def _counts(found: Any, key: str) -> list[int]:
    counts = found.get(key) if isinstance(found, Mapping) else None
    return list(counts) if isinstance(counts, list) and _is_counts(counts) else []


def _is_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)


def _is_share(value: Any) -> bool:
    return isinstance(value, float | int) and 0 <= value <= 1


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _named(names: Sequence[str], count: int) -> Sequence[str]:
    """Return the names of the classes; their numbers where the storage does not have the names."""
    return names if len(names) == count else [str(number) for number in range(count)]
