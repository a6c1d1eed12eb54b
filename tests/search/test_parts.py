"""The small parts of a search, each tested alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search import formatting
from search.config.candidate import Excess
from search.errors import StudyError
from search.objective import Objective, dominates
from search.pruners.rules import Climb, should_stop
from search.results.ranking import front
from search.samplers.registry import names, optuna_sampler, proposing
from search.storage.lock import hold
from search.storage.record import Record
from trainer import files

ROOT = Path(__file__).parents[2]
ACCURACY, MACS = Objective("accuracy", "maximize"), Objective("macs", "minimize")


def climbs(*scores: float) -> list[Climb]:
    return [Climb({1: score}) for score in scores]


def stops(name: str, epoch: int, me: Climb, others: list[Climb]) -> bool:
    return should_stop(name, epoch, 9, me, others, 1.0)


def test_median_stops_the_lower_half_and_needs_four_peers() -> None:
    assert not stops("median", 1, Climb({1: 0.0}), climbs(0.5, 0.6, 0.7))
    assert stops("median", 1, Climb({1: 0.54}), climbs(0.4, 0.5, 0.6, 0.7))
    assert not stops("median", 1, Climb({1: 0.55}), climbs(0.4, 0.5, 0.6, 0.7))


def test_halving_lets_a_third_go_on() -> None:
    assert not stops("halving", 1, Climb({1: 0.1}), climbs(0.9))
    assert stops("halving", 1, Climb({1: 0.1}), climbs(0.9, 0.2))
    assert not stops("halving", 1, Climb({1: 0.95}), climbs(0.9, 0.2))
    assert not stops("halving", 1, Climb({1: 0.8}), climbs(0.9, 0.2, 0.3, 0.4, 0.5))
    assert stops("halving", 1, Climb({1: 0.8}), climbs(0.9, 0.85, 0.3, 0.4, 0.5))


def test_a_cheap_network_is_judged_by_its_like() -> None:
    heavy = [Climb({1: score}, (1000.0,)) for score in (0.9, 0.91, 0.92, 0.93)]
    assert not stops("median", 1, Climb({1: 0.5}, (10.0,)), heavy)
    assert stops("median", 1, Climb({1: 0.5}, (1000.0,)), heavy)


def test_only_trials_at_the_same_rung_are_peers() -> None:
    others = [Climb({1: 0.9}) for _ in range(9)]
    assert not stops("median", 3, Climb({1: 0.9, 3: 0.1}), others)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 9)), min_size=1, max_size=30))
def test_the_front_is_what_nothing_beats(points: list[tuple[float, int]]) -> None:
    records = [Record(i, "done", (a, float(m)), macs=m) for i, (a, m) in enumerate(points)]
    best = front(records, (ACCURACY, MACS))
    costs = [(-a, float(m)) for a, m in points]
    unbeaten = {i for i, mine in enumerate(costs) if not any(dominates(c, mine) for c in costs)}
    assert {record.number for record in best} == unbeaten
    assert best[0].values and best[0].values[0] == max(a for a, _ in points)


def test_one_objective_has_one_best_the_lower_loss_of_equals() -> None:
    losses = (0.3, 0.1, 0.2)
    records = [Record(i, "done", (0.9,), metrics={"loss": loss}) for i, loss in enumerate(losses)]
    records.append(Record(3, "done", (0.9,), metrics={"loss": 0.0}, reused=1))
    records.append(Record(4, "failed", None))
    assert [record.number for record in front(records, (ACCURACY,))] == [1]


def test_a_network_that_was_trained_twice_is_listed_once() -> None:
    cut, whole = Record(0, "cut", (0.9, 5.0), digest="a"), Record(7, "done", (0.9, 5.0), digest="a")
    assert front([cut, whole], (ACCURACY, MACS)) == [whole]


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / "study.db.lock"
    code = (
        "import pathlib, sys, time; from search.storage.lock import hold\n"
        "with hold(pathlib.Path(sys.argv[1]), 'study x'): print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    with (
        pytest.raises(StudyError, match=rf"study x is being run by process {process.pid} on "),
        hold(path, "study x"),
    ):
        pass
    process.kill()
    process.communicate()
    with (
        hold(path, "study x"),
        pytest.raises(StudyError, match=f"process {os.getpid()} on "),
        hold(path, "study x"),
    ):
        pass


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a" / "report.json"
    files.write(path, b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):
        files.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["report.json"]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    files.write_folder(tmp_path / "best", {"a": b"1", "b": b"2"})
    files.write_folder(tmp_path / "best", {"b": b"3"})
    assert {entry.name: entry.read_bytes() for entry in (tmp_path / "best").iterdir()} == {"b": b"3"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["best"]


def test_an_excess_is_a_share_of_the_limit() -> None:
    assert Excess("params", 1000, 1500).over == 0.5
    assert Excess("params", 1000, 1000).over == 0
    assert str(Excess("params", 1000, 1500)) == "params is 1,500; at most 1,000 is allowed"


@pytest.mark.parametrize("name", [name for name in names() if name not in proposing()])
def test_a_sampler_that_goes_on_does_not_repeat_itself(name: str) -> None:
    import optuna

    def draws(drawn: int) -> list[float]:
        study = optuna.create_study(sampler=optuna_sampler(name, 3, drawn))
        return [study.ask().suggest_float("x", 0, 1) for _ in range(5)]

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    assert draws(0) == draws(0)
    if name != "qmc":  # qmc continues from the storage
        assert draws(0) != draws(40)


def test_numbers_as_people_read_them() -> None:
    assert [formatting.short(n) for n in (0, 999, 1234, 1_200_000)] == ["0", "999", "1.23k", "1.2M"]
    assert [formatting.seconds(s) for s in (-0.01, 8.12, 119.6, 3900)] == [
        "0.0 s",
        "8.1 s",
        "2m 00s",
        "1h 05m",
    ]
    assert [formatting.size(b) for b in (512, 1536, 2 * 2**30)] == ["512 B", "1.5 KiB", "2.0 GiB"]
    assert formatting.table(("trial", "n"), [["a", "10"], ["bb", "5"]]).splitlines() == [
        "trial   n",
        "a      10",
        "bb      5",
    ]


def test_a_result_without_its_state_is_of_a_running_trial() -> None:
    import optuna

    from search.storage.record import RESULT, record

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    trial = study.ask()
    for told, outcome in (("done", "running"), ("interrupted", "running"), ("paused", "paused")):
        trial.set_user_attr(RESULT, {"outcome": told})
        assert record(study.trials[0]).outcome == outcome
    trial.set_user_attr(RESULT, {"outcome": "done"})
    study.tell(trial, 1.0)
    assert record(study.trials[0]).outcome == "done"
