"""Several attributes of a study, stored in one transaction; Optuna stores each in a transaction of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna


def set_user_attrs(study: optuna.Study, attrs: Mapping[str, Any]) -> None:
    """Store attributes, all of them or none; a former value is replaced. The table is Optuna's."""
    import sqlalchemy

    from search.storage.transactions import database_storage

    statement = sqlalchemy.text(
        "INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (:study, :key, :value) "
        "ON CONFLICT (study_id, key) DO UPDATE SET value_json = excluded.value_json"
    )
    rows = [
        {"study": study._study_id, "key": key, "value": json.dumps(value)} for key, value in attrs.items()
    ]
    if rows:
        database_storage(study).transact(lambda connection: connection.execute(statement, rows))
