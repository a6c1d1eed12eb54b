"""A read-only copy of a study for Optuna's dashboard: each genome's answers at the space's holes are its parameters.

A sampler that proposes whole genomes stores no parameters with its trials, and so Optuna's importance, slices and
parallel coordinates have nothing to show. The copy lives in memory; nothing is written to the study.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import genome
from genome.yaml.source import SourceError
from search.dashboard.studies.library import Library
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.space.distributions import distribution
from search.space.holes import SpaceError
from search.space.point import Point

if TYPE_CHECKING:
    import optuna

RENEWED_SECONDS = 10.0  # after which a request copies a study again that has changed
STATES = {"done": "COMPLETE", "cut": "COMPLETE", "reused": "COMPLETE", "pruned": "PRUNED"}
UNFINISHED = {"running": "RUNNING", "paused": "RUNNING", "waiting": "WAITING"}

WsgiApp = Callable[..., Any]


class Mirror:
    """The copy of one study as a WSGI application, copied again when the study has changed."""

    def __init__(
        self, library: Library, name: str, serve: Callable[[optuna.storages.BaseStorage], WsgiApp]
    ) -> None:
        """serve: makes the application of a storage."""
        self.library, self.name, self._serve = library, name, serve
        self._answers: dict[int, dict[str, Any]] = {}  # by number of the trial; they never change
        self._app: WsgiApp | None = None
        self._mark, self._looked = "", 0.0
        self._lock = threading.Lock()

    def __call__(self, given: dict[str, Any], start: WsgiApp) -> Iterable[bytes]:
        body: Iterable[bytes] = self.app()(given, start)
        return body

    def app(self) -> WsgiApp:
        """Return the application of the copy."""
        with self._lock:
            if self._app is None or time.monotonic() - self._looked > RENEWED_SECONDS:
                snapshot = self.library.snapshot(self.name)
                if self._app is None or snapshot.mark != self._mark:
                    self._app, self._mark = self._serve(self.copy(snapshot)), snapshot.mark
                self._looked = time.monotonic()
            return self._app

    def copy(self, snapshot: Snapshot) -> optuna.storages.InMemoryStorage:
        """Return the study with the answers of its genomes as parameters, in memory."""
        import optuna
        from optuna.study import StudyDirection

        objectives = snapshot.config.objectives
        storage = optuna.storages.InMemoryStorage()
        study = optuna.create_study(
            storage=storage,
            study_name=self.name,
            directions=[StudyDirection[one.direction.upper()] for one in objectives],
        )
        study.set_user_attr("objectives", ", ".join(one.name for one in objectives))
        study.set_user_attr("copy", f"a read-only copy of the study {self.name}, with answers as parameters")
        for trial in snapshot.trials:
            study.add_trial(self._copied(snapshot, trial))
        return storage

    def _copied(self, snapshot: Snapshot, trial: TrialView) -> optuna.trial.FrozenTrial:
        from optuna.trial import TrialState, create_trial

        made, holes = trial.record, snapshot.config.space.holes
        word = UNFINISHED.get(trial.outcome) or STATES.get(trial.outcome, "FAIL")
        if word == "COMPLETE" and made.values is None:
            word = "FAIL"
        answers = {name: answer for name, answer in self._of(snapshot, trial).items() if name in holes}
        copied = create_trial(
            state=TrialState[word],
            values=list(made.values) if word == "COMPLETE" and made.values else None,
            params=answers,
            distributions={name: distribution(holes[name]) for name in answers},
            user_attrs=_attrs(snapshot, trial),
            intermediate_values=snapshot.learnt_so_far(made) if len(snapshot.config.objectives) == 1 else {},
        )
        copied.datetime_start, copied.datetime_complete = trial.began, trial.ended
        return copied

    def _of(self, snapshot: Snapshot, trial: TrialView) -> dict[str, Any]:
        """The answers of a genome; none where it cannot be read, or where the space does not hold it."""
        number = trial.record.number
        if trial.record.genome is None:
            return {}
        if number not in self._answers:
            try:
                point = Point(genome.loads(trial.record.genome), trial.record.searched)
                self._answers[number] = snapshot.config.space.answers(point)
            except (genome.GenomeError, SourceError, SpaceError):
                self._answers[number] = {}
        return self._answers[number]


def _attrs(snapshot: Snapshot, trial: TrialView) -> dict[str, Any]:
    made, score = trial.record, snapshot.score(trial.record)
    attrs = {
        "outcome": trial.outcome,
        "by": made.origin.by if made.origin else None,
        "moves": list(made.origin.moves) if made.origin else None,
        "mean over seeds": score.value if score and score.seeds > 1 else None,
        "seeds": score.seeds if score else None,
        "params": made.params,
        "macs": made.macs,
        "device seconds": made.search_seconds,
        "reason": made.reason,
        "genome": made.genome,
    }
    return {name: value for name, value in attrs.items() if value is not None}
