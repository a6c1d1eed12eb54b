"""zero: sums leave it out, its exclusive inputs are not built, and the rest computes the same."""

from __future__ import annotations

import pytest
import torch

import genome
from genome.testing.measure import check_plan

TEXT = """\
genome: g
input: [3, 8, 8]
classes: 4
widths: {{rule: constant, base: 6}}
nodes:
  a: {{op: conv, in: [image], kernel: 3}}
  b: {{op: conv, in: [a], kernel: 5}}
{nodes}
  out: {{op: exit, in: [{last}]}}
"""
PLAIN = "  s: {op: add, in: [a, b]}"


def loaded(nodes: str, last: str = "s") -> genome.Genome:
    return genome.loads(TEXT.format(nodes=nodes, last=last))


ZEROS = {
    "a zero": "  z: {op: zero, in: [a]}\n  s: {op: add, in: [a, z, b]}",
    "of a zero": "  z: {op: zero, in: [a]}\n  y: {op: zero, in: [z]}\n  s: {op: add, in: [a, y, b]}",
    "nothing passed on": (
        "  z: {op: zero, in: [a]}\n  i: {op: act, in: [z], activation: none}\n  s: {op: add, in: [i, a, b]}"
    ),
    "pooled": (
        "  z: {op: zero, in: [a]}\n  p: {op: pool, in: [z], size: 3, stride: 1, padding: 1}\n"
        "  s: {op: add, in: [a, b, p]}"
    ),
    "rectified": "  z: {op: zero, in: [a]}\n  r: {op: act, in: [z]}\n  s: {op: add, in: [a, b, r]}",
    "a sum of zeros": (
        "  y: {op: zero, in: [a]}\n  z: {op: zero, in: [b]}\n  t: {op: add, in: [y, z], activation: relu}\n"
        "  s: {op: add, in: [t, a, b]}"
    ),
    "what it alone reads": (
        "  c: {op: separable, in: [b]}\n  z: {op: zero, in: [c]}\n  s: {op: add, in: [a, b, z]}"
    ),
}


HALVES = [
    "  z: {op: zero, in: [a]}\n  h: {op: act, in: [z], activation: sigmoid}\n  s: {op: add, in: [a, b, h]}",
    "  y: {op: zero, in: [a]}\n  z: {op: zero, in: [b]}\n  h: {op: add, in: [y, z], activation: sigmoid}\n"
    "  s: {op: add, in: [a, b, h]}",
]


@pytest.mark.parametrize("nodes", HALVES)
def test_the_sigmoid_of_zeros_is_a_half(nodes: str) -> None:
    image = torch.randn(2, 3, 8, 8)
    plan = genome.resolve(loaded(nodes))
    assert "h" in [step.node.name for step in plan.steps]
    seen = {}
    network = genome.build(plan)
    network.nodes["h"].register_forward_hook(lambda _m, _i, out: seen.update(h=out))
    network(image)
    assert torch.equal(seen["h"], torch.full_like(seen["h"], 0.5))


@pytest.mark.parametrize("nodes", ZEROS.values(), ids=ZEROS)
def test_zeros_of_a_sum_are_nothing(nodes: str) -> None:
    plain, with_zeros = genome.resolve(loaded(PLAIN)), genome.resolve(loaded(nodes))
    assert genome.digest(with_zeros) == genome.digest(plain)
    assert [s.node.name for s in with_zeros.steps] == ["a", "b", "s", "out"]
    facts = ("params", "macs", "train_bytes", "infer_bytes", "depth")
    assert [getattr(with_zeros, f) for f in facts] == [getattr(plain, f) for f in facts]
    check_plan(with_zeros)
    image = torch.randn(2, 3, 8, 8)
    (ours,), (theirs,) = (genome.build(plan)(image) for plan in (with_zeros, plain))
    torch.testing.assert_close(ours, theirs)


KEPT = {
    "a norm has a bias": "  n: {op: act, in: [z], norm: batch}\n  s: {op: add, in: [a, b, n]}",
    "a convolution has a norm": "  c: {op: conv, in: [z]}\n  s: {op: add, in: [a, b, c]}",
    "zeros are wider": "  w: {op: conv, in: [a], width: 9}\n  y: {op: zero, in: [w]}\n  s: {op: add, in: [a, b, y]}",
    "inputs are dropped by chance": "  s: {op: add, in: [a, b, z], drop_path: 0.5}",
    "a mean counts them": "  s: {op: mean, in: [a, b, z]}",
}


@pytest.mark.parametrize("nodes", KEPT.values(), ids=KEPT)
def test_zeros_with_an_effect_stay(nodes: str) -> None:
    plan = genome.resolve(loaded("  z: {op: zero, in: [a]}\n" + nodes))
    assert {"y", "z"} & {step.node.name for step in plan.steps}
    assert genome.digest(plan) != genome.digest(loaded(PLAIN))
    check_plan(plan)


def test_a_network_of_zeros_alone_gives_the_bias_of_its_exit() -> None:
    module = check_plan(genome.resolve(loaded("  z: {op: zero, in: [b]}", last="z"))).eval()
    (logits,) = module(torch.randn(2, 3, 8, 8))
    assert torch.equal(logits[0], logits[1])


def test_members_of_a_loop_are_left_as_they_are() -> None:
    text = TEXT.format(nodes="  z: {op: zero, in: [c]}\n  c: {op: add, in: [b, z]}", last="c")
    plan = genome.resolve(genome.loads(text + "loops:\n  l: {order: [c, z], passes: 1}\n"))
    assert [(s.node.name, s.turn) for s in plan.steps if s.turn] == [("c", 1), ("z", 1)]
    check_plan(plan)
