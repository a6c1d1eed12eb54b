"""Tiny studies on real digits, of some seconds each, with the real storage and real child processes."""

import runpy
import sys
from collections.abc import Callable, Mapping
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.cli import app
from search.errors import StudyError
from search.run.progress import Silent
from search.storage.record import Record
from search.storage.study import Store, open_to_read
from search.storage.trial_report import TrialReport
from search.study import Result, Study
from search.workers.local import LocalWorker
from search.workers.pool import Slot

SPACE: dict[str, Any] = {
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "kernel": 3, "width": {"int": [4, 16]}},
        "body": {"op": {"one_of": ["conv", "separable"]}, "in": ["stem"], "width": {"int": [4, 16]}},
        "out": {"op": "exit", "in": ["body"]},
    }
}
# a network of three exits
THREE = """\
genome: three
input: [1, 8, 8]
classes: 10
nodes:
  stem: {op: conv, in: [image], width: 8, stride: 2}
  early: {op: exit, in: [stem], pool: flatten}
  s1: {op: conv, in: [stem], width: 16}
  mid: {op: exit, in: [s1], pool: flatten}
  s2: {op: conv, in: [s1], width: 32}
  out: {op: exit, in: [s2], pool: flatten}
"""

ONE = {
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "kernel": {"one_of": [1, 3]}, "width": 4},
        "out": {"op": "exit", "in": ["stem"]},
    }
}


def study_of(**changes: Any) -> dict[str, Any]:
    """Return a study of six short trials on two workers; a change to None removes a key."""
    study: dict[str, Any] = {
        "study": "tiny",
        "data": "digits",
        "objectives": {"accuracy": "maximize", "macs": "minimize"},
        "sampler": {"name": "random", "seed": 0},
        "train": {"epochs": 1, "batch": 256},
        "workers": 2,
        "device": "cpu",
        "trials": 6,
        "finale": "none",
        "references": "none",
        "space": SPACE,
    }
    return {key: value for key, value in {**study, **changes}.items() if value is not None}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a child that is asked to stop a minute for its checkpoint: two seconds are too short on a busy machine."""
    monkeypatch.setattr("search.run.loop.HALT_SECONDS", 60.0)


def charged(report: Mapping[str, Any]) -> float:
    """Return the device seconds that a report.json accounts for."""
    return TrialReport.of_json(report).charge.device_seconds


def trials_in(runs: Path) -> list[Record]:
    """Return the trials of a tiny study, also while it runs; none before the study exists."""
    try:
        store = _opened(runs)
    except StudyError:  # its tables are being created
        return []
    records = store.records()
    store.close()
    return records


def in_training(runs: Path) -> list[int]:
    """Return the trials of a tiny study that train now: an epoch has ended, so that a stop leaves a checkpoint."""
    return [record.number for record in trials_in(runs) if record.outcome == "running" and record.curve]


@cache
def _opened(runs: Path) -> Store:
    """Open a study once: one opening takes as long as many reads, and slows down a command that runs beside it."""
    return open_to_read("tiny", runs)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a tiny study, with changes, to tiny.yaml."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(study_of(**changes), sort_keys=False))
        return path

    return write


@pytest.fixture
def run(tmp_path: Path, written: Callable[..., Path]) -> Callable[..., Result]:
    """A function that runs a tiny study, with changes, in tmp_path/runs."""

    def go(progress: Any = None, **changes: Any) -> Result:
        return Study.load(written(**changes), tmp_path / "runs").run(progress or Silent())

    return go


def process_of(slot: Slot) -> BaseProcess:
    """Return the process of a worker on this machine."""
    assert isinstance(slot.worker, LocalWorker)
    return slot.worker.process


class Said:
    """The output of a command, and its exit status."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """A function that runs the command in tmp_path, and returns its output and status."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["genome", *map(str, words)])
        with pytest.raises(SystemExit) as ending:
            app.main()
        said = capsys.readouterr()
        code = ending.value.code
        return Said(code if isinstance(code, int) else 0, said.out, said.err)

    return run


@pytest.fixture
def called(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """A function that runs model.py in this process, which has imported torch."""

    def call(folder: Path, *words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["model.py", *map(str, words)])
        capsys.readouterr()
        status: Any = 0
        try:
            runpy.run_path(str(folder / "model.py"), run_name="__main__")
        except SystemExit as end:
            status = end.code or 0
        said = capsys.readouterr()
        if isinstance(status, str):  # Python prints it, and ends with 1
            return Said(1, said.out, f"{said.err}{status}\n")
        return Said(status, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of studies with a tiny one that has ended, which tests read and do not change."""
    folder = tmp_path_factory.mktemp("finished")
    study = study_of(trials=4, workers=1)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    assert Study.load(folder / "tiny.yaml", folder / "runs").run(Silent()).exported
    return folder / "runs"
