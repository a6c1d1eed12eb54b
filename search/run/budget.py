"""The budget of a study in device seconds: what was charged to each trial and seed, each once.

A second on a slot is a second of the clock on a GPU, and a processor second on the CPU, which neighbours on a busy
machine do not make dearer. A slot that shares its device with others costs its share: of two slots on two cores each
second costs half a device second, so that a budget of three minutes takes about three minutes on an idle machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from search.storage.charge_file import write_charge
from search.storage.record import Record
from search.storage.study import Store
from trainer.system.cpu import usable_cores

STORE_SECONDS = 1.0  # from one writing of a charge into the database to the next; readers see charges so late
SMALLEST_SHARE = 0.01  # of the budget: with less than that left, no trial is started

Key: TypeAlias = tuple[int, int | None]  # a trial, and in the finale one seed of it


class Charged(Protocol):
    """A running training, which is charged."""

    @property
    def key(self) -> Key: ...

    @property
    def folder(self) -> Path:
        """The folder of its charge file."""
        ...

    def store_charge(self, seconds: float) -> None:
        """Store its charged device seconds in the database."""
        ...


@dataclass
class Budget:
    """The charges of a study, as one coordinator knows them."""

    store: Store
    total_seconds: float | None  # None: there is no limit
    devices: Sequence[str]  # of each slot
    reserved_seconds: float = 0.0  # for the finale; a trial that started before may use them up
    other_devices: float = 0.0  # that other coordinators keep busy
    others_seconds: float = 0.0  # charged to keys that are not in `charged`
    others: dict[Key, float] = field(default_factory=dict)  # what `others_seconds` is the sum of
    charged: dict[Key, float] = field(default_factory=dict)  # by this coordinator, all jobs of a key together
    stored_at: dict[Key, float] = field(default_factory=dict)  # time.monotonic() of the last writing
    cores: int = field(default_factory=usable_cores)  # of the CPU

    # --- charging

    def charge(self, key: Key, seconds: float) -> None:
        """Set the device seconds that a trial or a seed has been charged; the value before is replaced."""
        self.others_seconds -= self.others.pop(key, 0.0)  # from now on this coordinator accounts for the key
        self.charged[key] = round(seconds, 6)

    def start(self, training: Charged, paid_seconds: float) -> None:
        """Begin to charge a training, which has been charged `paid_seconds` before."""
        self.charge(training.key, paid_seconds)
        write_charge(training.folder, paid_seconds)

    def meter(self, training: Charged, seconds: float) -> None:
        """Charge a running training by the clock: never less than before, and on disk within a turn."""
        self.charge(training.key, max(seconds, self.charged.get(training.key, 0.0)))
        write_charge(training.folder, self.charged[training.key])
        now = time.monotonic()
        if now - self.stored_at.get(training.key, 0.0) >= STORE_SECONDS:
            self.stored_at[training.key] = now
            training.store_charge(self.charged[training.key])

    def refresh(self) -> None:
        """Read the charges of other keys: once for an embedded study, repeatedly for a shared one."""
        charges = (charge for record in self.store.records() for charge in _charges(record))
        self.others = {key: seconds for key, seconds in charges if key not in self.charged}
        self.others_seconds = sum(self.others.values())

    # --- what is left

    def spent_seconds(self) -> float:
        return self.others_seconds + sum(self.charged.values())

    def left_seconds(self) -> float | None:
        """Return the device seconds that are left, None where there is no limit."""
        return None if self.total_seconds is None else self.total_seconds - self.spent_seconds()

    def is_empty(self) -> bool:
        left = self.left_seconds()
        smallest = SMALLEST_SHARE * (self.total_seconds or 0.0)
        return left is not None and left - self.reserved_seconds < smallest

    def why_empty(self) -> str:
        if self.reserved_seconds:
            return "the search has spent its share of the budget"
        return "the budget is spent"

    def trial_seconds(self) -> float | None:
        """Return the seconds on its slot of a trial that starts now, while all other slots are busy."""
        left = self.left_seconds()
        return None if left is None else max(left, 0.0) / self._spending_devices()

    def search_seconds(self) -> float | None:
        """Return the same without the seconds that are reserved for the finale."""
        left = self.left_seconds()
        return None if left is None else max(left - self.reserved_seconds, 0.0) / self._spending_devices()

    def share(self, device: str) -> float:
        """Return the device seconds that one second on a slot of this device costs.

        Of more slots than cores, each has a processor for a part of the time only.
        """
        slots = self.devices.count(device)
        return 1.0 / (min(slots, self.cores) if device == "cpu" else slots)

    def _spending_devices(self) -> float:
        """Return the device seconds that all slots together are charged while one has one second on its slot."""
        return sum(map(self.share, self.devices)) + self.other_devices


def _charges(record: Record) -> Iterator[tuple[Key, float]]:
    """Yield the charges of a stored trial and each of its seeds."""
    yield (record.number, None), record.search_seconds
    for seed, result in record.finale.seeds.items() if record.finale else ():
        yield (record.number, seed), result.seconds
