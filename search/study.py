"""A study: read from its file, run or gone on with, and what came of it."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from search.config import changes
from search.config.study import StudyFile, parse_study, read_study
from search.errors import StudyError
from search.objective import learnt
from search.proposals import warm_start
from search.proposals.ask import Answers, Asking, Genomes
from search.proposals.history import Past
from search.proposals.screening import Sieve
from search.results.export import export
from search.results.ranking import front
from search.run import launch
from search.run.budget import Purse
from search.run.coordinator import Coordinator
from search.run.ownership import SILENT_SECONDS, owner
from search.run.progress import Progress, Silent
from search.run.recovery import recover, recover_seeds
from search.run.retraining import Retraining
from search.run.stop import Wish, stop_signals
from search.samplers import OURS, proposer, sampler
from search.samplers.random_search import Even
from search.storage.record import Record
from search.storage.store import DATA_ATTR, TEXT_ATTR, Store, claim, coordinate
from search.workers.messages import Setup
from search.workers.pool import crew, prepare
from search.workers.slots import places

if TYPE_CHECKING:
    from genome import Genome
    from search.space.space import Space
    from trainer import Data

ROOMY_BYTES = 2**30  # a heap that keeps what is freed has gaps; under a narrow limit a trial may want them


@dataclass(frozen=True)
class Result:
    """What a study has come to. `stop` says why this run ended; `best` is the Pareto front, or the best trial.

    `exported` is the folder of the best network, None where there is none yet.
    """

    name: str
    folder: Path
    stop: str
    is_interrupted: bool
    records: tuple[Record, ...]
    best: tuple[Record, ...]
    spent_seconds: float
    exported: Path | None


@dataclass(frozen=True)
class Study:
    """A study that can be run. `runs` is the folder that keeps studies, each in a folder of its name."""

    file: StudyFile
    runs: Path

    @classmethod
    def load(cls, path: Path | str, runs: Path | str = "runs", data_root: str | None = None) -> Study:
        """Read a study file. Raises StudyError or genome.SourceError with `file:line` for each mistake."""
        return cls(read_study(path, data_root), Path(runs))

    def run(self, progress: Progress | None = None, best_of: str | None = None) -> Result:
        """Run the study, or go on where it stopped, until its budget is spent.

        The genomes under its `start:` come first, then the best of the study `best_of`, or its one trial of
        STUDY#TRIAL. The first Ctrl-C or SIGTERM ends it in good order, and
        so does a stop that is asked for in its storage. Raises StudyError where it cannot run:
        held by another coordinator, changed under way, other data, known genomes that do not fit the space;
        trainer.DataError where its data is missing.
        """
        shown = progress or Silent()
        directions = [objective.direction for objective in self.file.objectives]
        began = time.time()
        with (
            shown,
            stop_signals() as by_signal,
            claim(self.file.name, self.runs, self.file.storage) as claimed,
        ):
            prepare(self.file.data.modules())  # the children's imports go on beside ours
            first = _first(self.file, self.runs, best_of)
            data = _data(self.file)
            identity = {TEXT_ATTR: self.file.text(), DATA_ATTR: data.digest()}
            store = coordinate(claimed, directions, identity)
            with closing(store), _storage_errors(store):
                _check_same(store, self.file, data)
                warm_start.keep(store, first)
                launch.keep(store, self.file)
                stop_asked = Wish(store, by_signal, began)
                stop = _train(self.file, store, _bytes(data), shown, stop_asked)
                return _result(self.file, store, data, stop, stop_asked())


@contextmanager
def _storage_errors(store: Store) -> Iterator[None]:
    """Turn a storage that fails under way, such as on a full disk, into a sentence."""
    import sqlalchemy.exc
    from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError

    try:
        yield
    except UpdateFinishedTrialError:
        raise StudyError(
            f"another run of study {store.name} took up a trial of this one, which had given no sign of life for "
            f"{SILENT_SECONDS:.0f} s; run again"
        ) from None
    except (StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
        cause = str(error.__cause__ or error).splitlines()[0]
        raise StudyError(
            f"the storage of study {store.name} failed ({cause}); what was finished is kept: mend it and run again"
        ) from error


def _first(file: StudyFile, runs: Path, best_of: str | None) -> dict[str, Genome]:
    """The genomes to begin with that are new to the study. An error among them leaves no study behind."""
    if not file.start and best_of is None:
        return {}
    kept = warm_start.kept(file.name, runs, file.storage)
    given = warm_start.begun_with(file, runs, kept)
    return {**given, **(warm_start.best_of(best_of, file, runs) if best_of else {})}


def _data(file: StudyFile) -> Data:
    data = file.data.load()
    if (data.input, len(data.classes)) != file.data.shape():
        shape, classes = file.data.shape()
        raise StudyError(
            f"{data.name} has images {data.input} of {len(data.classes)} classes where {shape} of {classes} "
            "are expected; its files are not those of this data set"
        )
    return data


def _check_same(store: Store, file: StudyFile, data: Data) -> None:
    """Refuse to go on with a study that has become another one; keep its text where it only grew."""
    attrs = store.study.user_attrs
    changes.check_same(parse_study(attrs[TEXT_ATTR], f"{file.name} as begun", file.data.root), file)
    if attrs[DATA_ATTR] != data.digest():
        raise StudyError(
            f"the images of {data.name} are not those that study {file.name} began with; "
            "put the data back, or give the study another name"
        )
    if attrs[TEXT_ATTR] != file.text():
        store.study.set_user_attr(TEXT_ATTR, file.text())


def _train(
    file: StudyFile, store: Store, images_bytes: int, progress: Progress, stop_asked: Callable[[], bool]
) -> str:
    """Recover what an earlier run left, then coordinate; return the reason to stop."""
    recovered = recover(store, file)
    recover_seeds(store)
    slots = places(file.device, file.workers, images_bytes, file.budget.memory)
    space, past = file.space(), Past(file.objectives, file.recipe.epochs)
    warm_start.enqueue(store, space)
    asking = _asking(file, space, store, past)
    sieve = _sieve(file, asking)
    purse = Purse(store, file.budget.device_time, slots.devices, _kept_seconds(file, store))
    purse.refresh()
    progress.opened(file, store, recovered, purse.spent_seconds(), slots)
    last = Retraining(file, store, purse, progress, stop_asked)
    coordinator = Coordinator(file, store, purse, progress, stop_asked, past, asking, sieve, last.spares)
    try:
        coordinator.adopt(recovered.paused)
        reason = coordinator.over()
        if reason is not None and (stop_asked() or not last.is_due()):
            return last.ending(reason)
        with crew([_setup(file, place) for place in slots.devices]) as hands:
            reason = reason or coordinator.run(hands)
            last.run(hands)
        return last.ending(reason)
    finally:
        coordinator.give_up()


def _kept_seconds(file: StudyFile, store: Store) -> float:
    """Return what of the budget is still kept for the finale."""
    if file.finale is None or file.budget.device_time is None:
        return 0.0
    spent = sum(record.finale.seconds for record in store.records() if record.finale)
    return max(file.finale.share * file.budget.device_time - spent, 0.0)


def _asking(file: StudyFile, space: Space, store: Store, past: Past) -> Asking:
    """Who is asked for networks. Coordinators that begin together on one storage must not draw the same."""
    apart = zlib.crc32(owner().encode()) if store.shared else 0
    if file.sampler in OURS:
        return Genomes(
            store, space, proposer(file.sampler, space, file.seed + apart, len(file.objectives)), past
        )
    store.study.sampler = sampler(file.sampler, file.seed, len(store.records()) + apart)
    return Answers(store, space, file.asks_all, past, Even(space, file.seed + apart))


def _sieve(file: StudyFile, asking: Asking) -> Sieve | None:
    """Who screens candidates, in a study that wants it."""
    if file.screen is None or not isinstance(asking, Genomes):
        return None
    return Sieve(file.screen, learnt(file.objectives), asking.past, asking.propose, asking.gains)


def _bytes(data: Data) -> int:
    return sum(split.x.nbytes + split.y.nbytes for split in (data.train, data.valid, data.test))


def _setup(file: StudyFile, place: str) -> Setup:
    data = file.data
    memory = file.budget.memory
    roomy = memory is None or memory >= ROOMY_BYTES
    return Setup(data.name, data.root, data.size, data.mirror, place, threads=1, keeps_pages=roomy)


def _result(file: StudyFile, store: Store, data: Data, stop: str, is_interrupted: bool) -> Result:
    records = store.records()
    best = front(records, file.objectives)
    exported = None
    if best and not is_interrupted:
        try:
            exported = export(store, file, best[0], store.folder / "best", data)
        except StudyError as error:  # its weights are on another machine; the study is none the worse
            stop = f"{stop}; {error}"
    spent = sum(record.seconds for record in records)
    return Result(file.name, store.folder, stop, is_interrupted, tuple(records), tuple(best), spent, exported)
