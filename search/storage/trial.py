"""LiveTrial: a trial that has not ended, and what is written to it; each write is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from search.storage.record import Record, record

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

NO_ATTRS: Mapping[str, Any] = MappingProxyType({})
CONSTRAINT = "constraints:"  # prefix of the system attribute in which Optuna stores a constraint


class LiveTrial(Protocol):
    """A trial that runs, waits for a trial of the same network, or is paused."""

    @property
    def number(self) -> int: ...

    @property
    def attrs(self) -> Mapping[str, Any]:
        """The user attributes of the trial."""
        ...

    def set_attr(self, name: str, value: Any) -> None:
        """Store a plain value as a user attribute; an attribute of that name is overwritten."""
        ...

    def set_constraint(self, name: str, over: float) -> None:
        """Store by how much a constraint is violated; up to 0 it is met."""
        ...

    def report(self, epoch: int, value: float) -> None:
        """Store the value of the only objective after an epoch, as Optuna's dashboard shows it."""
        ...

    def end(
        self, state: str, values: Sequence[float | None] | None = None, attrs: Mapping[str, Any] = NO_ATTRS
    ) -> Record:
        """End the trial as COMPLETE, with its values, PRUNED or FAIL, store these attributes, and return its record."""
        ...

    def read(self) -> Record:
        """Return the record of the trial."""
        ...


@dataclass(frozen=True)
class OptunaTrial:
    """A trial that one of Optuna's samplers made. Optuna reports the end of the trial to the sampler."""

    trial: optuna.Trial

    @property
    def number(self) -> int:
        return self.trial.number

    @property
    def attrs(self) -> Mapping[str, Any]:
        return self.trial.user_attrs

    def set_attr(self, name: str, value: Any) -> None:
        self.trial.set_user_attr(name, value)

    def set_constraint(self, name: str, over: float) -> None:
        self.trial.set_constraint(name, over)

    def report(self, epoch: int, value: float) -> None:
        self.trial.report(value, epoch)

    def end(
        self, state: str, values: Sequence[float | None] | None = None, attrs: Mapping[str, Any] = NO_ATTRS
    ) -> Record:
        from optuna.trial import TrialState

        for name, value in attrs.items():
            self.set_attr(name, value)
        return record(self.trial.study.tell(self.trial, values, state=TrialState[state]))  # type: ignore[arg-type]

    def read(self) -> Record:
        return record(self.trial.study._storage.get_trial(self.trial._trial_id))


@dataclass(frozen=True)
class GenomeTrial:
    """A trial of a sampler that proposes genomes. Such a sampler reads stored trials; nothing is reported to it."""

    study: optuna.Study
    # a copy of the stored trial, kept up to date here: no other process writes to the trial
    frozen: FrozenTrial

    @classmethod
    def begin(
        cls, study: optuna.Study, attrs: Mapping[str, Any], constraints: Mapping[str, float]
    ) -> GenomeTrial:
        """Store a new running trial, in one transaction."""
        from optuna.trial import TrialState, create_trial

        template = create_trial(
            state=TrialState.RUNNING,
            user_attrs=dict(attrs),
            # every constraint is a row; a constraint that is met follows from the plan and is not stored
            constraints={name: over for name, over in constraints.items() if over > 0},
        )
        template._trial_id = study._storage.create_new_trial(study._study_id, template)
        template.number = _number(study, template._trial_id)
        return cls(study, template)

    @property
    def number(self) -> int:
        return self.frozen.number

    @property
    def attrs(self) -> Mapping[str, Any]:
        return self.frozen.user_attrs

    def set_attr(self, name: str, value: Any) -> None:
        self.study._storage.set_trial_user_attr(self.frozen._trial_id, name, value)
        self.frozen.user_attrs[name] = value

    def set_constraint(self, name: str, over: float) -> None:
        self.study._storage.set_trial_system_attr(self.frozen._trial_id, f"{CONSTRAINT}{name}", over)
        self.frozen.system_attrs[f"{CONSTRAINT}{name}"] = over

    def report(self, epoch: int, value: float) -> None:
        self.study._storage.set_trial_intermediate_value(self.frozen._trial_id, epoch, value)
        self.frozen.intermediate_values[epoch] = value

    def end(
        self, state: str, values: Sequence[float | None] | None = None, attrs: Mapping[str, Any] = NO_ATTRS
    ) -> Record:
        from optuna.trial import TrialState

        from search.storage.transactions import database_storage

        if state == "PRUNED" and self.frozen.last_step is not None:
            # `Study.tell` stores the same value for a pruned trial
            values = [self.frozen.intermediate_values[self.frozen.last_step]]
        stored = None if values is None else [float(value) for value in values if value is not None]
        database_storage(self.study).end_trial(self.frozen._trial_id, attrs, TrialState[state], stored)
        self.frozen.user_attrs.update(attrs)
        self.frozen.state, self.frozen.values = TrialState[state], stored
        return self.read()

    def read(self) -> Record:
        return record(self.frozen)


def reopen(study: optuna.Study, trial: FrozenTrial) -> LiveTrial:
    """Return a stored unfinished trial as a live trial."""
    import optuna

    return OptunaTrial(optuna.Trial(study, trial._trial_id))


def set_user_attr(study: optuna.Study, trial: FrozenTrial, name: str, value: Any) -> None:
    """Store an attribute of a trial, given Optuna's frozen copy of the trial, as samplers have it."""
    study._storage.set_trial_user_attr(trial._trial_id, name, value)


def enqueue_template(study: optuna.Study, template: FrozenTrial) -> int:
    """Store a waiting trial in one transaction, and return its number."""
    storage = study._storage
    return storage.get_trial_number_from_id(storage.create_new_trial(study._study_id, template))


def _number(study: optuna.Study, trial: int) -> int:
    """Return the number of a trial that was just stored, by its id.

    In a database of one study the number is one less than the id, and Optuna can confirm this without a query.
    """
    storage = study._storage
    try:
        if storage.get_trial_id_from_study_id_trial_number(study._study_id, trial - 1) == trial:
            return trial - 1
    except KeyError:
        pass
    return storage.get_trial_number_from_id(trial)
