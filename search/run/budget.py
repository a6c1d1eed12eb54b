"""The budget of a study in device seconds: what was charged to each trial and seed, each once.

A second on a slot is a second of the clock on a GPU, and a processor second on the CPU, which neighbours on a busy
machine do not make dearer. A slot that shares its device with others costs its share: of two slots on two cores each
second costs half a device second, so that a budget of three minutes takes about three minutes on an idle machine.

Every charge is a row of the study's ledger (`search.storage.ledger`), which all coordinators write and read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from search.run.ownership import owner
from search.storage.ledger import EARLIER, SCREENING, Entry, Key, new_id
from search.storage.record import Record
from search.storage.study import Store
from trainer.system.cpu import usable_cores

STORE_SECONDS = 0.2  # from one metering of the ledger to the next: a kill loses no more
SMALLEST_SHARE = 0.01  # of the budget: with less than that left, no trial is started
REACTION_SECONDS = 0.4  # on a slot, from an empty purse until the trainings stop
TOLERATED_SHARE = 0.004  # of the budget, by which trainings that end by themselves may exceed it


class Charged(Protocol):
    """A running training, which is charged."""

    @property
    def key(self) -> Key: ...

    @property
    def phase(self) -> str:
        """The phase of the study to which it belongs."""
        ...


class Training(NamedTuple):
    """A running training and its row of the ledger."""

    id: str
    paid_seconds: float  # charged to its key before
    limit: float | None  # device seconds that its worker may take
    share: float


@dataclass
class Budget:
    """The charges of a study, as one coordinator knows them."""

    store: Store
    total_seconds: float | None  # None: there is no limit
    devices: Sequence[str]  # of each slot
    reserved_seconds: float = 0.0  # for the finale; a trial that started before may use them up
    other_devices: float = 0.0  # that other coordinators keep busy
    others_seconds: float = 0.0  # charged to keys that are not in `charged`
    others: dict[Key, float] = field(default_factory=dict)  # what `others_seconds` was the sum of
    charged: dict[Key, float] = field(default_factory=dict)  # by this coordinator, all jobs of a key together
    running: dict[Key, Training] = field(default_factory=dict)
    earlier_seconds: float = 0.0  # charged by earlier versions, which had no ledger
    other_shares: float = 0.0  # of the trainings of other coordinators at the last metering
    stored_at: float = 0.0  # time.monotonic() of the last metering
    cores: int = field(default_factory=usable_cores)  # of the CPU

    # --- charging

    def charge(self, key: Key, seconds: float) -> None:
        """Set the device seconds that a trial or a seed has been charged; the value before is replaced."""
        self.others_seconds -= self.others.pop(key, 0.0)  # from now on this coordinator accounts for the key
        self.charged[key] = round(seconds, 6)

    def charge_screening(self, number: int, seconds: float) -> None:
        """Charge a trial for the proxies that were measured before it began."""
        self.charge((number, None), seconds)
        made = Entry(
            new_id(), number, None, SCREENING, owner(), self.devices[0], seconds=round(seconds, 6), is_open=0
        )
        self.store.ledger.add([made])

    def start(self, training: Charged, paid_seconds: float, device: str, seconds: float | None) -> None:
        """Reserve the seconds on its slot that a training may take, which has been charged `paid_seconds` before."""
        ledger, key, share = self.store.ledger, training.key, self.share(device)
        if paid_seconds:
            ledger.carry(key, paid_seconds, training.phase)
        self.charge(key, paid_seconds)
        begun = Training(new_id(), paid_seconds, None if seconds is None else seconds * share, share)
        self.running[key] = begun
        entry = Entry(begun.id, *key, training.phase, owner(), device, share)
        ledger.add([entry._replace(reserved=self._reserved(key))])

    def meter(self, training: Charged, seconds: float) -> None:
        """Charge a running training by the clock: never less than before."""
        self.charge(training.key, max(seconds, self.charged.get(training.key, 0.0)))

    def store_charges(self) -> None:
        """Store what was metered, all trainings in one transaction, and read what others spent meanwhile."""
        now = time.monotonic()
        if now - self.stored_at < STORE_SECONDS or not self.running:
            return
        self.stored_at = now
        rows = {
            one.id: (self.charged[key] - one.paid_seconds, self._reserved(key))
            for key, one in self.running.items()
        }
        spending = self.store.ledger.meter(rows, owner(), is_read=self.store.shared)
        if spending is not None:
            own = sum(self.charged.values())
            self.others_seconds = max(spending.seconds + self.earlier_seconds - own, 0.0)
            self.other_shares = spending.shares

    def settle(self, key: Key) -> None:
        """Settle the charge of a training that does not run any more."""
        if self.running.pop(key, None):
            self.store.ledger.settle({key: self.charged[key]})

    def refresh(self) -> None:
        """Read the charges of other keys: once for an embedded study, repeatedly for a shared one."""
        charges = dict(charge for record in self.store.records() for charge in _charges(record))
        sums = self.store.ledger.sums()
        unknown = sum(seconds for key, seconds in charges.items() if key not in sums.charges)
        self.earlier_seconds = unknown + sum(line.seconds for line in sums.lines if line.worker == EARLIER)
        self.others = {key: seconds for key, seconds in charges.items() if key not in self.charged}
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

    def is_overdrawn(self) -> bool:
        """Whether the trainings of all coordinators must stop now, so that they do not spend more than the budget.

        A training that began before another coordinator joined may take more than is left for it. Trainings that
        end by themselves in time are not stopped.
        """
        left, shares = self.left_seconds(), self._running_shares()
        if not self.store.shared or left is None or not self.running:
            return False
        own = sum(one.share for one in self.running.values())
        ahead = sum(self._ahead(key) for key in self.running)
        fair = (left + TOLERATED_SHARE * (self.total_seconds or 0.0)) * own / shares
        return left <= REACTION_SECONDS * shares and ahead > max(fair, 0.0)

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

    def _running_shares(self) -> float:
        return sum(one.share for one in self.running.values()) + self.other_shares

    def _ahead(self, key: Key) -> float:
        """Return the device seconds that a running training may still take by the limit of its worker."""
        training, left = self.running[key], self.left_seconds()
        if training.limit is None:
            return max(left or 0.0, 0.0)
        return max(training.limit - (self.charged[key] - training.paid_seconds), 0.0)

    def _reserved(self, key: Key) -> float:
        """Return the device seconds to reserve for a running training: its part of what is left, at most its limit."""
        left, ahead = self.left_seconds(), self._ahead(key)
        if left is None:
            return round(ahead, 6)
        part = max(left, 0.0) * self.running[key].share / self._running_shares()
        return round(min(ahead, part), 6)


def _charges(record: Record) -> Iterator[tuple[Key, float]]:
    """Yield the charges of a stored trial and each of its seeds."""
    yield (record.number, None), record.search_seconds
    for seed, result in record.finale.seeds.items() if record.finale else ():
        yield (record.number, seed), result.seconds
