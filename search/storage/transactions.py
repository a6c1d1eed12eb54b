"""DatabaseStorage: Optuna's storage in a database, where a trial begins and ends by one transaction of few statements.

Optuna writes every attribute by a statement of its own, which looks the trial up first, and writes the values apart
from the state. This is most of what a short trial costs outside training (benchmarks/sampling_cost.py). Tables and
rows are Optuna's, and Optuna reads all of them.
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


class DatabaseStorage(RDBStorage):
    """Optuna's RDBStorage; it stores the attributes of a new trial, and the end of a trial, in one go each."""

    def end_trial(
        self, trial: int, attrs: Mapping[str, Any], state: TrialState, values: Sequence[float] | None
    ) -> None:
        """End a trial, by its id, with user attributes, a state and values: all of them are stored, or none.

        Raises the errors of Optuna's storages, such as StorageInternalError, and SQLAlchemyError.
        """
        from optuna.storages._rdb import models

        # Optuna's session of this thread: the commit of `set_trial_state_values` includes these attributes
        session = self.scoped_session()
        try:
            for name, value in attrs.items():
                self._set_trial_attr_without_commit(
                    session, models.TrialUserAttributeModel, trial, name, value
                )
            # Optuna returns False where a constraint of the tables was violated
            if not self.set_trial_state_values(trial, state, values):
                raise StorageInternalError(f"the database refused the end of the trial with id {trial}")
        finally:
            session.close()  # rolls back what was not committed

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: Session
    ) -> models.TrialModel:
        """Write a new trial as Optuna does, but all of its user attributes by one statement."""
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


def database_storage(study: optuna.Study) -> DatabaseStorage:
    """Return the database storage of a study, which Optuna wraps in a cache of finished trials."""
    storage: Any = study._storage
    found = getattr(storage, "_backend", storage)
    assert isinstance(found, DatabaseStorage)
    return found
