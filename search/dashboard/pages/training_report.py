"""The report of a training in groups, and the seconds of its parts as segments of one bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from search.objective import LEARNT, MEASURES

GROUPS = {
    "Result": (
        *("epochs", "best_epoch"),
        *(MEASURES[name].field for name in LEARNT),
        *("exits", "latency"),
    ),
    "Speed": ("seconds", "earlier_seconds", "images_per_second", "step_seconds", "mfu"),
    "Memory": ("peak_memory_bytes", "predicted_memory_bytes"),
    "Setting": (
        *("device", "threads", "precision", "layout", "accumulate", "is_compiled", "torch", "seed"),
        *("recipe",),
    ),
}
# the fields of a report that the page shows, beside the learning curve
REPORT = (*(name for names in GROUPS.values() for name in names), "parts")
MOST_PARTS = 12
LONGEST = 1e9  # seconds; a longer time is malformed


class TimeShare(NamedTuple):
    """A part of the training as a segment of the bar."""

    name: str
    seconds: float
    at: float  # start of the segment, from 0 to 1
    share: float  # length of the segment, from 0 to 1


def groups(report: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the fields of a report in groups, without empty groups."""
    made = [
        (title, {name: report[name] for name in names if report.get(name) is not None})
        for title, names in GROUPS.items()
    ]
    return [(title, found) for title, found in made if found]


def seconds_by_part(report: Mapping[str, Any]) -> Sequence[TimeShare]:
    """Return the parts of a training, the longest first, without malformed ones."""
    parts = report.get("parts")
    if not isinstance(parts, Mapping):
        return []
    found = {str(name): float(value) for name, value in parts.items() if _is_time(value)}
    whole = sum(found.values())
    made, at = list[TimeShare](), 0.0
    for name, seconds in sorted(found.items(), key=lambda item: -item[1])[:MOST_PARTS]:
        made.append(TimeShare(name, seconds, at, seconds / whole))
        at += seconds / whole
    return made


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and 0 < value < LONGEST
