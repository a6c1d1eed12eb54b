"""Entry: a trial in hand that is trained, waits for its turn, or is paused."""

from __future__ import annotations

from dataclasses import dataclass, field

from search.config.candidate import Candidate
from search.storage.live_trial import Handle
from search.storage.record import Record


@dataclass
class Entry:
    """A trial in hand: its handle, its network, and how far it has climbed.

    earlier: interrupted ones of the same network that it repeats, the nearest first.  is_pausing: it was told to,
    and is writing its checkpoint.  rested: what it had come to when it paused.  paid: device seconds charged before,
    until it paused or to choose it.  curve_at: when its curve was written last, monotonic seconds.
    """

    trial: Handle
    network: Candidate
    rungs: dict[int, float] = field(default_factory=dict)
    earlier: tuple[Record, ...] = ()
    bracket: int = 0
    is_pausing: bool = False
    rested: Record | None = None
    paid: float = 0.0
    curve: dict[int, float] = field(default_factory=dict)
    curve_at: float = 0.0

    @property
    def number(self) -> int:
        return self.trial.number

    def kept_by(self) -> list[int]:
        """Return the trials, by number, in whose folders the checkpoint may be that it goes on from."""
        own = [] if self.rested is None else [self.number]
        return own + [record.number for record in self.earlier]
