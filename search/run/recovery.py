"""Recovery of trials that a dead coordinator left running: ended by their report where there is one, else retried."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from search.config.candidate import Candidate, candidate
from search.config.study import StudyConfig
from search.objective import LEARNT, MEASURES
from search.proposals.ask import FIXED
from search.run.ownership import SETTLE_SECONDS, Heartbeats, owner
from search.run.retries import clear
from search.run.tell import finish
from search.samplers.base import ORIGIN
from search.storage.charge_file import delete_charge, read_charge
from search.storage.record import (
    CHARGED,
    GENOME,
    OWNER,
    PLAN,
    PROXIES,
    RESULT,
    RETRY_OF,
    SEARCHED,
    Record,
    point_of,
    record,
)
from search.storage.seed_results import SeedResult
from search.storage.study import Store
from search.storage.trial import LiveTrial, reopen
from search.storage.trial_report import TrialReport, reported
from search.workers.checkpoints import delete_checkpoint

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


class Recovered(NamedTuple):
    """The numbers of the trials that were recovered."""

    finished: tuple[int, ...]  # ended by their report
    again: tuple[int, ...]  # interrupted, to be retried
    paused: tuple[int, ...] = ()  # wait at a rung


def recover(store: Store, config: StudyConfig) -> Recovered:
    """Settle every trial whose coordinator is dead. The charged seconds of the trial stay charged."""
    from optuna.trial import TrialState

    trials = store.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    beats = Heartbeats.of(store)
    abandoned = _claimed(store, [trial for trial in trials if beats.has_left(trial)])
    finished = [t.number for t in abandoned if _finish_from_report(store, config, t)]
    paused = [t.number for t in abandoned if t.number not in finished and _is_paused(t, config)]
    retried = [t for t in abandoned if t.number not in (*finished, *paused)]
    for trial in retried:
        _charge_from_file(store, trial)
    store.ledger.settle({(trial.number, None): None for trial in abandoned if trial.number not in finished})
    interrupt(store, retried)
    return Recovered(tuple(finished), tuple(t.number for t in retried), tuple(paused))


def _claimed(store: Store, abandoned: list[FrozenTrial]) -> list[FrozenTrial]:
    """Claim abandoned trials and return the claimed ones: the last of several coordinators to claim a trial has it."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    if not store.shared or not abandoned:
        return abandoned
    for trial in abandoned:
        with suppress(UpdateFinishedTrialError):  # another coordinator ended it
            reopen(store.study, trial).set_attr(OWNER, owner())
    time.sleep(SETTLE_SECONDS)
    numbers = {trial.number for trial in abandoned}
    now = store.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [t for t in now if t.number in numbers and t.user_attrs.get(OWNER) == owner()]


def _charge_from_file(store: Store, trial: FrozenTrial) -> None:
    """Charge a trial of an earlier version the seconds in its charge file, if they exceed those in the database."""
    seconds = read_charge(store.trial_folder(trial.number))
    if seconds > trial.user_attrs.get(CHARGED, 0.0):
        reopen(store.study, trial).set_attr(CHARGED, round(seconds, 6))


def _is_paused(trial: FrozenTrial, config: StudyConfig) -> bool:
    """Whether a trial waits at a rung of a training of this length; a training of another length cannot be resumed."""
    stored = record(trial)
    return stored.outcome == "paused" and stored.planned_epochs == config.recipe.epochs


def taken_over(store: Store, config: StudyConfig, trial: FrozenTrial) -> tuple[LiveTrial, Candidate, Record]:
    """Return a paused trial of an earlier run as a live, its candidate, and its record."""
    live = reopen(store.study, trial)
    if store.shared:
        live.set_attr(OWNER, owner())
    return live, _network(trial, config), record(trial)


def interrupt(store: Store, trials: Iterable[FrozenTrial]) -> None:
    """Enqueue a retry of each unfinished trial, once, and end the trials as interrupted.

    The retry is enqueued first: a kill in between leaves a trial that is recovered again and not enqueued twice.
    """
    from optuna.trial import TrialState

    queued = {t.user_attrs.get(RETRY_OF) for t in store.study.get_trials(deepcopy=False)}
    for trial in trials:
        if trial.number not in queued:
            # with its fixed parameters: the trial may have ended before every parameter was asked
            fixed = trial.system_attrs.get(FIXED, {})
            store.study.enqueue_trial({**fixed, **trial.params}, user_attrs=_retry_attrs(trial))
        live = reopen(store.study, trial)
        reason = "interrupted before it was finished; its parameters are tried again"
        live.set_attr(RESULT, {"outcome": "interrupted", "reason": reason})
        store.study.tell(trial.number, state=TrialState.FAIL)


def _retry_attrs(trial: FrozenTrial) -> dict[str, Any]:
    """Return the attributes of the retry of a trial; the point follows from the parameters, where there are any."""
    names = (ORIGIN, PROXIES) if trial.params else (GENOME, SEARCHED, ORIGIN, PROXIES)
    return {
        RETRY_OF: trial.number,
        **{name: trial.user_attrs[name] for name in names if name in trial.user_attrs},
    }


def recover_seeds(store: Store) -> None:
    """Settle every training of the finale whose coordinator is dead: by its report, or as interrupted."""
    beats = Heartbeats.of(store)
    for trial in store.records():
        for seed, one in trial.finale.seeds.items() if trial.finale else ():
            if _is_lost_to_sigterm(one):
                store.store_seed(
                    trial.number, seed, one._replace(outcome="interrupted", kind=None, reason=None)
                )
            if one.is_over or not beats.is_abandoned(one.owner, one.seen_at):
                continue
            folder, key = store.seed_folder(trial.number, seed), (trial.number, seed)
            report = reported(store.place(trial.number, seed).report(trial.digest, trial.number))
            charged = read_charge(folder)  # of an earlier version
            if report is not None:
                earlier = one.earlier_seconds
                seconds = round(earlier + report.charge.job_seconds, 6)
                done = result_of(report, trial)._replace(seconds=seconds, earlier_seconds=earlier)
                store.ledger.settle({key: seconds})
                store.store_seed(trial.number, seed, done)
                delete_checkpoint(store.place(trial.number, seed))
                delete_charge(folder)
            elif one.outcome == "running":
                store.ledger.settle({key: None})
                seconds = round(max(charged, one.seconds), 6)
                store.store_seed(trial.number, seed, one._replace(outcome="interrupted", seconds=seconds))


def _is_lost_to_sigterm(one: SeedResult) -> bool:
    """Whether the SIGTERM that ended a run of an earlier version was stored as the failure of a network."""
    return one.outcome == "failed" and one.reason == "killed by signal 15, SIGTERM"


def result_of(trained: TrialReport, searched: Record) -> SeedResult:
    """Return the result in a report of the finale, which retrained the network of a trial.

    A training that was cut by the budget is interrupted. One that was cut before the epochs of the search is short.
    """
    report = trained.report
    epochs = report.recipe["epochs"]
    if report.outcome == "interrupted" or report.kind == "purse":
        return SeedResult("interrupted", epochs)
    if report.outcome == "failed" or report.valid_accuracy is None or report.valid_loss is None:
        return SeedResult("failed", epochs, kind=report.kind or "error", reason=report.reason)
    scores = {name: getattr(report, MEASURES[name].field) for name in LEARNT}
    is_short = report.outcome == "cut" and report.epochs < (searched.epochs or 0)
    outcome = "short" if is_short else report.outcome
    return SeedResult(outcome, epochs, kind=report.kind)._replace(**scores)


def _finish_from_report(store: Store, config: StudyConfig, trial: FrozenTrial) -> bool:
    """End a trial by its report, if its worker wrote one before the coordinator died. Return whether it did."""
    digest = trial.user_attrs.get(PLAN, {}).get("digest")
    report = reported(store.place(trial.number).report(digest, trial.number))
    if report is None:
        return False
    live = reopen(store.study, trial)
    network = _network(trial, config)
    key = (trial.number, None)
    charged = store.ledger.charges().get(key, trial.user_attrs.get(CHARGED, 0.0))
    seconds = round(max(report.charge.device_seconds, charged), 6)
    store.ledger.settle({key: seconds})
    clear(store, finish(live, network, report, config.objectives, config.sampler, seconds))
    return True


def _network(trial: FrozenTrial, config: StudyConfig) -> Candidate:
    return candidate(point_of(record(trial)), config.train)
