"""What a user asks of a first study."""

from __future__ import annotations

from typing import NamedTuple

from search.errors import StudyError
from trainer.budget import BudgetError, parse_seconds

UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
LARGEST = 10**12


class Wishes(NamedTuple):
    """The limits that a user gives; None is left to be chosen."""

    budget: str = "10m"  # device time, as written
    params: int | None = None
    macs: int | None = None
    latency: float | None = None  # seconds of a forward pass of one image
    preset: str = "stages"

    @property
    def seconds(self) -> float:
        """The budget in seconds."""
        return parse_seconds(self.budget, "--budget")


def count(written: str | None, name: str) -> int | None:
    """Return a count such as 150k, 4M or 150_000. Raises StudyError, one sentence."""
    if written is None:
        return None
    text = written.strip().lower().replace("_", "").replace(",", "")
    unit = text[-1:] if text[-1:] in UNITS and text[-1:] else ""
    try:
        value = round(float(text.removesuffix(unit)) * UNITS[unit]) if text.isascii() else 0
    except (ValueError, OverflowError):
        value = 0
    if not 1 <= value <= LARGEST:
        raise StudyError(f"{name} is {written!r}; it must be a count such as 150k, 4M or 200_000")
    return value


def wishes(budget: str, params: str | None, macs: str | None, latency: str | None, preset: str) -> Wishes:
    """Return what the options of the command say. Raises StudyError or BudgetError, one sentence."""
    from search.space.preset import names

    if preset not in names():
        raise StudyError(f"--preset is {preset!r}; it may be {', '.join(names())}")
    found = Wishes(
        budget=budget.strip(),
        params=count(params, "--params"),
        macs=count(macs, "--macs"),
        latency=None if latency is None else parse_seconds(latency, "--latency"),
        preset=preset,
    )
    if found.seconds < 1:
        raise BudgetError(f"--budget is {budget}; it must be 1s or more")
    return found
