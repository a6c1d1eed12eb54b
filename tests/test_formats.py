"""Studies, checkpoints and exports that version 0.1.0 wrote are read, shown and resumed by this version."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import search
from search.results.export import export
from search.results.refs import open_study
from search.run.progress import Silent
from search.storage.record import Record
from search.storage.study import open_to_read

FORMATS = Path(__file__).with_name("formats")
# 0.1.0 called the sampler bayes kernel
EXPECTED: dict[str, Any] = json.loads(
    (FORMATS / "expected.json").read_text().replace('"by": "kernel"', '"by": "bayes"')
)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A copy of the stored studies, because a run writes to its storage."""
    for name in ("finished", "interrupted"):
        shutil.copytree(FORMATS / name, tmp_path / "runs" / name)
    return tmp_path / "runs"


class Epochs(Silent):
    """Records the epochs that are trained, by trial."""

    def __init__(self) -> None:
        self.trained: dict[int, list[int]] = {}

    def epoch(self, number: int, row: Any, epochs: int) -> None:
        self.trained.setdefault(number, []).append(row["epoch"])


def plain(record: Record) -> dict[str, Any]:
    """Return the record in the form of JSON, with the genome; of a finale what is stored, which is its trainings."""
    return _stored(json.loads(json.dumps({**record.to_json(), "genome": record.genome})))


def _stored(record: dict[str, Any]) -> dict[str, Any]:
    """Return what was stored then: of a latency nothing, since measurements were not kept, no folds, no losses."""
    return {
        "latency": None,
        "folds": {},
        "losses": {},
        **record,
        "finale": record["finale"] and record["finale"]["seeds"],
    }


@pytest.mark.parametrize("name", ["finished", "interrupted"])
def test_a_stored_study_reads_the_same(runs: Path, name: str) -> None:
    opened = open_study(name, runs, None)
    assert [plain(record) for record in opened.store.records()] == [*map(_stored, EXPECTED[name]["records"])]
    assert opened.store.spent_seconds() == EXPECTED[name]["spent_seconds"]
    assert opened.config.name == name


def test_an_export_gives_the_same_logits() -> None:
    module, info = search.load_export(FORMATS / "finished" / "best")
    module.eval()
    with torch.no_grad():
        logits = module(torch.linspace(0, 1, 2 * 64).view(2, 1, 8, 8))
    for found, stored in zip(logits, EXPECTED["logits"], strict=True):
        assert torch.allclose(found, torch.tensor(stored), atol=1e-6)
    assert info["trial"] == 1 and info["seeds"]["train"] == 2


def test_a_finished_study_goes_no_further_and_exports_again(runs: Path, tmp_path: Path) -> None:
    before = open_to_read("finished", runs).records()
    result = search.Study.load(FORMATS / "finished.yaml", runs).run()
    assert result.records == tuple(before) and "all 8 trials were made" in result.stop
    assert result.exported is not None
    valid = search.load_export(result.exported)[1]["accuracy"]["valid"]
    assert valid == result.best[0].metrics["accuracy"], (
        "the search's own weights are better than those it had"
    )
    opened = open_study("finished", runs, None)
    export(opened.store, opened.config, result.best[0], tmp_path / "finale", weights_of="finale")
    again, _ = search.load_export(tmp_path / "finale")
    first, _ = search.load_export(FORMATS / "finished" / "best")
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items())


def test_an_interrupted_study_resumes_from_its_checkpoint(runs: Path) -> None:
    epochs = Epochs()
    result = search.Study.load(FORMATS / "interrupted.yaml", runs).run(epochs)
    (old, new) = result.records
    assert (old.outcome, new.outcome, new.retry_of, new.epochs) == ("interrupted", "done", 0, 120)
    assert old.seconds == EXPECTED["interrupted"]["records"][0]["seconds"], "spent seconds stay spent"
    first = epochs.trained[new.number][0]
    assert first > 10 and epochs.trained[new.number] == [*range(first, 121)]
