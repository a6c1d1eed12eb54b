"""Trials that a coordinator left running: finished from their report where there is one, else tried again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import genome
from search.config.candidate import Candidate, candidate
from search.config.study import StudyFile
from search.proposals.ask import FIXED
from search.run.budget import charged
from search.run.ownership import SETTLE_SECONDS, is_abandoned, owner, sign_of
from search.run.retries import clear
from search.run.tell import finish
from search.samplers.base import ORIGIN
from search.storage.charge_file import read_charge
from search.storage.live_trial import Asked, Handle
from search.storage.record import CHARGED, GENOME, OWNER, PLAN, PROXIES, RESULT, RETRY_OF, Record, record
from search.storage.seed_results import OneSeed
from search.storage.store import Store
from search.storage.trial_files import read_report
from search.workers.checkpoints import drop_checkpoint

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial


class Recovered(NamedTuple):
    """Numbers of the trials that were finished from their report, of those to be tried again, and of paused ones."""

    finished: tuple[int, ...]
    again: tuple[int, ...]
    paused: tuple[int, ...] = ()


def recover(store: Store, study: StudyFile) -> Recovered:
    """Settle every trial that nobody trains any more. Its charged seconds stay charged."""
    from optuna.trial import TrialState

    trials = store.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    abandoned = _claimed(store, [t for t in trials if _is_nobodys(store, t)])
    finished = [t.number for t in abandoned if _finish_from_report(store, study, t)]
    paused = [t.number for t in abandoned if t.number not in finished and _is_paused(t, study)]
    again = [t for t in abandoned if t.number not in (*finished, *paused)]
    for trial in again:
        _charge_noted(store, trial)
    interrupt(store, again)
    return Recovered(tuple(finished), tuple(t.number for t in again), tuple(paused))


def _claimed(store: Store, abandoned: list[FrozenTrial]) -> list[FrozenTrial]:
    """Those that no other coordinator recovers at the same moment: the last to write has them."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    if not store.shared or not abandoned:
        return abandoned
    for trial in abandoned:
        with suppress(UpdateFinishedTrialError):  # another was quicker
            _handle(store.study, trial).keep(OWNER, owner())
    time.sleep(SETTLE_SECONDS)
    numbers = {trial.number for trial in abandoned}
    now = store.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [t for t in now if t.number in numbers and t.user_attrs.get(OWNER) == owner()]


def _charge_noted(store: Store, trial: FrozenTrial) -> None:
    """Charge a trial for what its clock shows since it was last charged."""
    seconds = read_charge(store.trial_folder(trial.number))
    if seconds > trial.user_attrs.get(CHARGED, 0.0):
        _handle(store.study, trial).keep(CHARGED, round(seconds, 6))


def _is_paused(trial: FrozenTrial, study: StudyFile) -> bool:
    """Whether it waits at a rung of this training: of another length nothing can be gone on from."""
    kept = record(trial)
    return kept.outcome == "paused" and kept.planned_epochs == study.recipe.epochs


def taken_over(store: Store, study: StudyFile, trial: FrozenTrial) -> tuple[Handle, Candidate, Record]:
    """Return a paused trial of an earlier run as a live handle, its network and what it had come to."""
    handle = _handle(store.study, trial)
    if store.shared:
        handle.keep(OWNER, owner())
    return handle, _network(trial, study), record(trial)


def interrupt(store: Store, trials: Iterable[FrozenTrial]) -> None:
    """Put the parameters of unfinished trials first in the queue, once, and call the trials interrupted.

    In this order: a kill between the two leaves a trial that is found again, and not queued again.
    """
    from optuna.trial import TrialState

    queued = {t.user_attrs.get(RETRY_OF) for t in store.study.get_trials(deepcopy=False)}
    for trial in trials:
        if trial.number not in queued:
            # what it was enqueued with itself, should it have ended before it was asked everything
            given = trial.system_attrs.get(FIXED, {})
            store.study.enqueue_trial({**given, **trial.params}, user_attrs=_again(trial))
        handle = _handle(store.study, trial)
        reason = "interrupted before it was finished; its parameters are tried again"
        handle.keep(RESULT, {"outcome": "interrupted", "reason": reason})
        store.study.tell(trial.number, state=TrialState.FAIL)


def _again(trial: FrozenTrial) -> dict[str, Any]:
    """What the trial that repeats this one has from the start; parameters, where there are any, give the genome."""
    kept = (ORIGIN, PROXIES) if trial.params else (GENOME, ORIGIN, PROXIES)
    return {
        RETRY_OF: trial.number,
        **{name: trial.user_attrs[name] for name in kept if name in trial.user_attrs},
    }


def recover_seeds(store: Store) -> None:
    """Settle every training of the finale whose child had written its report when the coordinator ended."""
    for trial in store.records():
        for seed, one in trial.finale.seeds.items() if trial.finale else ():
            if one.is_over or not is_abandoned(store, one.owner, one.seen_at):
                continue
            folder = store.seed_folder(trial.number, seed)
            report = read_report(folder, trial.digest, trial.number)
            if report is not None:
                seconds = round(one.earlier_seconds + charged(report), 6)
                done = OneSeed.of_report(report)
                store.keep_seed(
                    trial.number, seed, done._replace(seconds=seconds, earlier_seconds=one.earlier_seconds)
                )
                drop_checkpoint(folder)


def _is_nobodys(store: Store, trial: FrozenTrial) -> bool:
    return is_abandoned(store, trial.user_attrs.get(OWNER), sign_of(trial))


def _finish_from_report(store: Store, study: StudyFile, trial: FrozenTrial) -> bool:
    """Tell a trial whose child had written its report when the coordinator ended. Whether there was one."""
    digest = trial.user_attrs.get(PLAN, {}).get("digest")
    report = read_report(store.trial_folder(trial.number), digest, trial.number)
    if report is None:
        return False
    handle = _handle(store.study, trial)
    network = _network(trial, study)
    seconds = round(max(charged(report), trial.user_attrs.get(CHARGED, 0.0)), 6)
    clear(store, finish(handle, network, report, study.objectives, study.sampler, seconds))
    return True


def _network(trial: FrozenTrial, study: StudyFile) -> Candidate:
    return candidate(genome.loads(trial.user_attrs[GENOME]), study.recipe.batch, study.recipe.optimizer)


def _handle(study: optuna.Study, trial: FrozenTrial) -> Handle:
    """Return a handle on a stored trial, as the coordinator that is gone had one."""
    import optuna

    return Asked(optuna.Trial(study, trial._trial_id))
