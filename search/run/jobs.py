"""The jobs that workers get, made from the study, the budget and the trial."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from search.config.candidate import Candidate, candidate
from search.objective import best_epoch_by, learnt
from search.run import loop
from search.run.active_trial import ActiveTrial
from search.run.context import Context
from search.run.finale_plan import Task
from search.run.references import seconds_left
from search.samplers.base import ORIGIN, Origin
from search.storage.record import point_of
from search.workers.messages import Job, LatencyTask, Screening, StopTask

CHECKPOINT_SECONDS = 15.0  # of training that a kill loses, at most


@dataclass(frozen=True)
class Jobs:
    """Makes the jobs of one run."""

    run: Context

    def trial(self, trial: ActiveTrial, rungs: tuple[int, ...], device: str) -> Job:
        """Train a trial on a slot of this device, or resume it; it is judged after these epochs."""
        config, store = self.run.config, self.run.store
        job = self._job(trial.candidate, trial.folder, device)
        return job._replace(
            number=trial.number,
            recipe=replace(trial.candidate.recipe, seed=trial.candidate.seed(config.recipe.seed)),
            rungs=rungs,
            trial_seconds=self._on_slot(self._most_seconds(trial), device),
            left_seconds=self.run.budget.trial_seconds(),
            latency=LatencyTask(config.latency, config.latency_limit) if config.measures_latency else None,
            earlier=tuple(str(store.trial_folder(number)) for number in trial.checkpoint_owners()),
            paid_seconds=trial.paid_seconds,
            parent=self._parent(trial) if config.inherits else None,
        )

    def seed(self, number: int, task: Task, device: str, most_seconds: float | None) -> Job:
        """Retrain the network of a trial from scratch with one seed, or resume this training.

        most_seconds: limit of the training in device seconds.
        """
        config, record = self.run.config, task.record
        network = candidate(point_of(record), config.train)
        folder = self.run.store.seed_folder(record.number, task.seed)
        resumes = task.known is not None and not task.known.is_over
        if not resumes:
            # the folder may hold the report of a shorter training, or of another study of that name
            self.run.store.place(record.number, task.seed).forget_report()
        left = self.run.budget.trial_seconds()
        return self._job(network, folder, device)._replace(
            number=number,
            trial=record.number,
            recipe=replace(network.recipe, seed=task.seed),
            # the loop halts it before these seconds have passed, so that it has a checkpoint to resume from
            left_seconds=None if left is None else left + loop.HALT_SECONDS,
            trial_seconds=self._on_slot(most_seconds, device),
            earlier=(str(folder),) if resumes else (),
            paid_seconds=task.paid_seconds,
        )

    def screening(
        self, number: int, networks: Iterable[Candidate], proxies: tuple[str, ...], device: str
    ) -> Screening:
        """Measure the proxies of candidates on a slot of this device."""
        return Screening(
            number=number,
            genomes=tuple(network.text for network in networks),
            proxies=proxies,
            seed=self.run.config.recipe.seed,
            most_seconds=self._on_slot(self.run.config.budget.per_trial, device),
            memory_bytes=self.run.config.budget.memory,
        )

    def _job(self, network: Candidate, folder: Path, device: str) -> Job:
        """Return a job with the fields that all trainings share."""
        config = self.run.config
        return Job(
            number=0,
            genome=network.text,
            digest=network.digest,
            recipe=network.recipe,
            rungs=(),
            trial_seconds=self._on_slot(config.budget.per_trial, device),
            left_seconds=None,
            charged_share=self.run.budget.share(device),
            memory_bytes=config.budget.memory,
            predicted_bytes=network.train_memory_bytes,
            latency=None,
            folder=str(folder),
            checkpoint_seconds=CHECKPOINT_SECONDS,
            goal=best_epoch_by(learnt(config.objectives)),
            stops=StopTask(config.stopping, config.exits.share) if config.stopping else None,
            artifacts=self.run.store.artifacts,
        )

    def _most_seconds(self, trial: ActiveTrial) -> float | None:
        """Return the limit of a trial in device seconds; a reference is also limited by the share of all of them."""
        left = seconds_left(self.run, trial.number) if trial.is_reference else None
        limits = [limit for limit in (self.run.config.budget.per_trial, left) if limit is not None]
        return min(limits, default=None)

    def _on_slot(self, device_seconds: float | None, device: str) -> float | None:
        """Return the seconds on a slot that cost so many device seconds."""
        return None if device_seconds is None else device_seconds / self.run.budget.share(device)

    def _parent(self, trial: ActiveTrial) -> str | None:
        """Return the folder of the trial that trained the network of the first parent, whose weights are inherited."""
        stored = trial.live.attrs.get(ORIGIN)
        parents = Origin.of_json(stored).parents if stored else ()
        history = self.run.history
        twin = history.trained(history.digest(parents[0])) if parents else None
        return str(self.run.store.trial_folder(twin.number)) if twin else None
