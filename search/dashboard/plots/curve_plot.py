"""The learning curves of several trials in one plot: a score or a loss, by epochs or by device seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeGuard

from search.dashboard.plots.plot import WIDE, Plot, Scale, Series, score_scale
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import Query
from search.dashboard.studies.trial_view import TrialView
from search.dashboard.web import links
from search.storage.trial_files import read_report

TOP, RUNNING = 5, 6  # trials whose curves are drawn
MOST_PICKED = 12  # of the picked trials
KEPT = 512  # cached learning curves
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
COLOURS = 5
SAYS = {
    "score": "on the validation images",
    "valid_loss": "loss on the validation images",
    "train_loss": "loss on the training images",
}

Corners = tuple[tuple[float, float], ...]


def curves(snapshot: Snapshot, query: Query) -> Plot | None:
    """Return the curves of the running and the best trials, or of those that are picked, in one plot."""
    what, by = query.curve, query.by
    picked = [snapshot.by_number[number] for number in query.pick if number in snapshot.by_number][
        :MOST_PICKED
    ]
    running = [] if picked else [one for one in snapshot.trials if one.outcome == "running"][-RUNNING:]
    top = picked or [snapshot.by_number[record.number] for record in snapshot.ranked[:TOP]]
    series = [
        *(_curve(snapshot, one, what, by, "cool", i, ", running") for i, one in enumerate(running)),
        *(_curve(snapshot, one, what, by, f"c{i % COLOURS}", i, "") for i, one in enumerate(top)),
    ]
    drawn = [one for one in series if one is not None]
    if not drawn:
        return None
    whose = f"the {len(picked)} picked" if picked else f"the best {len(top)}"
    title = f"learning curves of {whose}" + (" and the running trials" if running else "")
    said = f"{snapshot.goal.name} {SAYS[what]}" if what == "score" else SAYS[what]
    note = f"{said} after each epoch" + (
        "; running trials have no seconds yet" if running and by == "seconds" else ""
    )
    values = [y for one in drawn for y in one.y]
    up = score_scale(snapshot.goal, values, query.y) if what == "score" else _loss_scale(values, query.y)
    across = Scale("epoch" if by == "epoch" else "device seconds")
    return Plot(title, across, up, drawn, note, href=links.study(snapshot.name))


def _loss_scale(values: Sequence[float], asked: str) -> Scale:
    is_wide = min(values) > 0 and (asked == "error" or max(values) > WIDE / 4 * min(values))
    return Scale("loss", "log" if is_wide and asked != "linear" else "number")


def _curve(
    snapshot: Snapshot, trial: TrialView, what: str, by: str, role: str, place: int, more: str
) -> Series | None:
    """One curve, from the trial's report; without a report, from the storage, which has no seconds."""
    record = trial.record
    folder = snapshot.folder / "trials" / str(record.number) if snapshot.folder else None
    key = f"valid_{snapshot.goal.name}" if what == "score" else what
    is_over = record.values is not None
    rows = _reported(folder, record.digest, record.number, by, key) if folder and is_over else ()
    rows = rows or (_stored(snapshot, trial, what) if by == "epoch" else ())
    if not rows:
        return None
    xs, ys = [x for x, _ in rows], [y for _, y in rows]
    dash = DASHES[place % len(DASHES)]
    return Series(
        f"trial {record.number}{more}", "line", role, xs, ys, [record.number] * len(rows), dash=dash
    )


def _stored(snapshot: Snapshot, trial: TrialView, what: str) -> Corners:
    if what == "score":
        return tuple((float(at), value) for at, value in sorted(snapshot.learnt_so_far(trial.record).items()))
    losses = {
        at: pair[what == "valid_loss"] for at, pair in sorted(trial.record.losses.items()) if len(pair) == 2
    }
    return tuple((float(at), value) for at, value in losses.items() if _is_number(value))


@lru_cache(maxsize=KEPT)
def _reported(folder: Path, digest: str | None, number: int, by: str, key: str) -> Corners:
    """The curve in the report of a trial that has ended; empty where there is no report here."""
    rows = (read_report(folder, digest, number) or {}).get("curve")
    if not isinstance(rows, list):
        return ()
    pairs = [(row.get(by), row.get(key)) for row in rows if isinstance(row, dict)]
    return tuple((float(x), float(y)) for x, y in pairs if _is_number(x) and _is_number(y))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)
