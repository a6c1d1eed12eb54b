"""The trainings of a study as lanes over time: each lane is a slot of one coordinator, one training at a time.

The ledger tells when a training was reserved and last metered, and what it was charged; it does not tell on which
slot it ran. Trainings of one coordinator on one device that overlap therefore take different lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from search.storage.ledger import EARLIER, SCREENING, Entry

PAUSE_SECONDS = 600.0  # without any training, after which a later one belongs to another run of the study
MOST_BARS = 400  # newest trainings that are drawn
# the parts of a report that are neither steps nor evaluation
BUILDING = frozenset({"build", "probe", "compile"})
EVALUATION = "evaluation"
MOMENTS = ("began_at", "trained_at", "ended_at")  # of a row of the learning curve, in unix seconds
NARROWEST = 0.001  # mean share of the drawn time that a segment has, for the segments to be told apart
PARTS = ("building", "training", "evaluation", "other")  # of a bar, in this order

Outcome = Callable[[Entry], str]
Report = Callable[[Entry], Mapping[str, Any]]


class Span(NamedTuple):
    """A part of a training."""

    part: str
    began: float  # unix seconds
    ended: float


class Segment(NamedTuple):
    """A part of a bar. Lengths are shares of the time that is drawn."""

    part: str
    at: float
    width: float


class Bar(NamedTuple):
    """One training on a lane."""

    entry: Entry
    outcome: str
    ended: float  # unix seconds
    segments: tuple[Segment, ...] = ()

    @property
    def seconds(self) -> float:
        """Seconds of the clock."""
        return self.ended - self.entry.begun_at


class Lane(NamedTuple):
    """The trainings of one slot."""

    worker: str
    device: str
    number: int  # from 1, of the worker's lanes on this device
    bars: tuple[Bar, ...]
    busy: float  # share of the time that is drawn


class Lanes(NamedTuple):
    """All lanes of one stretch of time."""

    began: float  # unix seconds
    ended: float
    lanes: tuple[Lane, ...]
    shares: Mapping[str, float]  # of all lanes together, by part and `idle`
    earlier: int  # trainings that are not drawn


def lanes(entries: Sequence[Entry], outcome: Outcome, report: Report, is_whole: bool = False) -> Lanes | None:
    """Return the lanes of the last run of a study, or with `is_whole` of all runs; None where nothing was metered.

    report: of a training, empty where this machine has none; its curve and its parts tell building from training and
    evaluation.
    """
    metered = [one for one in entries if one.worker != EARLIER and one.phase != SCREENING]
    bars = [Bar(one, how := outcome(one), _end(one, how)) for one in metered[-MOST_BARS:]]
    drawn = bars if is_whole else _last_run(bars)
    if not drawn:
        return None
    began = min(bar.entry.begun_at for bar in drawn)
    ended = max(max(bar.ended for bar in drawn), began + 1e-3)
    made = tuple(
        Lane(
            worker, device, number, tuple(_cut(bar, report, began, ended) for bar in on_it),
            sum(bar.seconds for bar in on_it) / (ended - began),
        )
        for worker, device, number, on_it in _packed(drawn)
    )  # fmt: skip
    return Lanes(began, ended, made, _shares(made), len(metered) - len(drawn))


def _end(entry: Entry, outcome: str) -> float:
    """When a training ended. The row of one that was interrupted is settled by the next run, maybe days later."""
    if outcome == "interrupted":
        return min(entry.seen_at, entry.begun_at + entry.seconds / entry.share)
    return max(entry.seen_at, entry.begun_at)


def _last_run(bars: Sequence[Bar]) -> Sequence[Bar]:
    first, ended = 0, 0.0
    for place, bar in enumerate(bars):
        if bar.entry.begun_at > ended + PAUSE_SECONDS:
            first = place
        ended = max(ended, bar.ended)
    return bars[first:]


def _packed(bars: Iterable[Bar]) -> list[tuple[str, str, int, list[Bar]]]:
    """Give each training the first lane of its worker and device that is free, oldest first."""
    made: dict[tuple[str, str], list[list[Bar]]] = {}
    for bar in bars:
        own = made.setdefault((bar.entry.worker, bar.entry.device), [])
        free = next((lane for lane in own if _is_over(lane[-1], bar.entry.begun_at)), None)
        if free is None:
            own.append([bar])
        else:
            free.append(bar)
    return [(*key, number, lane) for key, own in made.items() for number, lane in enumerate(own, 1)]


def _is_over(bar: Bar, moment: float) -> bool:
    """Whether a training has ended before a moment; one that runs has not, whenever it was last metered."""
    return bar.outcome != "running" and bar.ended <= moment


def _cut(bar: Bar, report: Report, began: float, ended: float) -> Bar:
    """Divide a bar by what it did when, or where it is too narrow for that by how much."""
    whole, stored = ended - began, report(bar.entry)
    spans = _moments(bar, stored) or _amounts(bar, stored)
    if bar.seconds / whole < len(spans) * NARROWEST:
        spans = _summed(bar, spans)
    segments = (
        Segment(one.part, (one.began - began) / whole, (one.ended - one.began) / whole) for one in spans
    )
    return bar._replace(segments=tuple(segments))


def _moments(bar: Bar, report: Mapping[str, Any]) -> list[Span]:
    """What a training did when, by the moments of its epochs; none where an earlier version stored its report."""
    at, spans = bar.entry.begun_at, list[Span]()
    for began, trained, ended in _epochs(report):
        if not at <= began <= trained <= ended <= bar.ended:
            continue  # of an earlier attempt, or of a clock that was set
        built = 0.0 if spans else min(_building(report), began - at)
        spans += [Span("other", at, began - built), Span("building", began - built, began)]
        spans += [Span("training", began, trained), Span("evaluation", trained, ended)]
        at = ended
    return _lasting([*spans, Span("other", at, bar.ended)]) if spans else []


def _epochs(report: Mapping[str, Any]) -> Iterable[tuple[float, float, float]]:
    rows = report.get("curve")
    for row in rows if isinstance(rows, Sequence) else ():
        found = [row.get(name) for name in MOMENTS] if isinstance(row, Mapping) else []
        if len(times := [float(one) for one in found if isinstance(one, int | float)]) == len(MOMENTS):
            yield times[0], times[1], times[2]


def _amounts(bar: Bar, report: Mapping[str, Any]) -> list[Span]:
    """What the seconds of a training went on by the sums of its report, in the order of PARTS."""
    if bar.outcome == "running":  # its report is not written yet
        return [Span("training", bar.entry.begun_at, bar.ended)]
    charged = min(bar.entry.seconds / bar.entry.share, bar.seconds)
    return _in_order(bar, {**_charged(report, charged), "other": bar.seconds - charged})


def _summed(bar: Bar, spans: Iterable[Span]) -> list[Span]:
    sums = dict.fromkeys(PARTS, 0.0)
    for one in spans:
        sums[one.part] += one.ended - one.began
    return _in_order(bar, sums)


def _in_order(bar: Bar, sums: Mapping[str, float]) -> list[Span]:
    ends = list(accumulate((sums.get(part, 0.0) for part in PARTS), initial=bar.entry.begun_at))
    return _lasting(map(Span, PARTS, ends, ends[1:]))


def _lasting(spans: Iterable[Span]) -> list[Span]:
    return [one for one in spans if one.ended > one.began]


def _charged(report: Mapping[str, Any], seconds: float) -> dict[str, float]:
    """Divide the seconds that a training was charged as its report divides them; without a report they are training."""
    found = _parts(report)
    whole = sum(found.values())
    if not whole:
        return {"training": seconds}
    building, evaluation = _building(report), found.get(EVALUATION, 0.0)
    shares = {"building": building, "evaluation": evaluation, "training": whole - building - evaluation}
    return {part: seconds * value / whole for part, value in shares.items()}


def _building(report: Mapping[str, Any]) -> float:
    return sum(value for name, value in _parts(report).items() if name in BUILDING)


def _parts(report: Mapping[str, Any]) -> dict[str, float]:
    parts = report.get("parts")
    return {k: float(v) for k, v in parts.items() if _is_time(v)} if isinstance(parts, Mapping) else {}


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and 0 < value < 1e9


def _shares(made: Sequence[Lane]) -> dict[str, float]:
    shares = dict.fromkeys(PARTS, 0.0)
    for lane in made:
        for bar in lane.bars:
            for one in bar.segments:
                shares[one.part] += one.width / len(made)
    return {**shares, "idle": max(1.0 - sum(shares.values()), 0.0)}
