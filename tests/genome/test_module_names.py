"""The names of modules: identifiers, one for each step; the names of earlier versions are read."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import genome
from genome.module_names import earlier_name, module_names
from genome.network import Network
from trainer import Checkpoint, Recipe, fit, load

LOOP = """\
genome: g
input: [1, 8, 8]
classes: 10
nodes:
  half: {op: conv, in: [image], width: 4}
  s.1: {op: residual, in: [half], width: 4}
  s_1__conv1: {op: conv, in: [s.1], width: 4}
  b: {op: clique, in: [s_1__conv1], nodes: 2, passes: 1, width: 3}
  out: {op: exit, in: [b]}
"""


def earlier(net: Network) -> dict[str, torch.Tensor]:
    """Return the state dict under the names of earlier versions."""
    names = {name: old for old, name in net._earlier.items()}
    split = {key: key.split(".", 2) for key in net.state_dict()}
    return {
        ".".join([first, names[node], rest]): net.state_dict()[key]
        for key, (first, node, rest) in split.items()
    }


def test_names_are_identifiers_and_unique() -> None:
    plan = genome.resolve(genome.loads(LOOP))
    names = module_names(plan.steps)
    assert len(set(names)) == len(plan.steps) and all(name.isidentifier() for name in names)
    assert names[:4] == ("half_", "s_1__conv1", "s_1__conv2", "s_1__add")
    assert "s_1__conv1_" in names, "a name that is taken gets an underscore"
    assert "b__1__pass1" in names


def test_no_name_of_the_zoo_has_a_separator() -> None:
    for word in genome.zoo.names():
        plan = genome.resolve(genome.zoo.get(word))
        names = module_names(plan.steps)
        assert len(set(names)) == len(names) and all(name.isidentifier() for name in names), word


def test_a_state_dict_of_an_earlier_version_is_loaded() -> None:
    plan = genome.resolve(genome.loads(LOOP))
    old, new = genome.build(plan, seed=1), genome.build(plan, seed=2)
    stored = earlier(old)
    assert {"nodes.half:.conv.weight", "nodes.s:1/conv1.conv.weight", "nodes.b/1@1.norm.weight"} <= set(
        stored
    )
    assert "nodes.s_1__conv1.conv.weight" in stored, "today's name of another node"
    new.load_state_dict(stored)
    for name, tensor in old.state_dict().items():
        assert torch.equal(new.state_dict()[name], tensor), name
    new.load_state_dict(genome.build(plan, seed=3).state_dict())  # and one of today


def test_a_part_of_a_larger_module_is_loaded_too() -> None:
    plan = genome.resolve(genome.loads(LOOP))
    old = genome.build(plan, seed=1)
    whole = nn.Sequential(genome.build(plan, seed=2), nn.Identity())
    whole.load_state_dict({f"0.{name}": tensor for name, tensor in earlier(old).items()})
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), old.parameters(), strict=True))


@pytest.mark.parametrize("name", ["nodes.stranger.conv.weight", "stranger"])
def test_a_strange_entry_is_refused(name: str) -> None:
    net = genome.build(genome.loads(LOOP))
    with pytest.raises(RuntimeError, match="stranger"):
        net.load_state_dict({**net.state_dict(), name: torch.zeros(1)})


def test_a_checkpoint_of_an_earlier_version_is_resumed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    plan = genome.resolve(genome.loads(LOOP))
    data, recipe = load("digits"), Recipe(epochs=4, batch=256)
    file = Checkpoint(tmp_path / "checkpoint", every_seconds=0.0)
    net = genome.build(plan)
    half = fit(net, data, recipe=recipe, checkpoint=file, stop_asked=lambda: file.path.exists())
    state = file.load()
    assert state is not None and half.epochs < 4
    names = dict(zip(net.state_dict(), earlier(net), strict=True))
    for tensors in (
        state["network"],
        state["module"],
        *filter(None, [(state["progress"]["best"] or {}).get("weights")]),
    ):
        for name in [*tensors]:
            tensors[names[name]] = tensors.pop(name)
    file.save(state)
    report = fit(genome.build(plan), data, recipe=recipe, checkpoint=file)
    assert report.epochs == 4 and set(report.best_weights or {}) == set(net.state_dict())


def test_the_earlier_name_is_what_it_was() -> None:
    steps = genome.resolve(genome.loads(LOOP)).steps
    assert [earlier_name(step) for step in steps][:2] == ["half:", "s:1/conv1"]
