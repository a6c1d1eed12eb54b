"""Handle: a trial in hand, and what is written of it: each time a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from search.storage.record import Record, record

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

NOTHING: Mapping[str, Any] = MappingProxyType({})
CONSTRAINT = "constraints:"  # before its name, the system attribute in which Optuna keeps one


class Handle(Protocol):
    """A trial that runs, waits for a twin, or is paused."""

    @property
    def number(self) -> int: ...

    @property
    def attrs(self) -> Mapping[str, Any]:
        """What is kept of it under names of ours."""
        ...

    def keep(self, name: str, value: Any) -> None:
        """Keep a plain value under a name, in place of what was there."""
        ...

    def constrain(self, name: str, over: float) -> None:
        """Keep by how much a constraint is broken; nothing is broken up to 0."""
        ...

    def at(self, epoch: int, value: float) -> None:
        """Keep the one objective's value after an epoch; Optuna's own pages show it."""
        ...

    def end(
        self, state: str, values: Sequence[float | None] | None = None, kept: Mapping[str, Any] = NOTHING
    ) -> Record:
        """End it as COMPLETE, with its values, PRUNED or FAIL, and keep some more; return what is kept of it."""
        ...

    def rest(self) -> Record:
        """Return what is kept of it."""
        ...


@dataclass(frozen=True)
class Asked:
    """A trial of a sampler of Optuna's, which hears of its end."""

    trial: optuna.Trial

    @property
    def number(self) -> int:
        return self.trial.number

    @property
    def attrs(self) -> Mapping[str, Any]:
        return self.trial.user_attrs

    def keep(self, name: str, value: Any) -> None:
        self.trial.set_user_attr(name, value)

    def constrain(self, name: str, over: float) -> None:
        self.trial.set_constraint(name, over)

    def at(self, epoch: int, value: float) -> None:
        self.trial.report(value, epoch)

    def end(
        self, state: str, values: Sequence[float | None] | None = None, kept: Mapping[str, Any] = NOTHING
    ) -> Record:
        from optuna.trial import TrialState

        for name, value in kept.items():
            self.keep(name, value)
        return record(self.trial.study.tell(self.trial, values, state=TrialState[state]))  # type: ignore[arg-type]

    def rest(self) -> Record:
        return record(self.trial.study._storage.get_trial(self.trial._trial_id))


@dataclass(frozen=True)
class Proposed:
    """A trial of a sampler of ours, which reads what is kept: nobody is told, and nothing is read back.

    known: as it is in the storage, for nobody else writes of it.
    """

    study: optuna.Study
    known: FrozenTrial

    @classmethod
    def begin(
        cls, study: optuna.Study, attrs: Mapping[str, Any], constraints: Mapping[str, float]
    ) -> Proposed:
        """Write a new trial that runs, in one transaction."""
        from optuna.trial import TrialState, create_trial

        template = create_trial(
            state=TrialState.RUNNING,
            user_attrs=dict(attrs),
            # each is a row of its own; what is kept says nothing that the plan does not
            constraints={name: over for name, over in constraints.items() if over > 0},
        )
        template._trial_id = study._storage.create_new_trial(study._study_id, template)
        template.number = _number(study, template._trial_id)
        return cls(study, template)

    @property
    def number(self) -> int:
        return self.known.number

    @property
    def attrs(self) -> Mapping[str, Any]:
        return self.known.user_attrs

    def keep(self, name: str, value: Any) -> None:
        self.study._storage.set_trial_user_attr(self.known._trial_id, name, value)
        self.known.user_attrs[name] = value

    def constrain(self, name: str, over: float) -> None:
        self.study._storage.set_trial_system_attr(self.known._trial_id, f"{CONSTRAINT}{name}", over)
        self.known.system_attrs[f"{CONSTRAINT}{name}"] = over

    def at(self, epoch: int, value: float) -> None:
        self.study._storage.set_trial_intermediate_value(self.known._trial_id, epoch, value)
        self.known.intermediate_values[epoch] = value

    def end(
        self, state: str, values: Sequence[float | None] | None = None, kept: Mapping[str, Any] = NOTHING
    ) -> Record:
        from optuna.trial import TrialState

        from search.storage.transactions import ledger

        if state == "PRUNED" and self.known.last_step is not None:
            values = [self.known.intermediate_values[self.known.last_step]]  # as `Study.tell` has it
        ended, told = (
            TrialState[state],
            None if values is None else [float(one) for one in values if one is not None],
        )
        ledger(self.study).end_trial(self.known._trial_id, kept, ended, told)
        self.known.user_attrs.update(kept)
        self.known.state, self.known.values = ended, told
        return self.rest()

    def rest(self) -> Record:
        return record(self.known)


def reopened(study: optuna.Study, trial: FrozenTrial) -> Handle:
    """Return a handle on a stored trial, such as the coordinator that left it had."""
    import optuna

    return Asked(optuna.Trial(study, trial._trial_id))


def set_user_attr(study: optuna.Study, trial: FrozenTrial, name: str, value: Any) -> None:
    """Store an attribute of a trial of which only Optuna's frozen copy is at hand, as samplers have it."""
    study._storage.set_trial_user_attr(trial._trial_id, name, value)


def enqueued(study: optuna.Study, template: FrozenTrial) -> int:
    """Store a waiting trial in one transaction, and return its number."""
    storage = study._storage
    return storage.get_trial_number_from_id(storage.create_new_trial(study._study_id, template))


def _number(study: optuna.Study, trial: int) -> int:
    """The number of a trial that was just made. In a database of one study it is one less than the trial's id, which
    Optuna can tell without reading."""
    storage = study._storage
    try:
        if storage.get_trial_id_from_study_id_trial_number(study._study_id, trial - 1) == trial:
            return trial - 1
    except KeyError:
        pass
    return storage.get_trial_number_from_id(trial)
