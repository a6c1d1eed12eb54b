"""Width schedules, and the nodes that take their width from one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import genome
from genome.widths import Widths


def out(text: str) -> dict[str, int]:
    """Return the output channels of each node."""
    plan = genome.resolve(genome.loads(text))
    return {step.node.name: step.info.out.channels for step in plan.steps}


def test_a_constant_schedule_is_its_base() -> None:
    assert [Widths("constant", 7, 0.0).at(i, 3) for i in (1, 2, 3)] == [7, 7, 7]
    assert Widths("constant", 7, 3.0) == Widths("constant", 7)  # the slope has no effect there


def test_adding_is_linear_and_rounds_at_use() -> None:
    """PyramidNet with alpha 48 over 54 blocks has base + 48 k / 54, never rounded on the way."""
    widths = Widths("add", 16, 48.0)
    assert [widths.at(k, 54) for k in (1, 2, 3, 18, 36, 53, 54)] == [17, 18, 19, 32, 48, 63, 64]
    slow = Widths("add", 16, 4.0)  # a rounded running width would stay at 16 forever
    assert slow.at(20, 20) == 20


def test_multiplying_is_geometric() -> None:
    widths = Widths("multiply", 16, 4.75)
    assert widths.at(54, 54) == 76
    assert [Widths("multiply", 4, 8.0).at(k, 3) for k in (1, 2, 3)] == [8, 16, 32]


@settings(deadline=None)
@given(
    st.sampled_from(["constant", "add", "multiply"]),
    st.integers(1, 16_384),
    st.floats(0, 65_536),
    st.integers(1, 300),
)
def test_widths_are_whole_and_positive_and_end_where_they_should(
    rule: str, base: int, alpha: float, steps: int
) -> None:
    widths = Widths(rule, base, alpha)
    found = [widths.at(k, steps) for k in range(1, steps + 1)]
    assert all(type(w) is int and w >= 1 for w in found)
    ends = {"constant": base, "add": base + alpha, "multiply": base * alpha}
    assert found[-1] == max(1, round(ends[rule]))
    assert found == sorted(found, reverse=rule == "multiply" and alpha < 1)


HEAD = """\
genome: g
input: [3, 8, 8]
classes: 2
widths: {rule: add, base: 10, alpha: 30}
nodes:
"""


def test_a_block_is_the_name_before_the_slash_and_steps_once() -> None:
    found = out(
        HEAD
        + """\
  stem: {op: conv, in: [image], width: 4}
  a/1: {op: conv, in: [stem]}
  a/2: {op: conv, in: [a/1], width: 2x}
  p: {op: pool, in: [a/2]}
  b/1: {op: conv, in: [p]}
  a/3: {op: conv, in: [b/1]}
  c.1: {op: separable, in: [a/3]}
  o: {op: exit, in: [c.1]}
"""
    )
    # three blocks take a width: a, b and c.1; stem states its own, p has that of its input
    assert found == {"stem": 4, "a/1": 20, "a/2": 40, "p": 40, "b/1": 30, "a/3": 20, "c.1": 40, "o": 2}


def test_nodes_that_no_exit_needs_take_no_step() -> None:
    dead = "  dead: {op: conv, in: [image]}\n"
    rest = "  a: {op: conv, in: [image]}\n  b: {op: conv, in: [a]}\n  o: {op: exit, in: [b]}\n"
    assert out(HEAD + dead + rest) == out(HEAD + rest) == {"a": 25, "b": 40, "o": 2}


def test_edges_are_as_wide_as_their_sources() -> None:
    text = (
        HEAD + "  a: {op: conv, in: [image]}\n  b: {op: concat, in: [a, image]}\n  o: {op: exit, in: [b]}\n"
    )
    plan = genome.resolve(genome.loads(text))
    assert plan.widths == {("image", "a"): 3, ("a", "b"): 40, ("image", "b"): 3, ("b", "o"): 43}


def test_a_join_has_the_widest_input_or_its_stated_width() -> None:
    found = out(
        HEAD
        + """\
  a: {op: conv, in: [image], width: 5}
  j: {op: add, in: [a, image]}
  k: {op: mean, in: [a, image], width: 4}
  o: {op: exit, in: [j, k]}
"""
    )
    assert (found["j"], found["k"]) == (5, 4)


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (
            "{op: pool, in: [image], width: 5}",
            "x.width is 5; a pool has the width of its inputs and takes none",
        ),
        (
            "{op: concat, in: [image], width: 5}",
            "x.width is 5; a concat has the width of its inputs and takes none",
        ),
        (
            "{op: exit, in: [image], width: 5}",
            "x.width is 5; an exit has one output per class and takes no width",
        ),
        ("{op: add, in: [image], width: 2x}", "x.width is 2x; only a scheduled width may be a multiple"),
        ("{op: conv, in: [image], width: 0}", "x.width is 0; it may be 1..65536, or a multiple such as 4x"),
        ("{op: conv, in: [image], width: 0x}", "x.width is 0x; it may be 1..65536, or a multiple such as 4x"),
        (
            "{op: conv, in: [image], width: 8.0}",
            "x.width is 8.0; it may be 1..65536, or a multiple such as 4x",
        ),
        (
            "{op: conv, in: [image], width: true}",
            "x.width is true; it may be 1..65536, or a multiple such as 4x",
        ),
    ],
)
def test_widths_that_are_refused(node: str, sentence: str) -> None:
    with pytest.raises(genome.SourceError) as caught:
        read = "image" if "exit" in node else "x"
        genome.loads(HEAD + f"  x: {node}\n  o: {{op: exit, in: [{read}]}}\n", path="g.yaml")
    assert str(caught.value) == f"g.yaml:6  {sentence}"
