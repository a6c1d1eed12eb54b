"""A space: its questions, the stand-ins for nodes that are left out, and the refusals of encode."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

import genome
from genome.domain import FLAG, Domain, Float, Int, OneOf
from genome.graph import Genome, Loop, Node, Times
from genome.op import Shape
from genome.widths import Widths
from genome.yaml.source import SourceError, parse
from search.space.holes import SpaceError
from search.space.parse import space_of
from search.space.space import Space
from tests.widest import widest

TEXT = """\
space:
  widths: {rule: {one_of: [constant, add]}, base: {int: [4, 8]}, alpha: {float: [1, 9]}}
  nodes:
    stem: {op: conv, in: [image], kernel: 3, width: 8}
    (a): {op: {one_of: [conv, pool]}, in: [stem, (image)], kernel: {one_of: [1, 3]}, dilation: {one_of: [1, 2]}}
    (b): {op: stack, in: [a], depth: {int: [1, 3]}, body: {op: {one_of: [conv, separable]}}}
    c: {op: conv, in: [b, (a), (stem)], width: {one_of: [4, 8]}}
    out: {op: exit, in: [c]}
"""


def space(text: str = TEXT) -> Space:
    return space_of(parse(text, "s.yaml"), ("space",), "s", Shape(3, 8, 8), 4)


SPACE = space()
MULTIPLES = TEXT.replace("width: {one_of: [4, 8]}", "width: {one_of: [1x, 3x, 8]}")


@pytest.mark.parametrize(("answer", "width"), [("1x", Times(1)), ("3x", Times(3)), (8, 8)])
def test_a_width_may_be_one_of_several_multiples(answer: str | int, width: int | Times) -> None:
    wide = space(MULTIPLES)
    drawn = wide.decode(lambda name, domain: answer if name == "c.width" else domain.draw(Random(3)))
    assert drawn.by_name["c"].width == width
    assert wide.encode(drawn)["c.width"] == answer
    assert genome.loads(genome.dump(drawn)) == drawn and drawn in wide


def test_a_width_that_is_not_stated_is_once_the_schedule() -> None:
    wide = space(TEXT.replace("width: {one_of: [4, 8]}", "width: {one_of: [1x, 3x]}"))
    drawn = wide.decode(lambda name, domain: "1x" if name == "c.width" else domain.draw(Random(3)))
    c = drawn.by_name["c"]._replace(width=None)
    unstated = replace(drawn, nodes=tuple(c if node.name == "c" else node for node in drawn.nodes))
    assert wide.nearest(unstated) == (wide.encode(drawn), drawn)


@pytest.mark.parametrize("wrong", ["wide", "0x", "100x", "4.5", "0"])
def test_other_multiples_are_refused_with_their_line(wrong: str) -> None:
    with pytest.raises(SourceError, match=r"^s\.yaml:7  c\.width is .*; it may be .* multiple such as 4x"):
        space(MULTIPLES.replace("3x", wrong))


def answered(space: Space, **wanted: Any) -> Genome:
    """Return the genome of some answers; the others are the first or lowest of their domains; keys have _ for signs."""

    def answer(name: str, domain: Domain) -> Any:
        if name in wanted:
            return wanted[name]
        return domain.choices[-1] if isinstance(domain, OneOf) else domain.low

    return space.decode(answer)


def asked(space: Space, answers: dict[str, Any], everything: bool = False) -> list[str]:
    names: list[str] = []

    def answer(name: str, domain: Domain) -> Any:
        names.append(name)
        return answers.get(name, domain.choices[0] if isinstance(domain, OneOf) else domain.low)

    space.decode(answer, everything=everything)
    return names


# --- questions


def test_holes_are_every_question_in_the_order_of_the_walk() -> None:
    assert SPACE.holes == {
        "(a)": FLAG,
        "(b)": FLAG,
        "widths.rule": OneOf("constant", "add"),
        "widths.base": Int(4, 8),
        "widths.alpha": Float(1, 9),
        "a.op": OneOf("conv", "pool"),
        "a.conv.kernel": OneOf(1, 3),
        "a.conv.dilation": OneOf(1, 2),
        "a<image": FLAG,
        "b.stack.depth": Int(1, 3),
        "b.stack.body.op": OneOf("conv", "separable"),
        "c.width": OneOf(4, 8),
        "c<a": FLAG,
        "c<stem": FLAG,
    }
    assert list(SPACE.holes)[:3] == ["(a)", "(b)", "widths.rule"]


@pytest.mark.parametrize(
    ("answers", "silent"),
    [
        ({}, {"widths.alpha", "a.op", "a.conv.kernel", "a.conv.dilation", "a<image", "b.stack.depth",
              "b.stack.body.op", "c<a", "c<stem"}),
        ({"widths.rule": "add"}, {"a.op", "a.conv.kernel", "a.conv.dilation", "a<image", "b.stack.depth",
                                  "b.stack.body.op", "c<a", "c<stem"}),
        ({"(a)": True}, {"widths.alpha", "a.conv.dilation", "b.stack.depth", "b.stack.body.op", "c<a"}),
        ({"(a)": True, "(b)": True, "a.op": "pool"}, {"widths.alpha", "a.conv.kernel", "a.conv.dilation"}),
        ({"(a)": True, "(b)": True, "a.conv.kernel": 3}, {"widths.alpha"}),
    ],
)  # fmt: skip
def test_only_what_counts_is_asked(answers: dict[str, Any], silent: set[str]) -> None:
    """The space does not ask for absent nodes, types not chosen, genes without effect, or edges that exist anyway."""
    assert asked(SPACE, answers) == [name for name in SPACE.holes if name not in silent]


@pytest.mark.parametrize("seed", range(20))
def test_everything_asks_the_same_names_always_and_makes_the_same_genome(seed: int) -> None:
    for space in (SPACE, widest()):
        rng = Random(seed)
        answers = {name: domain.draw(rng) for name, domain in space.holes.items()}
        assert asked(space, answers, everything=True) == list(space.holes)
        every = space.decode(lambda name, _: answers[name], everything=True)  # noqa: B023
        assert every == space.decode(lambda name, _: answers[name])  # noqa: B023


def test_samples_are_drawn_from_every_choice() -> None:
    rng, seen = Random(0), set()
    for _ in range(300):
        drawn = SPACE.sample(rng)
        assert drawn in SPACE
        seen |= {(n.name, n.op.word) for n in drawn.nodes} | {
            ("c", n.width) for n in drawn.nodes if n.name == "c"
        }
    assert seen >= {("a", "conv"), ("a", "pool"), ("b", "stack"), ("c", 4), ("c", 8)}


# --- nodes that are left out


def ins(name: str, **wanted: Any) -> tuple[str, ...]:
    return answered(SPACE, **wanted).by_name[name].ins


def test_a_node_that_is_left_out_is_stood_in_for_by_what_it_reads() -> None:
    every = {"(a)": True, "(b)": True, "c<a": False, "c<stem": False}
    assert ins("c", **every) == ("b",)
    assert ins("c", **every | {"(b)": False}) == ("a",)
    assert ins("c", **every | {"(a)": False}) == ("b",)
    assert ins("b", **every | {"(a)": False}) == ("stem",)
    assert ins("c", **every | {"(a)": False, "(b)": False}) == ("stem",)


def test_inputs_stand_in_the_written_order_and_once() -> None:
    assert ins("c", **{"(a)": True, "(b)": True, "c<a": True, "c<stem": True}) == ("b", "a", "stem")
    assert ins("c", **{"(a)": True, "(b)": False, "c<stem": True}) == ("a", "stem")
    assert ins("c", **{"(a)": False, "(b)": False}) == ("stem",)  # reached anyway, so the space does not ask


def test_what_stands_in_may_be_several() -> None:
    text = TEXT.replace("(b): {op: stack, in: [a]", "(b): {op: stack, in: [a, image]")
    assert answered(space(text), **{"(a)": False, "(b)": False}).by_name["c"].ins == ("stem", "image")


def test_a_stated_width_is_for_types_that_take_one() -> None:
    text = TEXT.replace("kernel: {one_of: [1, 3]},", "width: {int: [2, 4]},")
    wide = space(text)
    assert "a.width" in asked(wide, {"(a)": True, "a.op": "conv"})
    assert "a.width" not in asked(wide, {"(a)": True, "a.op": "pool"})
    assert answered(wide, **{"(a)": True, "a.op": "pool"}).by_name["a"].width is None


# --- encode


def base() -> Genome:
    return answered(SPACE, **{"a.op": "conv", "widths.rule": "add"})


def changed(node: str, **parts: Any) -> Genome:
    whole = base()
    return replace(whole, nodes=tuple(n._replace(**parts) if n.name == node else n for n in whole.nodes))


def of(word: str, **genes: Any) -> Any:
    return genome.lookup(word)(**genes)


def without(name: str) -> Genome:
    whole = base()
    nodes = tuple(
        n._replace(ins=tuple(s for s in n.ins if s != name) or ("image",))
        for n in whole.nodes
        if n.name != name
    )
    return replace(whole, nodes=nodes)


def test_encode_gives_the_answers() -> None:
    answers = SPACE.encode(base())
    assert (
        answers["widths.alpha"] == 1.0 and answers["a.conv.dilation"] == 2 and answers["b.stack.depth"] == 1
    )
    assert SPACE.decode(lambda name, _: answers[name]) == base()
    assert base().renamed("another") in SPACE


@pytest.mark.parametrize(
    ("moved", "sentence"),
    [
        (without("stem"), "stem is missing; every genome of this space has it"),
        (without("out"), "out is missing; every genome of this space has it"),
        (changed("a", op=of("add")), "a.op is add; in this space it is conv or pool"),
        (changed("stem", op=of("pool"), width=None), "stem.op is pool; in this space it is conv"),
        (changed("stem", op=of("conv", kernel=5)), "stem.kernel is 5; in this space it is 3"),
        (changed("stem", width=9), "stem.width is 9; in this space it is 8"),
        (changed("stem", width=None), "stem.width is missing; in this space it is 8"),
        (changed("a", op=of("conv", kernel=5)), "a.conv.kernel is 5; in this space it is 1 or 3"),
        (changed("a", op=of("conv", stride=2)), "a.stride is 2; in this space it is 1"),
        (changed("a", width=7), "a.width is 7; in this space it is missing"),
        (
            changed("b", op=of("stack", depth=4, body=of("conv"))),
            "b.stack.depth is 4; in this space it is 1..3",
        ),
        (
            changed("b", op=of("stack", depth=1)),
            "b.stack.body.op is residual; in this space it is conv or separable",
        ),
        (
            changed("b", op=of("stack", depth=1, body=of("conv", kernel=5))),
            "b.body.conv.kernel is 5; in this space it is 3",
        ),
        (changed("c", width=5), "c.width is 5; in this space it is 4 or 8"),
        (changed("c", width=None), "c.width is missing; in this space it is 4 or 8"),
        (changed("c", width=Times(2)), "c.width is 2x; in this space it is 4 or 8"),
        (changed("c", ins=("stem",)), "c.in is stem; in this space it is b, stem"),
        (changed("c", ins=("a", "b")), "c.in is a, b; in this space it is b, a"),
        (changed("c", ins=("image", "b")), "c.in is image, b; in this space it is b"),
        (
            replace(base(), nodes=(*base().nodes, Node("x", of("pool"), ("stem",)))),
            "x is no node of this space",
        ),
        (
            replace(base(), nodes=base().nodes[::-1]),
            "the nodes stand in another order than in this space: stem, a, b, c, out",
        ),
        (replace(base(), input=Shape(1, 8, 8)), "input is 1x8x8; in this space it is 3x8x8"),
        (replace(base(), classes=5), "classes is 5; in this space it is 4"),
        (replace(base(), widths=None), "widths.rule is missing; in this space it is constant or add"),
        (
            replace(base(), widths=Widths("multiply", 4, 2.0)),
            "widths.rule is multiply; in this space it is constant or add",
        ),
        (replace(base(), widths=Widths("add", 9, 2.0)), "widths.base is 9; in this space it is 4..8"),
        (replace(base(), widths=Widths("add", 4, 0.5)), "widths.alpha is 0.5; in this space it is 1..9"),
        (
            replace(base(), loops=(Loop("l", ("a",), 1),)),
            "loops is {l: {order: [a], passes: 1}}; in this space it is missing",
        ),
    ],
)
def test_encode_says_where_a_genome_leaves_the_space(moved: Genome, sentence: str) -> None:
    with pytest.raises(SpaceError) as caught:
        SPACE.encode(moved)
    assert str(caught.value) == sentence
    assert moved not in SPACE


def test_a_space_without_a_schedule_has_none() -> None:
    bare = space("space:\n  nodes:\n    a: {op: conv, in: [image], width: 4}\n    o: {op: exit, in: [a]}\n")
    drawn = bare.sample(Random(0))
    assert bare.holes == {} and bare.encode(drawn) == {}
    with pytest.raises(SpaceError) as caught:
        bare.encode(replace(drawn, widths=Widths("add", 4, 2.0)))
    assert str(caught.value) == "widths is {rule: add, base: 4, alpha: 2.0}; in this space it is missing"
