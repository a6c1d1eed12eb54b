"""What a person sees while a study runs: live lines on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from search import formatting
from search.proposals.warm_start import ref_of
from search.results.ranking import front
from search.storage.record import Record

if TYPE_CHECKING:
    from rich.live import Live

    from search.config.study import StudyConfig
    from search.run.recovery import Recovered
    from search.storage.seed_results import OneSeed
    from search.storage.store import Store
    from search.workers.slots import Places


@dataclass
class Tally:
    """The numbers behind both ways of showing progress."""

    file: StudyConfig | None = None
    best: Record | None = None
    unsaid: dict[str, int] = field(default_factory=dict)  # refused and reused since the last line
    met_again: int = 0  # trials whose network had been trained before

    def add(self, record: Record) -> bool:
        """Take in a trial that ended. Whether it deserves a line: it was trained."""
        self.see(record)
        word = "reused" if record.reused is not None else record.outcome
        if word in ("refused", "reused"):
            self.unsaid[word] = self.unsaid.get(word, 0) + 1
            return False
        return True

    def line(self, record: Record, spent: float) -> str:
        """Return the line of a trained trial."""
        between = ", ".join(f"{count} {word}" for word, count in self.unsaid.items())
        self.unsaid.clear()
        tail = f"[spent {self.spending(spent)}]" + (f"  ({between} before it)" if between else "")
        return f"{described(record)}  {formatting.seconds(record.seconds)}  {tail}"

    def seed_line(self, number: int, seed: int, one: OneSeed, spent: float) -> str:
        """Return the line of a training of the finale."""
        said = f"acc {one.accuracy:.4f}  loss {one.loss:.4f}" if one.is_measured else f"failed ({one.reason})"
        return f"{named(number, seed)}  {said}  {formatting.seconds(one.seconds)}  [spent {self.spending(spent)}]"

    def spending(self, spent: float) -> str:
        budget = self.file.budget.device_time if self.file else None
        return formatting.seconds(spent) + (f" / {formatting.seconds(budget)}" if budget else "")

    def see(self, record: Record) -> None:
        """Count the trial where its network was met before, and keep it where it is the best so far."""
        self.met_again += record.reused is not None
        known = [self.best] if self.best else []
        if self.file is not None:
            self.best = next(iter(front([*known, record], self.file.objectives)), None)


def named(number: int, seed: int) -> str:
    """Return what a training of the finale is called."""
    return f"trial {number}, seed {seed}"


def described(record: Record) -> str:
    """Return a trial in one line: number, what it reached, size, and how it ended if not well."""
    accuracy, loss = record.metrics.get("accuracy"), record.metrics.get("loss")
    parts = [f"trial {record.number}"]
    if accuracy is not None:
        parts.append(f"acc {accuracy:.4f}")
    if loss is not None:
        parts.append(f"loss {loss:.4f}")
    if record.params is not None and record.macs is not None:
        parts += [f"params {record.params:,}", f"macs {formatting.short(record.macs)}"]
    if record.outcome != "done":
        parts.append(record.outcome + (f" ({record.reason})" if record.outcome == "failed" else ""))
    return "  ".join(parts)


def opening(file: StudyConfig, store: Store, recovered: Recovered, spent: float, places: Places) -> str:
    """Return the first lines: what is run, where, and what was found of an earlier run."""
    devices = places.devices
    kinds = ", ".join(f"{devices.count(device)} x {device}" for device in dict.fromkeys(devices))
    said = [
        f"study {file.name} in {store.folder}: {file.sampler} on {file.data.name}, {kinds} ({places.why})"
    ]
    count = sum(record.is_counted for record in store.records())
    if count:
        said.append(f"going on after {count} trials and {formatting.seconds(spent)} on the device")
    first = [ref for record in store.records() if record.outcome == "waiting" and (ref := ref_of(record))]
    if first:
        said.append(f"begins with {', '.join(first)}")
    if recovered.again:
        said.append(f"{len(recovered.again)} interrupted trial(s) come first")
    if recovered.paused:
        said.append(f"{len(recovered.paused)} paused trial(s) wait at their rungs")
    return "\n".join(said)


class Plain:
    """One line for each trained trial, for logs and pipes."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._tally = Tally()

    def __enter__(self) -> Plain:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def opened(
        self, file: StudyConfig, store: Store, recovered: Recovered, spent: float, places: Places
    ) -> None:
        self._tally.file = file
        self._say(opening(file, store, recovered, spent, places))

    def began(self, number: int, params: int, macs: int) -> None:
        pass

    def epoch(self, number: int, row: Mapping[str, Any], epochs: int) -> None:
        pass

    def paused(self, number: int) -> None:
        pass

    def ended(self, record: Record, spent: float) -> None:
        if self._tally.add(record):
            self._say(self._tally.line(record, spent))

    def tick(self, spent: float) -> None:
        pass

    def said(self, line: str) -> None:
        self._say(line)

    def seed_began(self, number: int, seed: int) -> None:
        pass

    def seed_epoch(self, number: int, seed: int, row: Mapping[str, Any], epochs: int) -> None:
        pass

    def seed_ended(self, number: int, seed: int, one: OneSeed, spent: float) -> None:
        self._say(self._tally.seed_line(number, seed, one, spent))

    def _say(self, line: str) -> None:
        print(line, file=self._out, flush=True)


class Rich:
    """Lines that stay for finished trials; below them, live: the trials in hand, the best, the purse."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._hand: dict[int | tuple[int, int], str] = {}
        self._live: Live | None = None
        self._devices = 1

    def __enter__(self) -> Rich:
        from rich.live import Live

        self._live = Live(refresh_per_second=4, transient=True)
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def opened(
        self, file: StudyConfig, store: Store, recovered: Recovered, spent: float, places: Places
    ) -> None:
        self._tally.file, self._devices = file, len(set(places.devices))
        for record in store.records():
            self._tally.see(record)
        self._say(opening(file, store, recovered, spent, places))

    def began(self, number: int, params: int, macs: int) -> None:
        self._hand[number] = f"trial {number}  params {params:,}  macs {formatting.short(macs)}"

    def epoch(self, number: int, row: Mapping[str, Any], epochs: int) -> None:
        begun = self._hand.get(number, f"trial {number}").partition("  epoch")[0]
        self._hand[number] = f"{begun}{_far(row, epochs)}"

    def paused(self, number: int) -> None:
        self._hand.pop(number, None)

    def ended(self, record: Record, spent: float) -> None:
        self._hand.pop(record.number, None)
        if self._tally.add(record):
            self._say(self._tally.line(record, spent))

    def tick(self, spent: float) -> None:
        from rich.text import Text

        best = self._tally.best
        lines = [f"  {line}" for line in self._hand.values()]
        lines.append(f"best  {described(best)}" if best else "best  none yet")
        lines.append(f"spent {self._tally.spending(spent)}{self._time_left(spent)}")
        if self._tally.met_again:
            lines.append(formatting.met_again(self._tally.met_again))
        if self._live is not None:
            self._live.update(Text("\n".join(lines)))

    def said(self, line: str) -> None:
        self._say(line)

    def seed_began(self, number: int, seed: int) -> None:
        self._hand[number, seed] = named(number, seed)

    def seed_epoch(self, number: int, seed: int, row: Mapping[str, Any], epochs: int) -> None:
        self._hand[number, seed] = f"{named(number, seed)}{_far(row, epochs)}"

    def seed_ended(self, number: int, seed: int, one: OneSeed, spent: float) -> None:
        self._hand.pop((number, seed), None)
        self._say(self._tally.seed_line(number, seed, one, spent))

    def _time_left(self, spent: float) -> str:
        budget = self._tally.file.budget.device_time if self._tally.file else None
        left = max(budget - spent, 0.0) / self._devices if budget else None
        return f", about {formatting.seconds(left)} left" if left is not None else ""

    def _say(self, line: str) -> None:
        from rich.text import Text

        if self._live is not None:
            self._live.console.print(
                Text(line), soft_wrap=True
            )  # as text: a name may hold what rich reads as markup


def _far(row: Mapping[str, Any], epochs: int) -> str:
    return f"  epoch {row['epoch']}/{epochs}  acc {row['valid_accuracy']:.4f}"
