"""The progress of a search on a terminal: lines that stay, and a live display below them."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from search import formatting
from search.cli.tally import Tally, opening, training_name
from search.storage.record import Record

if TYPE_CHECKING:
    from rich.live import Live

    from search.config.study import StudyConfig
    from search.run.recovery import Recovered
    from search.storage.seed_results import SeedResult
    from search.storage.study import Store
    from search.workers.slots import WorkerDevices


class Rich:
    """Prints a line for each finished trial, and shows the active trials, the best trial and the budget below."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._active: dict[int | tuple[int, int], str] = {}
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
        self, config: StudyConfig, store: Store, recovered: Recovered, spent: float, workers: WorkerDevices
    ) -> None:
        self._tally.config, self._devices = config, len(set(workers.devices))
        for record in store.records():
            self._tally.see(record)
        self._say(opening(config, store, recovered, spent, workers))

    def began(self, number: int, params: int, macs: int) -> None:
        self._active[number] = f"trial {number}  params {params:,}  macs {formatting.short(macs)}"

    def epoch(self, number: int, row: Mapping[str, Any], epochs: int) -> None:
        start = self._active.get(number, f"trial {number}").partition("  epoch")[0]
        self._active[number] = f"{start}{_epoch(row, epochs)}"

    def paused(self, number: int) -> None:
        self._active.pop(number, None)

    def ended(self, record: Record, spent: float) -> None:
        self._active.pop(record.number, None)
        if self._tally.add(record):
            self._say(self._tally.line(record, spent))

    def tick(self, spent: float) -> None:
        from rich.text import Text

        best = self._tally.best
        lines = [f"  {line}" for line in self._active.values()]
        lines.append(f"best  {self._tally.trial(best)}" if best else "best  none yet")
        lines.append(f"spent {self._tally.spending(spent)}{self._time_left(spent)}")
        if self._tally.duplicates:
            lines.append(formatting.duplicates(self._tally.duplicates))
        if self._live is not None:
            self._live.update(Text("\n".join(lines)))

    def said(self, line: str) -> None:
        self._say(line)

    def seed_began(self, number: int, seed: int) -> None:
        self._active[number, seed] = training_name(number, seed)

    def seed_epoch(self, number: int, seed: int, row: Mapping[str, Any], epochs: int) -> None:
        self._active[number, seed] = f"{training_name(number, seed)}{_epoch(row, epochs)}"

    def seed_ended(self, number: int, seed: int, one: SeedResult, spent: float) -> None:
        self._active.pop((number, seed), None)
        self._say(self._tally.seed_line(number, seed, one, spent))

    def _time_left(self, spent: float) -> str:
        budget = self._tally.config.budget.device_time if self._tally.config else None
        left = max(budget - spent, 0.0) / self._devices if budget else None
        return f", about {formatting.seconds(left)} left" if left is not None else ""

    def _say(self, line: str) -> None:
        from rich.text import Text

        if self._live is not None:
            self._live.console.print(
                Text(line), soft_wrap=True
            )  # as text: a name may hold what rich reads as markup


def _epoch(row: Mapping[str, Any], epochs: int) -> str:
    return f"  epoch {row['epoch']}/{epochs}  acc {row['valid_accuracy']:.4f}"
