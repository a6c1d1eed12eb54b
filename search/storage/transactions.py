"""Ledger: Optuna's storage in a database, in which a trial begins and ends by one transaction of few statements.

Optuna writes each attribute by a statement that looks the trial up first, and what a trial came to apart from its end.
That is the most of what a short trial costs outside training (benchmarks/sampling_cost.py). Tables and rows are
Optuna's; everything is read by Optuna.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

if TYPE_CHECKING:
    import optuna
    from optuna.storages._rdb import models
    from sqlalchemy.orm import Session


class Ledger(RDBStorage):
    """Optuna's RDBStorage, where the attributes of a new trial are one statement and its end keeps some more."""

    def end_trial(
        self, trial: int, kept: Mapping[str, Any], state: TrialState, values: Sequence[float] | None
    ) -> None:
        """End a trial, by its id, with a state and values; user attributes come with them, or nothing does.

        Raises what Optuna's storages raise, StorageInternalError above all, and SQLAlchemyError.
        """
        from optuna.storages._rdb import models

        # this thread's session: what Optuna commits below has in it what is written here
        session = self.scoped_session()
        try:
            for name, value in kept.items():
                self._set_trial_attr_without_commit(
                    session, models.TrialUserAttributeModel, trial, name, value
                )
            # it answers False where a constraint of the tables broke
            if not self.set_trial_state_values(trial, state, values):
                raise StorageInternalError(f"the database refused the end of the trial with id {trial}")
        finally:
            session.close()  # takes back what was not committed

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: Session
    ) -> models.TrialModel:
        """Write a new trial, as Optuna does, but its user attributes in one go."""
        import sqlalchemy
        from optuna.storages._rdb import models

        if template_trial is None or not template_trial.user_attrs:
            return super()._get_prepared_new_trial(study_id, template_trial, session)
        bare = copy.copy(template_trial)
        bare.user_attrs = {}
        trial = super()._get_prepared_new_trial(study_id, bare, session)
        rows = [
            {"trial_id": trial.trial_id, "key": name, "value_json": json.dumps(value)}
            for name, value in template_trial.user_attrs.items()
        ]
        session.execute(sqlalchemy.insert(models.TrialUserAttributeModel), rows)
        return trial


def ledger(study: optuna.Study) -> Ledger:
    """Return a study's ledger, from under the layer that reads finished trials once."""
    storage: Any = study._storage
    found = getattr(storage, "_backend", storage)
    assert isinstance(found, Ledger)
    return found
