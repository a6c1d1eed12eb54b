"""The report of a training in groups, and its seconds by part as the pieces of one bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

GROUPS = {
    "Result": ("epochs", "best_epoch", "valid_accuracy", "valid_loss", "exits", "latency"),
    "Speed": ("seconds", "earlier_seconds", "images_per_second", "step_seconds", "mfu"),
    "Memory": ("peak_memory_bytes", "predicted_memory_bytes"),
    "Setting": (
        *("device", "threads", "precision", "layout", "accumulate", "is_compiled", "torch", "seed"),
        *("recipe",),
    ),
}
# what is shown of a report, beside its curve
REPORT = (*(name for names in GROUPS.values() for name in names), "parts")
MOST_PARTS = 12
LONGEST = 1e9  # seconds


class TimeShare(NamedTuple):
    """A part of the training's seconds: its place in the bar, from 0 to 1, and how long it is there."""

    name: str
    seconds: float
    at: float
    share: float


def groups(report: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return what a report says, in groups; one of which it says nothing is left out."""
    made = [
        (title, {name: report[name] for name in names if report.get(name) is not None})
        for title, names in GROUPS.items()
    ]
    return [(title, found) for title, found in made if found]


def seconds_by_part(report: Mapping[str, Any]) -> Sequence[TimeShare]:
    """Return the parts of a training, the longest first; what is no number of seconds is left out."""
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
