"""A target ends the search, `genome stop` ends a run, and several studies in one file run beside each other."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.config.read import parse_study
from search.errors import StudyError
from search.results.target import reached
from search.run.end_runs import end_runs
from search.storage.record import Record
from search.storage.study import claim, open_to_read
from search.study import Result
from tests.command import MAIN, PATIENCE_SECONDS, Command, commands, until
from tests.search.conftest import ONE, Said, in_training, study_of, trials_in
from tests.search.dashboard.kept import add, begin, client

Run = Callable[..., Result]
# with a minute for the checkpoints: two seconds are too short on a busy machine
PATIENT = f"import search.run.loop; search.run.loop.HALT_SECONDS = 60.0; {MAIN}"
LONG = {"train": {"epochs": 100_000, "batch": 32}, "trials": 60}


def test_a_target_is_reached_by_one_trial() -> None:
    two = {"accuracy": 0.5, "macs": 1000}
    config = parse_study(yaml.safe_dump(study_of(until=two)), "<test>")
    values = [(0.6, 900.0), (0.6, 1100.0), (0.4, 900.0)]
    good, dear, weak = (Record(number, "done", one) for number, one in enumerate(values))
    assert reached([weak, dear], config) is None
    assert reached([weak, dear, good], config) is good
    assert reached([good], parse_study(yaml.safe_dump(study_of()), "<test>")) is None


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ({"loss": 0.1}, "until has loss, which is no objective of the study; it may have accuracy, macs"),
        ({"accuracy": "high"}, "a target is a number"),
        ({"accuracy": 90}, "until has accuracy: 90; it is a share above 0, at most 1, such as 0.99"),
        ({"accuracy": -0.1}, "it is a share above 0, at most 1"),
        ({"accuracy": float("nan")}, "is not a finite number"),
        (0.99, "must be a mapping of objectives to values"),
    ],
)
def test_a_target_that_is_none_is_refused(
    command: Callable[..., Said], written: Callable[..., Path], target: object, why: str
) -> None:
    said = command("check", written(until=target))
    assert said.status == 2 and why in said.out + said.err


def test_a_target_ends_the_search_and_another_one_goes_on(
    run: Run, command: Callable[..., Said], tmp_path: Path
) -> None:
    changes: dict[str, Any] = {"trials": 2, "workers": 1, "space": ONE, "objectives": "accuracy"}
    changes |= {"finale": {"top": 1, "seeds": 2}}
    result = run(**changes, until={"accuracy": 0.05})
    assert result.stop.startswith("trial 0 reached the target: accuracy 0.") and not result.is_interrupted
    assert result.stop.endswith("(until 0.05); the finale is over") and result.exported is not None
    assert [record.outcome for record in result.records] == ["done"]
    assert "trial 0 reached the target" in command("best", "tiny").out
    page = client(tmp_path / "runs").get("/study/tiny").text
    assert "finished" in page and "trial 0 reached the target" in page
    again = run(**changes, until={"accuracy": 1.0})
    assert [record.outcome for record in again.records] == ["done", "done"]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    with commands() as launch:

        def start(name: str, **changes: object) -> Command:
            path = tmp_path / f"{name}.yaml"
            path.write_text(yaml.safe_dump(study_of(study=name, workers=1, **changes), sort_keys=False))
            return launch("search", path, "--runs", tmp_path / "runs", code=PATIENT)

        yield start


def test_a_run_is_stopped_by_another_process(started: Callable[..., Command], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    process = started("tiny", **LONG)
    until(lambda: bool(in_training(runs)), process)
    assert end_runs("tiny", runs) == "tiny"
    out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130 and "stopped by hand" in out
    assert {record.outcome for record in trials_in(runs)} == {"interrupted", "waiting"}
    assert [*runs.glob("tiny/trials/*/checkpoint*")]
    with pytest.raises(StudyError, match="study tiny is not running; there is nothing to stop"):
        end_runs("tiny", runs)


def test_a_study_that_does_not_exist_is_not_stopped(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no study tiny"):
        end_runs("tiny", tmp_path)


def test_several_studies_in_one_file_run_at_once(started: Callable[..., Command], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/all.db"
    both = [started(name, storage=url, trials=2, space=ONE) for name in ("one", "two")]
    for process in both:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0 and "all 2 trials were made" in out, out + err
    for name in ("one", "two"):
        store = open_to_read(name, tmp_path / "runs", url)
        assert [record.number for record in store.records()] == [0, 1]
        assert {one.trial for one in store.ledger.entries()} == {0, 1}
        store.close()
    with sqlite3.connect(tmp_path / "all.db") as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    file.close()


def test_one_study_of_a_file_has_one_coordinator(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/all.db"
    with (
        claim("one", tmp_path, url),
        claim("two", tmp_path, url),
        pytest.raises(StudyError, match="study one is being run by"),
        claim("one", tmp_path, url),
    ):
        pass


def test_a_stored_target_is_shown_as_finished(tmp_path: Path) -> None:
    store = begin(tmp_path, until={"accuracy": 0.9})
    add(store, accuracy=0.95)
    store.close()
    assert (
        "trial 0 reached the target: accuracy 0.9500 (until 0.9)" in client(tmp_path).get("/study/tiny").text
    )
