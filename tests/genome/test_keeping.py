"""net.keeping chooses the inputs of joins, in training and in evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import genome
from genome.network import Network
from tests.by_hand import EXACT, classified, image, network, norm

FRACTAL = """\
genome: g
input: [3, 8, 8]
classes: 5
nodes:
  f: {op: fractal, in: [image], columns: 3, width: 4}
  out: {op: exit, in: [f]}
"""
RESIDUAL = """\
genome: g
input: [4, 8, 8]
classes: 5
nodes:
  r: {op: residual, in: [image], width: 4, drop_path: 0.25}
  out: {op: exit, in: [r]}
"""
SUM = """\
genome: g
input: [3, 8, 8]
classes: 5
nodes:
  a: {op: conv, in: [image], width: 4, order: conv}
  b: {op: conv, in: [image], width: 4, order: conv}
  j: {op: add, in: [a, b], activation: relu}
  early: {op: exit, in: [a]}
  out: {op: exit, in: [j]}
"""
LOOP = """\
genome: g
input: [4, 8, 8]
classes: 5
nodes:
  a: {op: conv, in: [image, j], width: 4}
  j: {op: add, in: [image, a, b], drop_path: 0.5}
  b: {op: conv, in: [j], width: 4}
  out: {op: exit, in: [j]}
loops:
  l: {order: [a, j, b], passes: 1}
"""


def unit(net: Network, name: str, x: Tensor) -> Tensor:
    """Apply convolution, norm, ReLU of a node."""
    own = net.node(name)
    return F.relu(norm(F.conv2d(x, own.conv.weight, padding=1), own.norm))


def column(net: Network, x: Tensor, *names: str) -> Tensor:
    for name in names:
        x = unit(net, f"f/{name}", x)
    return x


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("keep", "columns"),
    [
        ({"f/j4": ["f/c1.1"]}, [["c1.1"]]),
        ({"f/j4": ["f/c2.2"], "f/j2": ["f/c2.1"]}, [["c2.1", "c2.2"]]),
        ({"f/j4": ["f/c3.4"], "f/j2": ["f/c3.2"]}, [["c3.1", "c3.2", "c3.3", "c3.4"]]),
        ({"f/j4": ["f/c3.4", "f/c1.1"], "f/j2": ["f/c2.1"]}, [["c1.1"], ["c2.1", "c3.3", "c3.4"]]),
        ({"f/j4": "f/c1.1"}, [["c1.1"]]),
    ],
)
def test_the_columns_of_a_fractal(
    keep: Mapping[str, Sequence[str]], columns: list[list[str]], training: bool
) -> None:
    net, x = network(FRACTAL, training), image()
    with net.keeping(keep):
        (found,) = net(x)
    wanted = sum(column(net, x, *names) for names in columns) / len(columns)
    torch.testing.assert_close(found, classified(wanted, net.node("out")), **EXACT)


@pytest.mark.parametrize("training", [False, True])
def test_joins_without_a_choice_read_everything(training: bool) -> None:
    net, x = network(FRACTAL, training), image()
    with net.keeping({}):
        (found,) = net(x)
    joined = (column(net, x, "c2.1") + column(net, x, "c3.1", "c3.2")) / 2
    deep = column(net, joined, "c2.2"), column(net, joined, "c3.3", "c3.4")
    wanted = (column(net, x, "c1.1") + deep[0] + deep[1]) / 3
    torch.testing.assert_close(found, classified(wanted, net.node("out")), **EXACT)


def test_nodes_that_no_exit_needs_do_not_run() -> None:
    net, x = network(FRACTAL), image()
    ran = []
    for name in net.names():
        net.node(name).register_forward_hook(lambda *_, name=name: ran.append(name))
    with net.keeping({"f/j4": ["f/c1.1"]}):
        net(x)[0].sum().backward()
    assert ran == ["f/c1.1", "f/j4", "out"]
    assert net.node("f/c3.1").conv.weight.grad is None
    assert net.node("f/c1.1").conv.weight.grad is not None


@pytest.mark.parametrize("training", [False, True])
def test_stochastic_depth_keeps_its_factor_in_evaluation(training: bool) -> None:
    net, x = network(RESIDUAL, training), image(4)
    with net.keeping({}):
        (found,) = net(x)
    second = net.node("r/conv2")
    branch = norm(F.conv2d(unit(net, "r/conv1", x), second.conv.weight, padding=1), second.norm)
    wanted = F.relu(x + (branch if training else 0.75 * branch))
    torch.testing.assert_close(found, classified(wanted, net.node("out")), **EXACT)


@pytest.mark.parametrize("training", [False, True])
def test_the_shortcut_alone(training: bool) -> None:
    net, x = network(RESIDUAL, training), image(4)
    with net.keeping({"r/add": ["image"]}):
        (found,) = net(x)
    torch.testing.assert_close(found, classified(F.relu(x), net.node("out")), **EXACT)


@pytest.mark.parametrize("training", [False, True])
def test_an_input_that_is_kept_alone_stays_as_it_is(training: bool) -> None:
    """The ReLU after a sum runs in place; without a sum it would change what the other exit reads."""
    net, x = network(SUM, training), image()
    a = F.conv2d(x, net.node("a").weight, padding=1)
    with net.keeping({"j": ["a"]}):
        early, out = net(x)
    torch.testing.assert_close(early, classified(a, net.node("early")), **EXACT)
    torch.testing.assert_close(out, classified(F.relu(a), net.node("out")), **EXACT)
    (early.sum() + out.sum()).backward()


def test_the_choice_ends_with_the_block() -> None:
    net, x = network(FRACTAL, training=False), image()
    (before,) = net(x)
    with net.keeping({"f/j4": ["f/c1.1"]}):
        with net.keeping({"f/j4": ["f/c2.2"]}):
            (inner,) = net(x)
        (outer,) = net(x)
    assert not torch.equal(inner, outer)
    with pytest.raises(RuntimeError), net.keeping({"f/j4": ["f/c1.1"]}):
        net(x[:, :1])
    assert torch.equal(net(x)[0], before)


def test_a_loop_chooses_in_each_pass() -> None:
    net, x = network(LOOP, training=True), image(4)
    with net.keeping({"j": ["a", "b"]}):
        net(x)  # the first pass reads a, the second a and b
    with net.keeping({"j": ["image", "a", "b"]}):
        net(x)


@pytest.mark.parametrize(
    ("text", "keep", "said"),
    [
        (FRACTAL, {"f/j9": ["f/c1.1"]}, "f/j9: no add or mean of the network"),
        (FRACTAL, {"f": ["f/c1.1"]}, "f: no add or mean of the network"),
        (FRACTAL, {"f/c1.1": ["image"]}, "f/c1.1: no add or mean of the network"),
        (FRACTAL, {"f/j2": ["f/c1.1"]}, "f/j2 does not read f/c1.1; it reads f/c2.1, f/c3.2"),
        (FRACTAL, {"f/j2": []}, "f/j2 must keep one of f/c2.1, f/c3.2"),
        (RESIDUAL, {"r/add": ["r/conv2"]}, "r/add always keeps its shortcut, image"),
        (LOOP, {"j": ["b"]}, "j must keep one of image, a in pass 0"),
        (LOOP, {"j": ["image", "b"]}, "j always keeps its shortcut, a"),
    ],
)
def test_what_can_not_be_kept(text: str, keep: Mapping[str, Sequence[str]], said: str) -> None:
    net = genome.build(genome.loads(text))
    with pytest.raises(ValueError) as error, net.keeping(keep):
        pass
    assert str(error.value) == said
    assert net._kept is None
