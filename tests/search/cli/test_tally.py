"""The lines of a search: every objective of the study is in the line of a trial."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from search.cli.tally import Tally
from search.storage.record import Record
from search.study import Study

USUAL = "trial 3  acc 0.9000  loss 0.4000  params 1,200  macs 20k"
METRICS = {
    "accuracy": 0.9,
    "loss": 0.4,
    "auc": 0.97,
    "params": 1200.0,
    "macs": 20e3,
    "memory": 2048.0,
    "expected_macs": 5e3,
}


def line(written: Callable[..., Path], objectives: Any, **more: Any) -> str:
    config = Study.load(written(objectives=objectives, **more)).config
    return Tally(config).trial(Record(3, "done", params=1200, macs=20_000, metrics=METRICS))


def test_an_objective_that_no_other_study_has_is_in_the_line(written: Callable[..., Path]) -> None:
    """Seen: a search for few expected multiply-adds showed those of the whole network alone."""
    assert line(written, "accuracy") == USUAL
    assert line(written, ["accuracy", "params", "macs"]) == USUAL
    assert line(written, ["accuracy", "memory"]) == f"{USUAL}  memory 2.0 KiB"
    assert line(written, "auc") == USUAL.replace("acc", "auc 0.9700  acc")
    exits = line(written, ["accuracy", "expected_macs"], exits={"drop": "1%"})
    assert exits == f"{USUAL}  expected_macs 5k"
