"""The progress of a search as plain lines, for logs and pipes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from search.cli.tally import Tally, opening
from search.storage.record import Record

if TYPE_CHECKING:
    from search.config.study import StudyConfig
    from search.run.recovery import Recovered
    from search.storage.seed_results import SeedResult
    from search.storage.study import Store
    from search.workers.slots import WorkerDevices


class Plain:
    """Prints one line for each trained trial."""

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
        self, config: StudyConfig, store: Store, recovered: Recovered, spent: float, workers: WorkerDevices
    ) -> None:
        self._tally.config = config
        self._say(opening(config, store, recovered, spent, workers))

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

    def seed_ended(self, number: int, seed: int, one: SeedResult, spent: float) -> None:
        self._say(self._tally.seed_line(number, seed, one, spent))

    def _say(self, line: str) -> None:
        print(line, file=self._out, flush=True)
