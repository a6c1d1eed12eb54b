"""The statement of a study's budget: what was spent, is reserved and is left, by phase, worker and device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from search import formatting
from search.config.study import StudyConfig
from search.storage.ledger import EARLIER, FINALE, SEARCH, Key, Line, Sums
from search.storage.record import Record


@dataclass(frozen=True)
class Statement:
    """What a study has spent, has reserved and has left, in device seconds."""

    total_seconds: float | None  # None: there is no limit
    finale_seconds: float  # set aside for the finale, of those that are reserved or left
    lines: tuple[Line, ...]
    is_per_trial: bool = True  # whether a training has a limit of its own

    @property
    def spent_seconds(self) -> float:
        return sum(line.seconds for line in self.lines)

    @property
    def reserved_seconds(self) -> float:
        """The device seconds that trainings which run may still be charged."""
        return sum(line.reserved for line in self.lines)

    @property
    def left_seconds(self) -> float | None:
        """The device seconds neither spent nor reserved for a training; those for the finale are among them."""
        if self.total_seconds is None:
            return None
        return max(self.total_seconds - self.spent_seconds - self.reserved_seconds, 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "total_seconds": self.total_seconds,
            "spent_seconds": self.spent_seconds,
            "reserved_seconds": self.reserved_seconds,
            "left_seconds": self.left_seconds,
            "finale_seconds": self.finale_seconds,
            "by": [line._asdict() for line in self.lines],
        }

    def sentence(self) -> str:
        """Return the statement in one line."""
        parts = [f"{formatting.seconds(self.spent_seconds)} of device time spent"]
        if by := self._by_phase():
            parts[0] += f" ({by})"
        if self.reserved_seconds and not self.is_per_trial:
            parts.append(
                f"{formatting.seconds(self.reserved_seconds)} reserved by trainings that run: without budget.per_trial "
                "each may take all that is left"
            )
        elif self.reserved_seconds:
            parts.append(f"{formatting.seconds(self.reserved_seconds)} reserved")
        if self.left_seconds is not None:
            parts.append(f"{formatting.seconds(self.left_seconds)} left")
        return ", ".join(parts)

    def _by_phase(self) -> str:
        phases: dict[str, float] = {}
        for line in self.lines:
            phases[line.phase] = phases.get(line.phase, 0.0) + line.seconds
        told = [f"{name} {formatting.seconds(seconds)}" for name, seconds in phases.items() if seconds]
        workers = len({line.worker for line in self.lines if line.worker != EARLIER})
        told += [formatting.some(workers, "worker")] if workers > 1 else []
        return ", ".join(told) if len(told) > 1 else ""


def statement(
    config: StudyConfig, records: Sequence[Record], sums: Sums, is_running: bool = True
) -> Statement:
    """Return the statement of a study; what earlier versions charged, without a ledger, is one line of each phase.

    is_running: whether a run is alive. One that was killed had reserved seconds, which nobody spends now.
    """
    earlier = {SEARCH: 0.0, FINALE: 0.0}
    for record in records:
        for key, seconds in _charges(record):
            if key not in sums.charges:
                earlier[SEARCH if key[1] is None else FINALE] += seconds
    lines = tuple(Line(phase, EARLIER, "", 0, paid, 0.0, 0.0) for phase, paid in earlier.items() if paid)
    total, finale = config.budget.device_time, config.finale
    aside = 0.0
    if finale is not None and total is not None:
        spent = sum(record.finale.seconds for record in records if record.finale)
        aside = max(finale.share * total - spent, 0.0)
    stored = sums.lines if is_running else tuple(line._replace(reserved=0.0) for line in sums.lines)
    made = Statement(total, aside, lines + stored, config.budget.per_trial is not None)
    return replace(made, finale_seconds=min(aside, (made.left_seconds or 0.0) + made.reserved_seconds))


def _charges(record: Record) -> list[tuple[Key, float]]:
    seeds = record.finale.seeds if record.finale else {}
    return [
        ((record.number, None), record.search_seconds),
        *(((record.number, seed), one.seconds) for seed, one in seeds.items()),
    ]
