"""Jobs: what a child is told to do, put together from the study, the purse and the trial."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from search.config.candidate import Candidate
from search.config.study import StudyFile
from search.proposals.history import Past
from search.run.active_trial import Entry
from search.run.admission import Opening
from search.run.budget import Purse
from search.run.paused import Paused
from search.samplers.base import ORIGIN, Origin
from search.storage.store import Store
from search.workers.messages import Job, Screening

CHECKPOINT_SECONDS = 15.0  # of training that a kill costs at most


@dataclass(frozen=True)
class Jobs:
    """Writes the jobs of one coordinator."""

    file: StudyFile
    store: Store
    purse: Purse
    past: Past
    paused: Paused
    opening: Opening

    def job(self, entry: Entry, device: str) -> Job:
        """Have a trial trained on a slot of this device, or gone on with."""
        return Job(
            number=entry.number,
            genome=entry.network.text,
            digest=entry.network.digest,
            recipe=replace(self.file.recipe, seed=entry.network.seed(self.file.recipe.seed)),
            rungs=self.paused.asked_at(entry),
            trial_seconds=self._trial_seconds(device),
            left_seconds=self.purse.trial_seconds(),
            charged_share=self.purse.share(device),
            memory_bytes=self.file.budget.memory,
            predicted_bytes=entry.network.train_memory_bytes,
            latency=any(objective.name == "latency" for objective in self.file.objectives),
            folder=str(self.store.trial_folder(entry.number)),
            checkpoint_seconds=CHECKPOINT_SECONDS,
            earlier=tuple(str(self.store.trial_folder(number)) for number in entry.kept_by()),
            paid_seconds=entry.paid,
            parent=self._parent(entry) if self.file.inherits else None,
        )

    def screening(
        self, number: int, networks: Iterable[Candidate], proxies: tuple[str, ...], device: str
    ) -> Screening:
        """Have the proxies of candidates measured on a slot of this device."""
        return Screening(
            number=number,
            genomes=tuple(network.text for network in networks),
            proxies=proxies,
            seed=self.file.recipe.seed,
            most_seconds=self._trial_seconds(device),
            memory_bytes=self.file.budget.memory,
        )

    def _trial_seconds(self, device: str) -> float | None:
        """The limit of a trial in seconds on a slot; the study's is in device seconds, as all that is charged."""
        most = self.file.budget.per_trial
        return None if most is None else most / self.purse.share(device)

    def _parent(self, entry: Entry) -> str | None:
        """The folder of the trial whose weights an entry begins with: of its first parent's network, once trained."""
        kept = entry.trial.attrs.get(ORIGIN)
        parents = Origin.of_json(kept).parents if kept else ()
        twin = self.opening.trained.get(self.past.digest(parents[0]) or "") if parents else None
        return str(self.store.trial_folder(twin.number)) if twin else None
