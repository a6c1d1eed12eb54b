"""`genome experience`: the file of one's own studies, and studies that begin with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search.samplers.surrogate.experience import FILE, read
from tests.search.conftest import Said

SPACE: dict[str, Any] = {
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "kernel": {"one_of": [1, 3]}, "width": {"int": [2, 16]}},
        "deep": {
            "op": "stack",
            "in": ["stem"],
            "width": {"int": [2, 16]},
            "depth": {"int": [1, 3]},
            "body": {"op": "conv"},
        },
        "out": {"op": "exit", "in": ["deep"]},
    }
}
ONE_GOAL = {"objectives": {"accuracy": "maximize"}, "space": SPACE, "pruner": "none"}


@pytest.fixture
def first(command: Callable[..., Said], written: Callable[..., Path]) -> Said:
    """A study of eight drawn networks."""
    said = command("search", written(**ONE_GOAL, trials=8))
    assert said.status == 0
    return said


def test_what_a_study_found_is_what_the_next_begins_with(
    first: Said, command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    said = command("experience", "tiny", "--to", "mine.json.gz")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("tiny: 8 networks\n")
    *shipped, mine = read((tmp_path / "mine.json.gz").read_bytes())
    assert shipped == read(FILE.read_bytes())
    assert mine.data == "tiny" and all(mine.are_drawn)
    best = json.loads(command("best", "tiny", "--json").out)["trials"]
    assert max(mine.accuracies) == best[0]["metrics"]["accuracy"]

    changes = {**ONE_GOAL, "sampler": {"name": "bayes", "seed": 1}, "trials": 2}
    said = command("search", written(**changes, study="next", experience="mine.json.gz"))
    assert (said.status, said.err) == (0, "")
    listed = command("best", "next", "--all", "--json").out
    assert "from experience" in listed or "by experience" in listed
    said = command("search", written(**changes, study="alone", experience="none"))
    assert said.status == 0 and "experience" not in command("best", "alone", "--all", "--json").out


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "No such file"), (b"noise", "is broken"), (b"", "is broken")]
)
def test_a_study_goes_on_without_a_file_that_cannot_be_read(
    content: bytes | None,
    sentence: str,
    command: Callable[..., Said],
    written: Callable[..., Path],
    tmp_path: Path,
) -> None:
    if content is not None:
        (tmp_path / "mine.json.gz").write_bytes(content)
    changes = {**ONE_GOAL, "sampler": "bayes", "trials": 2}
    said = command("search", written(**changes, experience="mine.json.gz"))
    assert said.status == 0
    assert said.err.count("; the study goes on without experience") == 1
    assert f"mine.json.gz: {sentence}" in said.err


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"trials": 4}, "study tiny has 4 networks that were trained to the end; experience needs 5 or more"),
        (
            {"trials": 5, "train": {"epochs": 1, "lr": {"one_of": [0.01, 0.1]}}},
            "study tiny searches its recipe, so that its networks were not trained alike",
        ),
        (
            {"trials": 5, "inherit": True, "sampler": "evolve"},
            "study tiny inherits weights, so that its networks were not trained alike",
        ),
    ],
)
def test_studies_that_teach_nothing_are_refused_and_nothing_is_written(
    changes: dict[str, Any],
    sentence: str,
    command: Callable[..., Said],
    written: Callable[..., Path],
    tmp_path: Path,
) -> None:
    assert command("search", written(**{**ONE_GOAL, **changes})).status == 0
    said = command("experience", "tiny", "--to", "mine.json.gz")
    assert said.status == 2 and sentence in said.err and len(said.err.splitlines()) <= 2
    assert not (tmp_path / "mine.json.gz").exists()


def test_a_file_that_cannot_be_written_is_a_sentence(
    first: Said, command: Callable[..., Said], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    said = command("experience", "tiny", "--to", "file/mine.json.gz")
    assert said.status == 2 and len(said.err.splitlines()) <= 2 and "Traceback" not in said.err


def test_the_experience_of_a_study_may_change(
    command: Callable[..., Said], written: Callable[..., Path]
) -> None:
    changes = {**ONE_GOAL, "sampler": "bayes"}
    assert command("search", written(**changes, trials=1)).status == 0
    said = command("search", written(**changes, trials=2, experience="none"))
    assert said.status == 0 and "2 trials" in said.out


def test_only_a_file_of_experience_is_replaced(
    first: Said, command: Callable[..., Said], tmp_path: Path
) -> None:
    for _ in range(2):
        assert (
            command("experience", "tiny", "tiny", "--to", "mine.json.gz").out.count("tiny: 8 networks") == 1
        )
    (tmp_path / "other.json.gz").write_bytes(b"mine")
    (tmp_path / "folder.json.gz").mkdir()
    (tmp_path / "lost.json.gz").symlink_to("nowhere")
    for name, sentence in (
        ("other.json.gz", "other.json.gz is broken"),
        ("folder.json.gz", "folder.json.gz is no plain file"),
        ("lost.json.gz", "lost.json.gz is no plain file"),
        ("tiny.yaml", "--to is 'tiny.yaml'; name a file that ends with .json.gz"),
    ):
        said = command("experience", "tiny", "--to", name)
        assert said.status == 2 and sentence in said.err and said.err.count("\n") == 1
    assert (tmp_path / "other.json.gz").read_bytes() == b"mine"


@pytest.mark.parametrize("value", ["AUTO", "", "pics", "a\0.json.gz", True, 5, ["auto"], {"a": 1}])
def test_other_words_are_refused_with_their_place(
    value: object, command: Callable[..., Said], written: Callable[..., Path]
) -> None:
    said = command("check", written(**ONE_GOAL, experience=value))
    assert said.status == 2
    assert "it may be auto, none, or a file of `genome experience` such as mine.json.gz" in said.err
    assert "tiny.yaml:" in said.err
