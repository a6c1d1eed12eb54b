"""A study that is killed ten times at random and resumed each time: its history is whole."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from search.storage.record import UNFINISHED, Record
from search.storage.study import open_to_read
from search.study import Study
from tests.command import commands
from tests.search.conftest import charged

KILLS = 10
STUDY = {
    "sampler": {"name": "evolve", "seed": 0},
    "train": {"epochs": 8, "batch": 32},
    "budget": {"device_time": "70s", "rungs": [1, 3]},
    "pruner": "halving",
    "trials": None,
    "finale": {"share": 0.2, "top": 2, "seeds": 2},
}

pytestmark = pytest.mark.slow


def killed_after(path: Path, runs: Path, seconds: float) -> None:
    """Run the study's command, and kill it with -9 some seconds after its first trial began."""
    with commands() as start:
        process = start("search", path, "--runs", runs, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        process.stdout.readline()  # the opening line; the children are starting
        time.sleep(seconds)


def test_ten_kills_lose_nothing(written: Callable[..., Path], tmp_path: Path) -> None:
    path, runs, rng = written(**STUDY), tmp_path / "runs", Random(0)
    ended: dict[int, Record] = {}
    cut_off: set[int] = set()
    for _ in range(KILLS):
        killed_after(path, runs, 1.0 + 3.0 * rng.random())
        for record in open_to_read("tiny", runs).records():
            if record.number in ended:
                assert _told(record) == _told(ended[record.number]), "what was finished stays as it was"
            elif record.outcome not in UNFINISHED:
                ended[record.number] = record
            elif record.outcome == "running":
                cut_off.add(record.number)
    before = open_to_read("tiny", runs).spent_seconds()
    assert 0 < before < 70

    result = Study.load(path, runs).run()
    records = list(result.records)
    assert [record.number for record in records] == list(range(len(records))), "no number is missing"
    assert not [record for record in records if record.outcome in UNFINISHED]
    for number, record in ended.items():
        assert _told(records[number]) == _told(record)
    _check_nothing_twice(records)
    _check_lineage(records)
    assert result.spent_seconds == pytest.approx(sum(record.seconds for record in records))
    assert before < result.spent_seconds < 70 + 60  # the estimate of the finale's cost may be too high
    _check_paid(records, result.folder, cut_off)
    assert result.best and result.exported


def _told(record: Record) -> tuple[object, ...]:
    """Return what never changes of a trial that ended; a finale may add to the charge."""
    return (record.number, record.outcome, record.values, record.digest, record.genome, record.origin)


def _check_paid(records: list[Record], folder: Path, cut_off: set[int]) -> None:
    """Check that a trial's charge is its report's; after a kill the charge is at least the time on the clock."""
    reports = [(r, folder / "trials" / str(r.number) / "report.json") for r in records if r.outcome == "done"]
    assert len(reports) > 5
    for record, path in reports:
        if record.reused is None:
            report = json.loads(path.read_bytes())
            paid = charged(report)
            assert record.search_seconds == pytest.approx(
                max(paid, record.search_seconds) if record.number in cut_off else paid, abs=1e-4
            )


def _check_nothing_twice(records: list[Record]) -> None:
    """Check that a network is trained once, and an interrupted trial is repeated exactly once."""
    done = [r.digest for r in records if r.outcome in ("done", "pruned", "cut") and r.reused is None]
    again = {r.number for r in records if r.outcome == "interrupted"}
    repeated = [r.retry_of for r in records if r.retry_of is not None]
    assert len(done) == len(set(done))
    assert sorted(repeated) == sorted(set(repeated))
    assert again == set(repeated), "each interrupted trial is repeated, and nothing else is"


def _check_lineage(records: list[Record]) -> None:
    """Check that every trial names its parents: earlier trials with a genome; a repeat has the same parents."""
    assert any(record.origin and record.origin.parents for record in records)
    for record in records:
        assert record.origin is not None
        for parent in record.origin.parents:
            assert parent < record.number
            assert records[parent].genome is not None
        if record.retry_of is not None:
            assert record.origin == records[record.retry_of].origin
            assert record.digest == records[record.retry_of].digest
