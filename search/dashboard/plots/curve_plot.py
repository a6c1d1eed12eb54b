"""The learning curves of several trials in one plot: a score, a loss or a speed, by epochs or by device seconds."""

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
from search.objective import Objective
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
    "learning_rate": "learning rate of the last step of each epoch",
    "images_per_second": "training images a second in each epoch, without evaluation",
}
NAMES = {"learning_rate": "learning rate", "images_per_second": "images/s"}  # of axes
STORED_FIRST = {"learning_rate": "version 0.2"}  # versions that began to store a value

Corners = tuple[tuple[float, float], ...]


def curves(snapshot: Snapshot, query: Query) -> Plot | None:
    """Return the curves of the running and the best trials, or of those that are picked, in one plot.

    A plot without series says in its note why it has none.
    """
    what, by = query.curve, query.by
    picked = [snapshot.by_number[number] for number in query.pick if number in snapshot.by_number][
        :MOST_PICKED
    ]
    running = [] if picked else [one for one in snapshot.trials if one.outcome == "running"][-RUNNING:]
    top = picked or [snapshot.by_number[record.number] for record in snapshot.ranked[:TOP]]
    if not running and not top:
        return None
    asked = [
        *((one, "cool", i, ", running") for i, one in enumerate(running)),
        *((one, f"c{i % COLOURS}", i, "") for i, one in enumerate(top)),
    ]
    found = {one.record.number: _curve(snapshot, one, what, by) for one, *_ in asked}
    drawn = [
        series
        for one, role, place, more in asked
        for series in _series(one, found[one.record.number], role, place, more, query.smooth)
    ]
    whose = f"the {len(picked)} picked" if picked else f"the best {len(top)}"
    title = f"learning curves of {whose}" + (" and the running trials" if running else "")
    missing = [number for number, corners in found.items() if not corners]
    if not drawn and what not in NAMES:
        return None
    across = Scale("epoch" if by == "epoch" else "device seconds")
    up = _scale(snapshot.goal, what, [y for one in drawn for y in one.y], query.y)
    note = _note(snapshot, query, missing, bool(running))
    return Plot(title, across, up, drawn, note, href=links.study(snapshot.name))


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Return the exponential moving average, of which the first value is the first one itself.

    weight: of what came before. Corrected for its beginning (Kingma and Ba, ICLR 2015, arXiv:1412.6980).
    """
    mean, made = 0.0, list[float]()
    for place, value in enumerate(values, start=1):
        mean = weight * mean + (1.0 - weight) * value
        made.append(mean / (1.0 - weight**place))
    return made


def _scale(goal: Objective, what: str, values: Sequence[float], asked: str) -> Scale:
    if what in NAMES or not values:
        return Scale(NAMES.get(what, what))
    return score_scale(goal, values, asked) if what == "score" else _loss_scale(values, asked)


def _loss_scale(values: Sequence[float], asked: str) -> Scale:
    is_wide = min(values) > 0 and (asked == "error" or max(values) > WIDE / 4 * min(values))
    return Scale("loss", "log" if is_wide and asked != "linear" else "number")


def _note(snapshot: Snapshot, query: Query, missing: Sequence[int], is_running: bool) -> str:
    what, by = query.curve, query.by
    parts = [f"{snapshot.goal.name} {SAYS[what]} after each epoch" if what == "score" else SAYS[what]]
    if query.smooth:
        parts.append(f"smoothed by {query.smooth}; pale: as it was")
    if is_running and (by == "seconds" or what in NAMES):
        parts.append(f"running trials have no {'seconds' if by == 'seconds' else NAMES[what]} yet")
    if missing and what in NAMES:
        since = f", stored since {STORED_FIRST[what]}" if what in STORED_FIRST else ""
        listed = ", ".join(map(str, missing))
        parts.append(f"not in the reports on this machine{since}: trial{'s' * (len(missing) > 1)} {listed}")
    return "; ".join(parts)


def _series(
    trial: TrialView, corners: Corners, role: str, place: int, more: str, smooth: str
) -> list[Series]:
    """The line of a trial, and a pale one beside a smoothed one; none where nothing is stored."""
    if not corners:
        return []
    number = trial.record.number
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    name, dash, numbers = f"trial {number}{more}", DASHES[place % len(DASHES)], [number] * len(xs)
    if not smooth:
        return [Series(name, "line", role, xs, ys, numbers, dash=dash)]
    line = Series(name, "line", role, xs, smoothed(ys, float(smooth)), numbers, dash=dash)
    return [Series(name, "line", role, xs, ys, dash=dash, is_pale=True), line]


def _curve(snapshot: Snapshot, trial: TrialView, what: str, by: str) -> Corners:
    """One curve, from the trial's report; without a report, from the storage, which has no seconds."""
    record = trial.record
    folder = snapshot.folder / "trials" / str(record.number) if snapshot.folder else None
    key = f"valid_{snapshot.goal.name}" if what == "score" else what
    is_over = record.values is not None
    rows = _reported(folder, record.digest, record.number, by, key) if folder and is_over else ()
    return rows or (_stored(snapshot, trial, what) if by == "epoch" else ())


def _stored(snapshot: Snapshot, trial: TrialView, what: str) -> Corners:
    if what == "score":
        return tuple((float(at), value) for at, value in sorted(snapshot.learnt_so_far(trial.record).items()))
    if what in NAMES:
        return ()
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
