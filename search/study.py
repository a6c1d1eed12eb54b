"""A study: loaded from its file, run or resumed, and its result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from search.config import changes, reach
from search.config.read import parse_study, read_study
from search.config.study import StudyConfig
from search.errors import StudyError
from search.proposals import references, warm_start
from search.proposals.custom_sampler import check_sampler
from search.proposals.history import History
from search.results.evaluation.write import evaluate_retrained
from search.results.export import export
from search.results.ranking import front
from search.results.refs import check_removed
from search.run import launch
from search.run.assembly import assembled
from search.run.budget import Budget
from search.run.context import Context
from search.run.finale import FinaleWork
from search.run.finale_plan import FinalePlan
from search.run.joining import alone, await_study, check_shared, joined
from search.run.loop import Loop
from search.run.ownership import SILENT_SECONDS, owner
from search.run.progress import Progress, Silent
from search.run.publish import publish_missing, with_artifacts
from search.run.recovery import recover, recover_seeds
from search.run.retention import tidy
from search.run.setups import cache, data_bytes, setups
from search.run.stop import StopRequest, stop_signals
from search.samplers.base import Proposer
from search.storage.data_facts import FACTS_ATTR, DataFacts
from search.storage.record import Record
from search.storage.study import BEST, DATA_ATTR, TEXT_ATTR, Store, claim, open_to_run
from search.workers.engines import opened_engine
from search.workers.local import prepare
from search.workers.pool import worker_pool
from trainer.budget import parse_seconds
from trainer.report import GOALS

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from search.space.point import Point
    from trainer import Data


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
    grace_seconds: float | None = None  # for the checkpoints after a stop; None: two seconds

    def __post_init__(self) -> None:
        """Raise StudyError for a sampler that is neither a proposer nor a sampler of Optuna."""
        if self.sampler is not None:
            check_sampler(self.sampler)

    @classmethod
    def load(
        cls,
        path: Path | str,
        runs: Path | str = "runs",
        data_root: str | None = None,
        grace: str | float | None = None,
    ) -> Study:
        """Read a study file. Raises StudyError or genome.SourceError with `file:line` for each mistake.

        grace: time for the checkpoints after a stop, such as 20s or seconds; raises BudgetError where it is none.
        """
        file = read_study(path, data_root, is_begun=True, cache=cache(Path(runs)))
        check_removed(file, Path(runs))
        return cls(file, Path(runs), grace_seconds=None if grace is None else parse_seconds(grace, "--grace"))

    def run(self, progress: Progress | None = None, best_of: str | None = None) -> Result:
        """Run the study, or resume it, until its budget is spent.

        The genomes under `start:` are trained first, then the best genomes of the study `best_of`, or the genome of
        STUDY#TRIAL. The first Ctrl-C or SIGTERM stops the run in order, and so does a stop request in the storage.
        Raises StudyError where the study cannot run: another coordinator runs it, its file or its data has changed,
        or start genomes do not fit the space. Raises trainer.DataError where the data is missing.
        """
        return self._run(progress or Silent(), lambda: _first(self.config, self.runs, best_of), joins=False)

    def join(self, progress: Progress | None = None, wait_seconds: float = 0.0) -> Result:
        """Work on a study that another process has begun, until the study ends; any number of processes may join.

        wait_seconds: how long to wait for the study to be begun. A signal ends this process alone, in order.
        Raises StudyError for an embedded study, for one that nobody has begun, and as `run`.
        """
        check_shared(self.config)
        await_study(self.config, self.runs, wait_seconds)
        return self._run(progress or Silent(), dict, joins=True)

    def _run(self, shown: Progress, first_genomes: Callable[[], dict[str, Point]], joins: bool) -> Result:
        config, runs, began = self.config, Path(self.runs), time.time()
        with (
            shown,
            stop_signals() as by_signal,
            claim(config.name, runs, config.storage) as claimed,
        ):
            prepare(config.data.modules())  # the workers import their modules meanwhile
            first = first_genomes()
            data = _data(config, runs)
            directions = [objective.direction for objective in config.objectives]
            facts = DataFacts.of(data).to_json()
            identity = {TEXT_ATTR: config.text(), DATA_ATTR: data.digest(), FACTS_ATTR: facts}
            store = open_to_run(claimed, directions, identity)
            with closing(store), _storage_errors(store):
                config = _as_begun(store, config, data, joins)
                store = with_artifacts(store, config.artifacts)
                publish_missing(store)
                if not joins:
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
    if wrong := reach.mistakes(config) or references.mistakes(config):
        raise StudyError("\n".join(wrong))
    if not config.start and best_of is None:
        return {}
    stored = warm_start.stored_genomes(config.name, runs, config.storage)
    named = warm_start.start_genomes(config, runs, stored)
    return {**named, **(warm_start.best_of(best_of, config, runs) if best_of else {})}


def _data(config: StudyConfig, runs: Path) -> Data:
    from trainer.data.balance import check_balance
    from trainer.loop.best_weights import check_goal

    data = replace(config.data, cache=cache(runs)).load()
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


def _as_begun(store: Store, file: StudyConfig, data: Data, joins: bool) -> StudyConfig:
    """Return the file with the defaults that its study was begun with; raise StudyError where it is another study.

    joins: the study stays as it is stored, also where the file asks for more.
    """
    attrs = store.study.user_attrs
    stored = parse_study(attrs[TEXT_ATTR], f"{file.name} as begun", file.data.root)
    config = joined(stored, file) if joins else changes.resumed(stored, file)
    if attrs[DATA_ATTR] != data.digest():
        raise StudyError(
            f"the images of {data.name} differ from those that study {config.name} began with; "
            "restore the data, or give the study another name"
        )
    if joins:
        return config
    if attrs[TEXT_ATTR] != config.text():
        store.study.set_user_attr(TEXT_ATTR, config.text())
    if DataFacts.of_attrs(attrs) is None:
        store.study.set_user_attr(FACTS_ATTR, DataFacts.of(data).to_json())
    return config


def _train(study: Study, store: Store, data: Data, progress: Progress, stop_asked: Callable[[], bool]) -> str:
    """Run the search and the finale on the engine of the study; return why the study ended."""
    from trainer.data.describe import lines

    config = study.config
    asked = (config.engine, config.device, config.workers, store.folder, owner())
    with opened_engine(*asked, data_bytes(data), config.budget.memory) as (engine, slots):
        recovered = recover(store, config)
        recover_seeds(store)
        tidy(store)
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
                _tell(search.retention.told(), progress)
                return plan.ending(reason)
            with worker_pool(setups(config, study.runs, data, slots.devices), engine) as pool:
                loop = Loop(pool, budget, progress, stop_asked, study.grace_seconds)
                reason = reason or loop.run(search)
                _tell(search.retention.told(), progress)
                if not stop_asked() and finale.is_due():
                    _retrain(finale, loop)
            return plan.ending(reason)
        finally:
            search.give_up()


def _tell(sentence: str, progress: Progress) -> None:
    if sentence:
        progress.said(sentence)


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


def _result(config: StudyConfig, store: Store, data: Data, stop: str, is_interrupted: bool) -> Result:
    records = store.records()
    best = front(records, config.objectives)
    exported = None
    if best and not is_interrupted:
        try:
            with alone(store):
                evaluate_retrained(store, config, records, data)
                exported = export(store, config, best[0], store.folder / BEST, data)
        except StudyError as error:  # the weights are on another machine, which does not harm the study
            stop = f"{stop}; {error}"
    try:
        publish_missing(store)
    except StudyError as error:
        stop = f"{stop}; {error}"
    spent = sum(record.seconds for record in records)
    return Result(
        config.name, store.folder, stop, is_interrupted, tuple(records), tuple(best), spent, exported
    )
