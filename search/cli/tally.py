"""The numbers and lines of a search in progress, which the plain and the live display share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from search import formatting
from search.proposals.warm_start import ref_of
from search.results.ranking import front
from search.storage.record import Record
from trainer.system.memory import limits_growth

if TYPE_CHECKING:
    from search.config.study import StudyConfig
    from search.run.recovery import Recovered
    from search.storage.seed_results import SeedResult
    from search.storage.study import Store
    from search.workers.slots import WorkerDevices


@dataclass
class Tally:
    """The numbers of a search in progress."""

    config: StudyConfig | None = None
    best: Record | None = None
    unreported: dict[str, int] = field(default_factory=dict)  # refused and reused trials since the last line
    duplicates: int = 0  # trials whose result was reused

    def add(self, record: Record) -> bool:
        """Count a trial that ended. Return whether it gets a line of its own: whether it was trained."""
        self.see(record)
        word = "reused" if record.reused is not None else record.outcome
        if word in ("refused", "reused"):
            self.unreported[word] = self.unreported.get(word, 0) + 1
            return False
        return True

    def line(self, record: Record, spent: float) -> str:
        """Return the line of a trained trial."""
        between = ", ".join(f"{count} {word}" for word, count in self.unreported.items())
        self.unreported.clear()
        tail = f"[spent {self.spending(spent)}]" + (f"  ({between} before it)" if between else "")
        return f"{trial_text(record)}  {formatting.seconds(record.seconds)}  {tail}"

    def seed_line(self, number: int, seed: int, one: SeedResult, spent: float) -> str:
        """Return the line of one training of the finale."""
        result = (
            f"acc {one.accuracy:.4f}  loss {one.loss:.4f}" if one.is_measured else f"failed ({one.reason})"
        )
        seconds = formatting.seconds(one.seconds)
        return f"{training_name(number, seed)}  {result}  {seconds}  [spent {self.spending(spent)}]"

    def spending(self, spent: float) -> str:
        budget = self.config.budget.device_time if self.config else None
        return formatting.seconds(spent) + (f" / {formatting.seconds(budget)}" if budget else "")

    def see(self, record: Record) -> None:
        """Count a trial that is a duplicate, and remember the trial if it is the best so far."""
        self.duplicates += record.reused is not None
        known = [self.best] if self.best else []
        if self.config is not None:
            self.best = next(iter(front([*known, record], self.config.objectives)), None)


def training_name(number: int, seed: int) -> str:
    """Return the name of one training of the finale."""
    return f"trial {number}, seed {seed}"


def trial_text(record: Record) -> str:
    """Return a trial in one line: its number, results and size, and its outcome unless it is `done`."""
    accuracy, loss = record.metrics.get("accuracy"), record.metrics.get("loss")
    parts = [f"trial {record.number}" + (f" (reference {record.reference})" if record.reference else "")]
    if accuracy is not None:
        parts.append(f"acc {accuracy:.4f}")
    if loss is not None:
        parts.append(f"loss {loss:.4f}")
    if record.params is not None and record.macs is not None:
        parts += [f"params {record.params:,}", f"macs {formatting.short(record.macs)}"]
    if record.outcome != "done":
        parts.append(record.outcome + (f" ({record.reason})" if record.outcome == "failed" else ""))
    return "  ".join(parts)


def opening(
    config: StudyConfig, store: Store, recovered: Recovered, spent: float, workers: WorkerDevices
) -> str:
    """Return the first lines: the study, its devices, and the trials of an earlier run."""
    devices = workers.devices
    kinds = ", ".join(f"{devices.count(device)} x {device}" for device in dict.fromkeys(devices))
    lines = [
        f"study {config.name} in {store.folder}: {config.sampler} on {config.data.name}, {kinds} ({workers.why})"
    ]
    count = sum(record.is_counted for record in store.records())
    if count:
        lines.append(
            f"resuming after {formatting.some(count, 'trial')} and {formatting.seconds(spent)} of device time"
        )
    first = [ref for record in store.records() if record.outcome == "waiting" and (ref := ref_of(record))]
    if first:
        lines.append(f"starting with {', '.join(first)}")
    if recovered.again:
        lines.append(f"{len(recovered.again)} interrupted trial(s) are repeated first")
    if recovered.paused:
        lines.append(f"{len(recovered.paused)} paused trial(s) wait at their rungs")
    if config.budget.memory is not None and "cpu" in devices and not limits_growth():
        lines.append(
            "budget.memory refuses networks by their predicted memory; this system limits no training"
        )
    return "\n".join(lines)
