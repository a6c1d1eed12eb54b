"""net.kernel is the kernel of a node over one of its inputs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import genome
from genome.network import Network

TEXT = """\
genome: g
input: [3, 8, 8]
classes: 5
nodes:
  a: {op: conv, in: [image], width: 4, order: conv}
  b: {op: conv, in: [image, a], width: 6, order: conv, groups: 2}
  c: {op: separable, in: [a, b], width: 6}
  out: {op: exit, in: [a, c], pool: flatten}
"""
CLIQUE = """\
genome: g
input: [3, 8, 8]
classes: 5
nodes:
  b: {op: clique, in: [image], nodes: 3, width: 4}
  out: {op: exit, in: [b]}
"""


def built(text: str) -> Network:
    return genome.build(genome.loads(text)).double().eval()


def test_it_is_a_view_of_the_weight() -> None:
    net = built(TEXT)
    net.kernel("out", "c").fill_(7.0)
    whole = net.node("out").linear.weight
    assert whole.shape == (5, (4 + 6) * 64)
    assert bool((whole[:, 4 * 64 :] == 7.0).all()) and not bool((whole[:, : 4 * 64] == 7.0).any())


def test_groups_divide_the_channels_of_each_input() -> None:
    net = built(TEXT)
    assert net.kernel("b", "image").shape == (6, 3, 3, 3)  # 2 groups do not divide 3 channels
    assert net.kernel("b", "a").shape == (6, 2, 3, 3)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        a = net.node("a")(x)
        wanted = F.conv2d(x, net.kernel("b", "image"), padding=1)
        wanted += F.conv2d(a, net.kernel("b", "a"), padding=1, groups=2)
        torch.testing.assert_close(net.node("b")(x, a), wanted)


def test_of_several_tensors_one_is_named() -> None:
    net = built(TEXT)
    assert net.kernel("c", "b", "depthwise.weight").shape == (6, 1, 3, 3)
    assert net.kernel("c", "b", "pointwise.weight").shape == (6, 6, 1, 1)


def test_a_clique_has_a_kernel_for_each_pair() -> None:
    net = built(CLIQUE)
    for j in (1, 2, 3):
        for source in ["image", *(f"b/{i}" for i in (1, 2, 3) if i != j)]:
            net.kernel(f"b/{j}", source).fill_(float(j))
    for j in (1, 2, 3):  # the passes share them
        assert bool((net.node(f"b/{j}", 0).conv.weight == j).all())
        assert net.node(f"b/{j}", 0).conv.weight is net.node(f"b/{j}", 1).conv.weight


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("d", "a"), "the network has no node d"),
        (("a", "image"), "a has no kernel over several inputs; net.node('a') has its tensors"),
        (("b", "c"), "b does not read c; it reads image, a"),
        (
            ("c", "a"),
            "c has 2 kernels over its inputs; name one: depthwise.weight or pointwise.weight",
        ),
        (
            ("c", "a", "mix.weight"),
            "c has no kernel mix.weight over several inputs; it has depthwise.weight or pointwise.weight",
        ),
        (("b", "a", "weight"), "b has no kernel weight over several inputs; it has conv.weight"),
    ],
)
def test_what_is_not_there(asked: tuple[str, ...], said: str) -> None:
    with pytest.raises(KeyError) as error:
        built(TEXT).kernel(*asked)
    assert error.value.args == (said,)
