"""The files of a training: what was changed since it was written is refused by name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from search.errors import StudyError
from search.storage.trial_files import read_report, read_training, write_training
from tests.search.conftest import Said

FILES = ("genome.yaml", "weights.safetensors", "report.json")
REPORT = {"digest": "ab", "number": 3, "valid_accuracy": 0.9861111111111112, "curve": [{"epoch": 1}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    weights = safetensors.torch.save({"w": torch.linspace(-1, 1, 40)})
    write_training(tmp_path, "genome: one\n", weights, REPORT)
    return tmp_path


def test_what_was_written_is_read(folder: Path) -> None:
    found = read_training(folder, ("ab", 3))
    assert (found.text, found.report) == ("genome: one\n", REPORT)
    assert torch.equal(safetensors.torch.load(found.weights)["w"], torch.linspace(-1, 1, 40))
    report = read_report(folder, "ab", 3)
    assert report is not None and report["valid_accuracy"] == REPORT["valid_accuracy"]


@pytest.mark.parametrize("name", FILES)
def test_every_bit_that_is_flipped_is_seen(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    for at in range(len(whole)):
        (folder / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        with pytest.raises(StudyError, match=name):
            read_training(folder)
        if name == "report.json":
            assert read_report(folder, "ab", 3) is None


@pytest.mark.parametrize("content", ["{}", "[]", "null", "", "[" * 100_000, '{"files": 1}', '{"sha256": []}'])
def test_a_report_of_other_content_is_none(folder: Path, content: str) -> None:
    (folder / "report.json").write_text(content)
    assert read_report(folder, "ab", 3) is None
    with pytest.raises(StudyError, match=r"report\.json"):
        read_training(folder, ("ab", 3))


def test_a_training_of_another_trial_or_network_is_refused(folder: Path) -> None:
    for of in (("ab", 4), ("ac", 3), (None, 3)):
        assert read_report(folder, *of) is None
        with pytest.raises(StudyError, match="of another training"):
            read_training(folder, of)


def test_a_training_of_an_earlier_version_has_no_sums(folder: Path) -> None:
    (folder / "report.json").write_text(json.dumps(REPORT))
    assert read_training(folder, ("ab", 3)).report == REPORT


def test_changed_weights_of_a_trial_are_not_exported(
    finished: Path, command: Callable[..., Said], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(finished, runs)
    best = json.loads((runs / "tiny" / "best" / "report.json").read_text())["trial"]
    for path in (runs / "tiny" / "trials" / str(best)).rglob("weights.safetensors"):
        weights = bytearray(path.read_bytes())
        weights[-1] ^= 1
        path.write_bytes(weights)
    for words in (("export", f"tiny#{best}", "--to", "mine"), ("exits", f"tiny#{best}")):
        said = command(*words)
        assert said.status == 2 and "was changed since it was written (sha256)" in said.err, words
    assert not Path("mine").exists()
