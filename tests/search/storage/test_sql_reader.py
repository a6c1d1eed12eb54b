"""The reader of Optuna's tables reads the same as Optuna itself."""

from __future__ import annotations

import math
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.errors import StudyError
from search.storage import sql_reader
from search.storage.record import record
from search.storage.sql_reader import TrialRow


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    """One of two studies in a storage, with two objectives."""
    url = f"sqlite:///{tmp_path}/it's 100% #ü.db"
    optuna.create_study(storage=url, study_name="other").add_trial(create_trial(value=9.0))
    return optuna.create_study(storage=url, study_name="mine", directions=["maximize", "minimize"])


def file(study: optuna.Study) -> Path:
    url: str = study._storage._backend.url  # type: ignore[attr-defined]
    return Path(url.removeprefix("sqlite:///"))


def rows(study: optuna.Study, known: dict[int, TrialRow] | None = None) -> dict[int, TrialRow]:
    with sql_reader.open_tables(f"sqlite:///{file(study)}", 1.0) as ask:
        return sql_reader.read(ask, sql_reader.study_ids(ask)[study.study_name], known or {})


def facts(trial: FrozenTrial | TrialRow) -> tuple[object, ...]:
    moments = trial.datetime_start, trial.datetime_complete
    values = None if trial.values is None else list(trial.values)
    return (
        *(trial.number, trial.state.name, trial.state.is_finished(), values),
        *(*moments, trial.user_attrs, trial.constraints),
    )


def fill(study: optuna.Study) -> None:
    """Add trials of every state, with everything that Optuna can store of a trial."""
    infinite = {"values": [math.inf, -math.inf]}
    drawn = {"a": FloatDistribution(0, 1), "b": CategoricalDistribution("xy")}
    attrs = {
        "genome": 'a\n"b" \u2028 ü 😀',
        "plan": {"params": 1, "deep": [None, 1.5, True]},
        "nan": math.nan,
    }
    attrs.pop("nan")
    for state in TrialState:
        values = {"values": [0.5, 2]} if state == TrialState.COMPLETE else {}
        study.add_trial(create_trial(state=state, user_attrs=attrs, **values))
    study.add_trial(create_trial(**infinite, params={"a": 0.5, "b": "x"}, distributions=drawn))
    study.add_trial(create_trial(values=[1, 2], constraints={"params": 0.25, "constraints": -1.0}))
    study.add_trial(create_trial(values=[1, 2], system_attrs={"constraints": [0.0, 2.0], "other": 1}))
    study.add_trial(create_trial(values=[1, 2], intermediate_values={0: 1.0}))
    asked = study.ask()
    asked.set_user_attr("charged_seconds", 1.0)


def test_rows_are_what_optuna_reads(study: optuna.Study) -> None:
    fill(study)
    trials, found = study.get_trials(), rows(study)
    assert [facts(row) for row in found.values()] == [facts(trial) for trial in trials]
    assert list(found) == [trial._trial_id for trial in trials]
    assert [record(row) for row in found.values()] == [record(trial) for trial in trials]


def test_moments_are_of_this_machines_clock(study: optuna.Study) -> None:
    before = datetime.now(UTC).astimezone().replace(tzinfo=None)
    study.ask()
    (row,) = rows(study).values()
    assert row.datetime_start is not None
    assert before <= row.datetime_start <= datetime.now(UTC).astimezone().replace(tzinfo=None)


def test_what_was_over_is_not_read_again(study: optuna.Study) -> None:
    study.add_trial(create_trial(values=[1, 2]))
    running = study.ask()
    known = rows(study)
    assert list(rows(study, known)) == [running._trial_id]
    study.add_trial(create_trial(values=[3, 4]))
    study.tell(running, [5, 6])
    assert [row.values for row in rows(study, known).values()] == [[5, 6], [3, 4]]
    known |= rows(study, known)
    assert rows(study, known) == {}


def test_a_trial_that_is_seen_after_a_later_one_is_found(study: optuna.Study) -> None:
    """Keys are assigned before their transactions end, and coordinators on a server end them in any order."""
    for value in range(3):
        study.add_trial(create_trial(values=[value, 0]))
    known = rows(study)
    late = sorted(known)[1]
    row = known.pop(late)
    assert rows(study, known)[late] == row


def test_a_study_and_its_attributes_are_found_by_name(study: optuna.Study) -> None:
    study.set_user_attr("a", {"b": [1, "ü"]})
    with sql_reader.open_tables(f"sqlite:///{file(study)}", 1.0) as ask:
        assert sql_reader.study_ids(ask) == {"other": 1, "mine": 2}
        assert sql_reader.study_attrs(ask, 2) == {"a": {"b": [1, "ü"]}}
        assert sql_reader.study_attrs(ask, 1) == {}


def test_nothing_can_be_written(study: optuna.Study) -> None:
    with (
        pytest.raises(StudyError, match="readonly"),
        sql_reader.open_tables(f"sqlite:///{file(study)}", 1.0) as ask,
    ):
        ask("DELETE FROM studies")
    assert study.user_attrs == {}


def test_all_of_a_look_is_one_moment(study: optuna.Study) -> None:
    """A reader sees what is written during its read only at its next read."""
    place = file(study)
    with sqlite3.connect(place) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    with sql_reader.open_tables(f"sqlite:///{place}", 1.0) as ask:
        mine = sql_reader.study_ids(ask)["mine"]
        study.add_trial(create_trial(values=[1, 2]))
        assert sql_reader.read(ask, mine, {}) == {}
    assert len(rows(study)) == 1


def test_tables_of_another_optuna_are_refused(study: optuna.Study) -> None:
    with sqlite3.connect(file(study)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9.9.9'")
    connection.close()
    with pytest.raises(StudyError, match=r"another Optuna \(v9\.9\.9; this version reads v3\.2\.0\.a\)"):
        rows(study)


def test_the_tables_are_those_of_this_optuna(study: optuna.Study) -> None:
    assert study._storage._backend.get_head_version() == sql_reader.SCHEMA  # type: ignore[attr-defined]
