"""What `genome evaluate` prints: the scores, the classes with the lowest recall, and the most frequent confusions."""

from __future__ import annotations

from search import formatting
from search.results.evaluation.evaluation import Evaluation
from search.results.evaluation.findings import confusions, recalls

FEW = 5


def evaluation_text(found: Evaluation) -> str:
    """Return the table and the sentences."""
    head = (
        f"{found.images:,} validation images: accuracy {found.accuracy:.4f}, loss {found.loss:.4f}, "
        f"expected calibration error {found.calibration_error:.4f}"
    )
    lowest = [
        [one.name, f"{one.images:,}", "-" if one.recall is None else f"{one.recall:.4f}"]
        for one in recalls(found)[:FEW]
    ]
    pairs = [
        f"{one.wanted} taken for {one.said}: {formatting.some(one.images, 'image')}"
        for one in confusions(found)[:FEW]
    ]
    lines = [head, "", formatting.table(("class", "images", "recall"), lowest)]
    return "\n".join([*lines, *(["", *pairs] if pairs else [])])
