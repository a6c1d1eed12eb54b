"""The purse: device seconds that a study has spent, kept with its trials: none lost, none counted twice.

A slot that shares its device with others is charged its share: of two slots on one CPU each second costs
half a second, so that a budget of three minutes takes about three minutes on the wall.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search.storage.charge_file import write_charge
from search.storage.live_trial import Handle
from search.storage.record import CHARGED, SEEN_AT
from search.storage.store import Store

WRITE_SECONDS = 1.0  # others on a shared storage, and readers, see what a trial costs so soon
SIGN_SECONDS = 30.0
SMALLEST_SHARE = 0.01  # of the budget: with less than that left, no trial is begun


def charged(report: Mapping[str, Any]) -> float:
    """Return the device seconds that a trial's report stands for, without those of the trial that it repeats.

    What it took before it paused was charged then; slots may have shared the device otherwise.
    """
    seconds = float(report["seconds"]) - float(report.get("earlier_seconds", 0.0))
    return seconds * float(report.get("charged_share", 1.0)) + float(report.get("paid_seconds", 0.0))


@dataclass
class Purse:
    """What one coordinator knows of the spending.

    places: the device of each of its slots.  kept_seconds: of the budget, for the finale; no trial is begun on them,
    though one that was begun before may use them up.  other_devices: those that other coordinators keep busy.
    """

    store: Store
    budget_seconds: float | None
    places: Sequence[str]
    kept_seconds: float = 0.0
    other_devices: float = 0.0
    earlier_seconds: float = 0.0  # of trials that are not in `mine`
    mine: dict[int, float] = field(default_factory=dict)
    written: dict[int, float] = field(default_factory=dict)  # time.monotonic() of the last write

    def refresh(self) -> None:
        """Read what others have spent: once for an embedded study, again and again for a shared one."""
        self.earlier_seconds = sum(r.seconds for r in self.store.records() if r.number not in self.mine)

    def spent_seconds(self) -> float:
        return self.earlier_seconds + sum(self.mine.values())

    def left_seconds(self) -> float | None:
        """Return the device seconds that are left, or None where there is no limit."""
        return None if self.budget_seconds is None else self.budget_seconds - self.spent_seconds()

    def is_empty(self) -> bool:
        left = self.left_seconds()
        return left is not None and left - self.kept_seconds < SMALLEST_SHARE * (self.budget_seconds or 0.0)

    def why_empty(self) -> str:
        return "the search has spent its share of the budget" if self.kept_seconds else "the budget is spent"

    def trial_seconds(self) -> float | None:
        """Return how long a trial that starts now may take on its slot, all other slots being busy too."""
        left = self.left_seconds()
        return None if left is None else max(left, 0.0) / self._devices()

    def search_seconds(self) -> float | None:
        """Return how long a trial that starts now may take so that the finale keeps its share."""
        left = self.left_seconds()
        return None if left is None else max(left - self.kept_seconds, 0.0) / self._devices()

    def _devices(self) -> float:
        """All that spend at once."""
        return len(set(self.places)) + self.other_devices

    def share(self, place: str) -> float:
        """Return the device seconds that a second on a slot of this device costs."""
        return 1.0 / self.places.count(place)

    def open(self, number: int, paid_seconds: float) -> None:
        """Begin to charge a trial; what it was charged before stands."""
        self.mine[number] = paid_seconds
        write_charge(self.store.trial_folder(number), paid_seconds)

    def estimate(self, trial: Handle, seconds: float) -> None:
        """Charge a running trial by the clock, written to the storage at most once a second."""
        self.mine[trial.number] = max(seconds, self.mine.get(trial.number, 0.0))
        write_charge(self.store.trial_folder(trial.number), self.mine[trial.number])
        now = time.monotonic()
        if now - self.written.get(trial.number, 0.0) >= WRITE_SECONDS:
            self.written[trial.number] = now
            self._write(trial)

    def charge(self, number: int, seconds: float) -> None:
        """Charge what a trial really took, in place of the estimate."""
        self.mine[number] = round(seconds, 6)

    def settle(self, trial: Handle) -> None:
        """Write what the trial was charged; the estimate stands for one that did not live to say."""
        self._write(trial)

    def sign(self, trial: Handle) -> None:
        """Say now and then, on a shared storage, that a paused trial is in good hands."""
        now = time.monotonic()
        if self.store.shared and now - self.written.get(trial.number, 0.0) >= SIGN_SECONDS:
            self.written[trial.number] = now
            trial.keep(SEEN_AT, time.time())

    def _write(self, trial: Handle) -> None:
        trial.keep(CHARGED, round(self.mine.get(trial.number, 0.0), 6))
        if self.store.shared:
            trial.keep(SEEN_AT, time.time())
