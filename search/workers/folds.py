"""K folds: one network trained once for each fold, one training after the other, with one report and one checkpoint."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import trainer
from trainer.report import GOALS

SCORES = (*(f"valid_{name}" for name in GOALS), "valid_loss")
KEPT = "folds"  # key of a checkpoint: the reports of the folds before, and the weights of the first

Train = Callable[[int, trainer.Checkpoint], trainer.Report]


class FoldCheckpoint(trainer.Checkpoint):
    """The checkpoint of a trial while it trains one fold; it holds the folds that were trained before."""

    def __init__(
        self, whole: trainer.Checkpoint, every_seconds: float, done: Sequence[trainer.Report]
    ) -> None:
        super().__init__(whole.path, every_seconds, whole.on_save)
        self._done = len(done)
        self._kept = {
            "reports": [report.to_json() for report in done],
            "weights": done[0].best_weights if done else {},
        }

    def save(self, state: dict[str, Any]) -> None:
        super().save({**state, KEPT: self._kept})

    def load(self) -> dict[str, Any] | None:
        """Return the stored state of this fold, None where the file is of the fold before."""
        state = super().load()
        return state if state is not None and len(done_in(state)) == self._done else None


def done_in(state: dict[str, Any]) -> list[trainer.Report]:
    """Return the reports of the folds that were trained before a checkpoint's, the first one with its weights."""
    kept = state.get(KEPT, {"reports": [], "weights": {}})
    reports = [trainer.Report.from_json(text) for text in kept["reports"]]
    return [replace(reports[0], best_weights=kept["weights"]), *reports[1:]] if reports else []


def trained_folds(
    count: int, checkpoint: trainer.Checkpoint, every_seconds: float, resumes: bool, train: Train
) -> trainer.Report:
    """Train the folds that are left, and return one report of all: its scores are the means over the folds.

    train(fold, checkpoint): trains a fold, or resumes it; the seconds of its report are those of all folds so far.
    The weights are those of the first fold, which is the study's own split.
    Where a fold ends early, so do all; those that have been evaluated count.
    """
    state = checkpoint.load() if resumes else None
    done = done_in(state) if state else []
    while True:
        report = train(len(done), FoldCheckpoint(checkpoint, every_seconds, done))
        if report.outcome != "done" or len(done) + 1 == count:
            return joined([*done, report])
        done.append(report)


def joined(reports: Sequence[trainer.Report]) -> trainer.Report:
    """Return one report of the folds, which ended as the last of them did."""
    last = reports[-1]
    known = [one for one in reports if one.valid_loss is not None]
    if not known or last.outcome == "failed":
        return last
    peaks = [one.peak_memory_bytes for one in reports if one.peak_memory_bytes is not None]
    means: dict[str, Any] = {name: _mean([getattr(one, name) for one in known]) for name in SCORES}
    return replace(
        reports[0],
        outcome=last.outcome,
        kind=last.kind,
        reason=last.reason,
        seconds=last.seconds,
        parts=last.parts,
        peak_memory_bytes=max(peaks, default=None),
        exits=tuple(statistics.fmean(each) for each in zip(*(one.exits for one in known), strict=True)),
        by_class=_summed_classes(known),
        confusion=_summed(known),
        folds=[{name: getattr(one, name) for name in SCORES} for one in known],
        **means,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _summed_classes(reports: Sequence[trainer.Report]) -> dict[str, list[Any]]:
    """Return the counts of each class over all folds, and its mean AUC: each image is validated in one fold."""
    columns = {key: [one.by_class[key] for one in reports] for key in reports[0].by_class}
    return {
        key: [_mean(each) if key == "auc" else sum(each) for each in zip(*lists, strict=True)]
        for key, lists in columns.items()
    }


def _summed(reports: Sequence[trainer.Report]) -> list[list[int]] | None:
    tables = [one.confusion for one in reports if one.confusion is not None]
    if not tables:
        return None
    return [[sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*tables, strict=True)]
