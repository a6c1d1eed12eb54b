"""DatabaseStorage: Optuna's storage in a database, where a trial begins and ends by one transaction of few statements.

Optuna writes every attribute by a statement of its own, which looks the trial up first, and writes the values apart
from the state. This is most of what a short trial costs outside training (benchmarks/sampling_cost.py). Tables and
rows are Optuna's, and Optuna reads all of them.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from search.storage.patience import be_patient, repeats_lost

if TYPE_CHECKING:
    import optuna
    from optuna.storages._rdb import models
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

T = TypeVar("T")

TOKEN = "genome_made"  # system attribute of a trial on a server: tells a trial that is made again from another one


@repeats_lost(
    "create_new_study",
    "set_study_user_attr",
    "set_study_system_attr",
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_directions",
    "get_study_user_attrs",
    "get_study_system_attrs",
    "get_all_studies",
    "_create_new_trial",
    "_set_trial_param",
    "get_trial_id_from_study_id_trial_number",
    "_get_best_trial_id",
    "set_trial_state_values",
    "set_trial_intermediate_value",
    "set_trial_user_attr",
    "set_trial_system_attr",
    "get_trial",
    "_get_trials",
    "end_trial",
    "transact",
)
class DatabaseStorage(RDBStorage):
    """Optuna's RDBStorage; it stores the attributes of a new trial, and the end of a trial, in one go each.

    While it is patient, what fails by a lost connection is repeated. The commit before may have arrived: a repeated
    attribute is the same, an ended trial that was ended so is no error, and a trial that was made is not made again.
    """

    is_patient = False
    _token: str | None = None  # of the trial that is being made
    _is_tried = False  # whether it was tried to make that trial before
    _head_version: ClassVar[str | None] = None

    def get_head_version(self) -> str:
        """Return the version of the tables that this Optuna makes.

        It is the same for all storages. Optuna runs all its migration scripts to tell it, which takes 25 ms each time.
        """
        if DatabaseStorage._head_version is None:
            DatabaseStorage._head_version = super().get_head_version()
        return DatabaseStorage._head_version

    def be_patient(self) -> None:
        """Wait from now on for a server that restarts."""
        be_patient(self.engine)
        self.is_patient = True

    def transact(self, work: Callable[[Connection], T], is_quick: bool = False) -> T:
        """Return what `work` returns, done in one transaction; where the connection is lost it is done again.

        is_quick: an SQLite file need not be synchronised with the disk; a kill loses nothing, a loss of power may.
        """
        with self.engine.connect() as connection:
            if is_quick:
                connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
            try:
                found = work(connection)
                connection.commit()
            finally:
                if is_quick:
                    connection.rollback()
                    connection.exec_driver_sql("PRAGMA synchronous=FULL")
        return found

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        try:
            return super().set_trial_state_values(trial_id, state, values)
        except UpdateFinishedTrialError:
            if self._has_ended(trial_id, state):
                return True
            raise

    def _has_ended(self, trial: int, state: TrialState) -> bool:
        """Whether an attempt before, whose answer was lost, may have ended the trial in this state."""
        return self.is_patient and state.is_finished() and self.get_trial(trial).state == state

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        if not self.is_patient:
            return super()._create_new_trial(study_id, template_trial)
        self._token = self._token or uuid.uuid4().hex
        made = super()._create_new_trial(study_id, template_trial)
        self._token, self._is_tried = None, False
        return made

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
            if not super().set_trial_state_values(trial, state, values):
                raise StorageInternalError(f"the database refused the end of the trial with id {trial}")
        except UpdateFinishedTrialError:
            if not self._has_ended(trial, state):
                raise
        finally:
            session.close()  # rolls back what was not committed

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: Session
    ) -> models.TrialModel:
        """Write a new trial as Optuna does, but all of its user attributes by one statement."""
        import sqlalchemy
        from optuna.storages._rdb import models

        if self._is_tried and (made := self._made(session)):
            return made
        self._is_tried = self._token is not None
        trial = self._written(study_id, template_trial, session)
        if self._token:
            named = {"trial_id": trial.trial_id, "key": TOKEN, "value_json": json.dumps(self._token)}
            session.execute(sqlalchemy.insert(models.TrialSystemAttributeModel), named)
        return trial

    def _made(self, session: Session) -> models.TrialModel | None:
        """Return the trial of the token, where the commit of an earlier attempt has arrived."""
        from optuna.storages._rdb import models

        attrs = models.TrialSystemAttributeModel
        found = session.query(attrs).filter_by(key=TOKEN, value_json=json.dumps(self._token)).first()
        return None if found is None else session.get(models.TrialModel, found.trial_id)

    def _written(
        self, study_id: int, template_trial: FrozenTrial | None, session: Session
    ) -> models.TrialModel:
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
    """Return the database storage of a study."""
    return backend(study._storage)


def backend(storage: Any) -> DatabaseStorage:
    """Return the database storage, which Optuna wraps in a cache of finished trials."""
    found = getattr(storage, "_backend", storage)
    assert isinstance(found, DatabaseStorage)
    return found
