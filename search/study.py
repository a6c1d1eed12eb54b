"""A study: loaded from its file, run or resumed, and its result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from search.config import changes
from search.config.read import parse_study, read_study
from search.config.study import StudyConfig
from search.errors import StudyError
from search.proposals import references, warm_start
from search.proposals.custom_sampler import check_sampler
from search.proposals.history import History
from search.results.export import export
from search.results.ranking import front
from search.results.refs import check_removed
from search.run import launch
from search.run.assembly import assembled
from search.run.budget import Budget
from search.run.context import Context
from search.run.finale import FinaleWork
from search.run.finale_plan import FinalePlan
from search.run.loop import Loop
from search.run.ownership import SILENT_SECONDS
from search.run.progress import Progress, Silent
from search.run.recovery import recover, recover_seeds
from search.run.retention import tidy
from search.run.stop import StopRequest, stop_signals
from search.samplers.base import Proposer
from search.storage.data_facts import FACTS_ATTR, DataFacts
from search.storage.record import Record
from search.storage.study import BEST, DATA_ATTR, TEXT_ATTR, Store, claim, open_to_run
from search.workers.local import prepare
from search.workers.messages import Setup
from search.workers.pool import worker_pool
from search.workers.slots import worker_devices
from trainer.data.tree import CACHE
from trainer.report import GOALS

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from search.space.point import Point
    from trainer import Data

# A heap that keeps freed memory has gaps. Under a memory limit below this, a trial may need the memory in the gaps.
ROOMY_BYTES = 2**30


@dataclass(frozen=True)
class Result:
    """The result of a study."""

    name: str
    folder: Path
    stop: str  # why this run ended
    is_interrupted: bool
    records: tuple[Record, ...]
    best: tuple[Record, ...]  # the Pareto front, or the best trial
    spent_seconds: float
    exported: Path | None  # folder of the best network; None where there is none yet


@dataclass(frozen=True)
class Study:
    """A study that can be run."""

    config: StudyConfig
    runs: Path = Path("runs")  # folder of studies, each in a folder of its name
    sampler: Proposer | BaseSampler | None = None  # in place of the one that the study file names

    def __post_init__(self) -> None:
        """Raise StudyError for a sampler that is neither a proposer nor a sampler of Optuna."""
        if self.sampler is not None:
            check_sampler(self.sampler)

    @classmethod
    def load(cls, path: Path | str, runs: Path | str = "runs", data_root: str | None = None) -> Study:
        """Read a study file. Raises StudyError or genome.SourceError with `file:line` for each mistake."""
        file = read_study(path, data_root, is_begun=True, cache=_cache(Path(runs)))
        check_removed(file, Path(runs))
        return cls(file, Path(runs))

    def run(self, progress: Progress | None = None, best_of: str | None = None) -> Result:
        """Run the study, or resume it, until its budget is spent.

        The genomes under `start:` are trained first, then the best genomes of the study `best_of`, or the genome of
        STUDY#TRIAL. The first Ctrl-C or SIGTERM stops the run in order, and so does a stop request in the storage.
        Raises StudyError where the study cannot run: another coordinator runs it, its file or its data has changed,
        or start genomes do not fit the space. Raises trainer.DataError where the data is missing.
        """
        shown, config, runs, began = progress or Silent(), self.config, Path(self.runs), time.time()
        with (
            shown,
            stop_signals() as by_signal,
            claim(config.name, runs, config.storage) as claimed,
        ):
            prepare(config.data.modules())  # the workers import their modules meanwhile
            first = _first(config, runs, best_of)
            data = _data(config, runs)
            directions = [objective.direction for objective in config.objectives]
            facts = DataFacts.of(data).to_json()
            identity = {TEXT_ATTR: config.text(), DATA_ATTR: data.digest(), FACTS_ATTR: facts}
            store = open_to_run(claimed, directions, identity)
            with closing(store), _storage_errors(store):
                config = _as_begun(store, config, data)
                warm_start.store_genomes(store, first)
                launch.store_launch(store, config)
                stop_asked = StopRequest(store, by_signal, began)
                stop = _train(replace(self, config=config), store, data, shown, stop_asked)
                return _result(config, store, data, stop, stop_asked())


@contextmanager
def _storage_errors(store: Store) -> Iterator[None]:
    """Raise StudyError, one sentence, where the storage fails during the run, for example on a full disk."""
    import sqlalchemy.exc
    from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError

    try:
        yield
    except UpdateFinishedTrialError:
        raise StudyError(
            f"another process took over a trial of study {store.name} because this process sent no heartbeat for "
            f"{SILENT_SECONDS:.0f} s; run the command again"
        ) from None
    except (StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
        cause = str(error.__cause__ or error).splitlines()[0]
        raise StudyError(
            f"the storage of study {store.name} failed ({cause}); finished trials are stored: "
            "repair the storage and run the command again"
        ) from error


def _first(config: StudyConfig, runs: Path, best_of: str | None) -> dict[str, Point]:
    """Return the start genomes that are new to the study. They are read first, so that an error makes no study."""
    if wrong := references.mistakes(config):
        raise StudyError("\n".join(wrong))
    if not config.start and best_of is None:
        return {}
    stored = warm_start.stored_genomes(config.name, runs, config.storage)
    named = warm_start.start_genomes(config, runs, stored)
    return {**named, **(warm_start.best_of(best_of, config, runs) if best_of else {})}


def _cache(runs: Path) -> str:
    """Return the folder of decoded images, which the studies of one folder share."""
    return str((runs / CACHE).absolute())


def _data(config: StudyConfig, runs: Path) -> Data:
    from trainer.data.balance import check_balance
    from trainer.loop.best_weights import check_goal

    data = replace(config.data, cache=_cache(runs)).load()
    for balance in config.train.values("balance"):
        check_balance(replace(config.recipe, balance=balance), data)
    for one in config.objectives:
        if one.name in GOALS:
            check_goal(one.name, data)
    if (data.input, len(data.classes)) != config.data.shape():
        shape, classes = config.data.shape()
        raise StudyError(
            f"{data.name} has images {data.input} of {len(data.classes)} classes where {shape} of {classes} "
            "are expected; its files belong to another data set"
        )
    return data


def _as_begun(store: Store, file: StudyConfig, data: Data) -> StudyConfig:
    """Return the file with the defaults that its study was begun with; raise StudyError where it is another study."""
    attrs = store.study.user_attrs
    config = changes.resumed(parse_study(attrs[TEXT_ATTR], f"{file.name} as begun", file.data.root), file)
    if attrs[DATA_ATTR] != data.digest():
        raise StudyError(
            f"the images of {data.name} differ from those that study {config.name} began with; "
            "restore the data, or give the study another name"
        )
    if attrs[TEXT_ATTR] != config.text():
        store.study.set_user_attr(TEXT_ATTR, config.text())
    if DataFacts.of_attrs(attrs) is None:
        store.study.set_user_attr(FACTS_ATTR, DataFacts.of(data).to_json())
    return config


def _train(study: Study, store: Store, data: Data, progress: Progress, stop_asked: Callable[[], bool]) -> str:
    """Recover trials of earlier runs, then run the search and the finale; return why the study ended."""
    from trainer.data.describe import lines

    config = study.config
    recovered = recover(store, config)
    recover_seeds(store)
    tidy(store)
    slots = worker_devices(config.device, config.workers, _bytes(data), config.budget.memory)
    budget = Budget(store, config.budget.device_time, slots.devices, _reserved_seconds(config, store))
    history = History(config.objectives, config.recipe.epochs)
    run = Context(config, store, budget, progress, stop_asked, history)
    plan = FinalePlan(run)
    finale = FinaleWork(run, plan)
    search = assembled(run, study.sampler, plan.release)
    progress.opened(config, store, recovered, budget.spent_seconds(), slots)
    for line in lines(data):
        progress.said(line)
    try:
        search.rungs.adopt(recovered.paused)
        reason = search.over()
        if reason is not None and (stop_asked() or not finale.is_due()):
            return plan.ending(reason)
        with worker_pool([_setup(study, data, device) for device in slots.devices]) as pool:
            loop = Loop(pool, budget, progress)
            reason = reason or loop.run(search)
            if told := search.retention.told():
                progress.said(told)
            if not stop_asked() and finale.is_due():
                _retrain(finale, loop)
        return plan.ending(reason)
    finally:
        search.give_up()


def _retrain(finale: FinaleWork, loop: Loop) -> None:
    finale.begin()
    try:
        loop.run(finale)
    finally:
        finale.end()


def _reserved_seconds(config: StudyConfig, store: Store) -> float:
    """Return the seconds of the budget that are still reserved for the finale."""
    if config.finale is None or config.budget.device_time is None:
        return 0.0
    spent = sum(record.finale.seconds for record in store.records() if record.finale)
    return max(config.finale.share * config.budget.device_time - spent, 0.0)


def _bytes(data: Data) -> int:
    return sum(split.x.nbytes + split.y.nbytes for split in (data.train, data.valid, data.test))


def _setup(study: Study, images: Data, place: str) -> Setup:
    data = study.config.data
    memory = study.config.budget.memory
    roomy = memory is None or memory >= ROOMY_BYTES
    given = (data.name, data.root, data.reading, data.mirror)
    cache = _cache(study.runs) if images.folds else None
    return Setup(
        *given, place, threads=1, folds=data.folds, keeps_pages=roomy, images=images.place, cache=cache
    )


def _result(config: StudyConfig, store: Store, data: Data, stop: str, is_interrupted: bool) -> Result:
    records = store.records()
    best = front(records, config.objectives)
    exported = None
    if best and not is_interrupted:
        try:
            exported = export(store, config, best[0], store.folder / BEST, data)
        except StudyError as error:  # the weights are on another machine, which does not harm the study
            stop = f"{stop}; {error}"
    spent = sum(record.seconds for record in records)
    return Result(
        config.name, store.folder, stop, is_interrupted, tuple(records), tuple(best), spent, exported
    )
