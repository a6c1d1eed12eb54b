"""Children of a study that begin with their parents' weights."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

import genome
from search.errors import StudyError
from search.study import Result
from search.workers.weight_inheritance import transfer_weights

TEXT = """genome: one
input: [1, 8, 8]
classes: 10
nodes:
  stem: {op: conv, in: [image], width: 6}
  out: {op: exit, in: [stem]}
"""


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """The folder of a trial, as a child process writes it."""
    (tmp_path / "genome.yaml").write_text(TEXT)
    network = genome.build(genome.loads(TEXT), seed=3)
    (tmp_path / "weights.safetensors").write_bytes(safetensors.torch.save(network.state_dict()))
    (tmp_path / "report.json").write_text(json.dumps({"number": 7}))
    return tmp_path


def test_a_network_takes_over_what_its_parents_folder_holds(parent: Path) -> None:
    written = genome.loads(TEXT.replace("width: 6", "width: 8"))
    network = genome.build(written)
    found = transfer_weights(network, written, str(parent))
    assert found is not None and found.parent == 7
    assert found.to_json() == {"from": 7, "share": 0.764}  # 54 + 12 + 70 of 72 + 16 + 90
    theirs = safetensors.torch.load_file(parent / "weights.safetensors")["nodes.stem.conv.weight"]
    assert torch.equal(network.state_dict()["nodes.stem.conv.weight"][:6], theirs)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("report.json", Path.unlink),
        ("weights.safetensors", Path.unlink),
        ("weights.safetensors", _cut),
        ("genome.yaml", lambda path: path.write_text("nodes: {")),
        ("genome.yaml", lambda path: path.write_text(TEXT.replace("width: 6", "width: 5"))),
    ],
)
def test_what_is_missing_or_damaged_is_said_and_nothing_is_taken_over(
    parent: Path, name: str, harm: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    harm(parent / name)
    written = genome.loads(TEXT)
    network, drawn = genome.build(written), genome.build(written)
    with caplog.at_level(logging.WARNING):
        assert transfer_weights(network, written, str(parent)) is None
    assert f"no weights inherited from {parent}: " in caplog.text
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), drawn.parameters(), strict=True))


def test_children_of_a_study_inherit_and_their_trials_say_so(run: Callable[..., Result]) -> None:
    result = run(sampler="evolve", inherit=True, trials=16, objectives={"accuracy": "maximize"})
    born = [r for r in result.records if r.origin and r.origin.parents and r.reused is None]
    assert born, "no child was trained"
    for record in result.records:
        if record not in born:
            assert record.inherited is None
    trained = {record.digest: record.number for record in reversed(result.records) if record.reused is None}
    for child in born:
        assert child.origin is not None and child.inherited is not None
        mother = result.records[child.origin.parents[0]]
        assert child.inherited["from"] == trained[mother.digest]
        assert 0 < child.inherited["share"] <= 1


def test_without_the_key_nothing_is_inherited(run: Callable[..., Result]) -> None:
    result = run(sampler="evolve", trials=13, objectives={"accuracy": "maximize"})
    assert any(r.origin and r.origin.parents for r in result.records)
    assert all(record.inherited is None for record in result.records)


def test_only_a_sampler_that_names_parents_can_let_networks_inherit(run: Callable[..., Result]) -> None:
    with pytest.raises(StudyError, match="inherit is true, and tpe makes no genome from those of trials"):
        run(sampler="tpe", inherit=True)
