"""The numbers and lines of a search in progress, which the plain and the live display share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from search import formatting
from search.objective import learnt
from search.proposals.warm_start import ref_of
from search.results.ranking import front
from search.storage.record import Record, shown
from trainer.system.memory import limits_growth

if TYPE_CHECKING:
    from search.config.study import StudyConfig
    from search.run.recovery import Recovered
    from search.storage.seed_results import SeedResult
    from search.storage.study import Store
    from search.workers.slots import WorkerDevices

SCORES = {"accuracy": "acc", "loss": "loss"}  # of every trial, by the word for it


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
        return f"{self.trial(record)}  {formatting.seconds(record.seconds)}  {tail}"

    def seed_line(self, number: int, seed: int, one: SeedResult, spent: float) -> str:
        """Return the line of one training of the finale."""
        result = (
            "  ".join(scores_text(one._asdict(), self.goal)) if one.is_measured else f"failed ({one.reason})"
        )
        seconds = formatting.seconds(one.seconds)
        return f"{training_name(number, seed)}  {result}  {seconds}  [spent {self.spending(spent)}]"

    @property
    def goal(self) -> str:
        """The objective that is learnt."""
        return learnt(self.config.objectives).name if self.config else "accuracy"

    def trial(self, record: Record) -> str:
        """Return a trial in one line: its number, results and size, and its outcome unless it is `done`."""
        parts = [f"trial {record.number}" + (f" (reference {record.reference})" if record.reference else "")]
        parts += scores_text(record.metrics, self.goal)
        if record.params is not None and record.macs is not None:
            parts += [f"params {record.params:,}", f"macs {formatting.short(record.macs)}"]
        parts += [f"{name} {shown(record, name)}" for name in self._other_objectives(record)]
        if record.outcome != "done":
            parts.append(record.outcome + (f" ({record.reason})" if record.outcome == "failed" else ""))
        return "  ".join(parts)

    def _other_objectives(self, record: Record) -> list[str]:
        """The objectives of the study that the line of every trial lacks, as far as the trial has them."""
        usual = {*SCORES, self.goal, "params", "macs"}
        objectives = self.config.objectives if self.config else ()
        return [one.name for one in objectives if one.name not in usual and one.name in record.metrics]

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


def scores_text(scores: Mapping[str, float | None], goal: str) -> list[str]:
    """Return the goal, accuracy and loss, as far as they are known."""
    words = {goal: goal} | SCORES
    known = {word: scores.get(name) for name, word in words.items()}
    return [f"{word} {value:.4f}" for word, value in known.items() if value is not None]


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
