"""Progress: the events of a run, which the command shows to the user."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from search.storage.record import Record

if TYPE_CHECKING:
    from search.config.study import StudyConfig
    from search.run.recovery import Recovered
    from search.storage.seed_results import SeedResult
    from search.storage.study import Store
    from search.workers.slots import WorkerDevices


class Progress(Protocol):
    """Receives the events of a run. It is a context, entered before the first event and left after the last."""

    def __enter__(self) -> object: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def opened(
        self, config: StudyConfig, store: Store, recovered: Recovered, spent: float, workers: WorkerDevices
    ) -> None: ...
    def began(self, number: int, params: int, macs: int) -> None: ...
    def epoch(self, number: int, row: Mapping[str, Any], epochs: int) -> None: ...
    def paused(self, number: int) -> None: ...
    def ended(self, record: Record, spent: float) -> None: ...
    def tick(self, spent: float) -> None: ...
    def said(self, line: str) -> None: ...
    def seed_began(self, number: int, seed: int) -> None: ...
    def seed_epoch(self, number: int, seed: int, row: Mapping[str, Any], epochs: int) -> None: ...
    def seed_ended(self, number: int, seed: int, one: SeedResult, spent: float) -> None: ...


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def opened(
        self, config: StudyConfig, store: Store, recovered: Recovered, spent: float, workers: WorkerDevices
    ) -> None:
        pass

    def began(self, number: int, params: int, macs: int) -> None:
        pass

    def epoch(self, number: int, row: Mapping[str, Any], epochs: int) -> None:
        pass

    def paused(self, number: int) -> None:
        pass

    def ended(self, record: Record, spent: float) -> None:
        pass

    def tick(self, spent: float) -> None:
        pass

    def said(self, line: str) -> None:
        pass

    def seed_began(self, number: int, seed: int) -> None:
        pass

    def seed_epoch(self, number: int, seed: int, row: Mapping[str, Any], epochs: int) -> None:
        pass

    def seed_ended(self, number: int, seed: int, one: SeedResult, spent: float) -> None:
        pass
