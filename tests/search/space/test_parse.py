"""The text of a space: every form of a hole, and every refusal in its words and on its line."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import genome
from genome.domain import FLAG, Domain, Float, Int, OneOf
from genome.op import Shape
from genome.yaml.source import SourceError, parse
from search.space.parse import space_of
from search.space.space import Space
from tests.widest import widest_text

HEAD = "space:\n  widths: {rule: constant, base: 6}\n  nodes:\n"
TAIL = "    out: {op: exit, in: [a]}\n"


def space(text: str) -> Space:
    return space_of(parse(text, "s.yaml"), ("space",), "s", Shape(3, 8, 8), 4)


def holes(node: str) -> dict[str, Domain]:
    return space(HEAD + f"    a: {node}\n" + TAIL).holes


def refusal(text: str) -> str:
    with pytest.raises(SourceError) as caught:
        space(text)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400
    return message


# --- holes


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        ("kernel: {one_of: [3, 5]}", OneOf(3, 5)),
        ("kernel: {int: [1, 7]}", Int(1, 7)),
        ("kernel: {int: [1, 7, 2]}", Int(1, 7, 2)),
        ("kernel: any", OneOf(1, 3, 5, 7)),
        ("padding: {one_of: [same, 0, 1]}", OneOf("same", 0, 1)),
        ("padding: {int: [0, 2]}", Int(0, 2)),
        ("bias: any", FLAG),
        ("bias: {one_of: [true, false]}", OneOf(True, False)),
        ("order: {one_of: [conv, conv-norm]}", OneOf("conv", "conv-norm")),
        ("width: {int: [8, 64, 8]}", Int(8, 64, 8)),
        ("width: {one_of: [8, 24]}", OneOf(8, 24)),
    ],
)
def test_a_range_is_a_hole_named_by_its_address(written: str, domain: Domain) -> None:
    name, _, _ = written.partition(":")
    address = f"a.{name}" if name == "width" else f"a.conv.{name}"
    assert holes(f"{{op: conv, in: [image], {written}}}") == {address: domain}


@pytest.mark.parametrize(
    ("written", "domain", "value"),
    [
        ("{float: [0.5, 2]}", Float(0.5, 2), 1.5),
        ("{float: [0.01, 1, log]}", Float(0.01, 1, log=True), 0.1),
        ("{int: [1, 4]}", Int(1, 4), 2),
        ("{one_of: [1, 0.5]}", OneOf(1.0, 0.5), 0.5),
        ("any", Float(0.1, 1.0), 0.25),
    ],
)
def test_a_real_gene_may_range_over_real_or_whole_numbers(written: str, domain: Domain, value: float) -> None:
    found = space(
        HEAD + f"    a: {{op: conv, in: [image]}}\n    out: {{op: exit, in: [a], weight: {written}}}\n"
    )
    assert found.holes == {"out.exit.weight": domain}
    weight = vars(found.decode(lambda *_: value).nodes[1].op)["weight"]
    assert weight == value and type(weight) is float
    assert found.encode(found.decode(lambda *_: value)) == {"out.exit.weight": value}


def test_one_value_is_no_hole() -> None:
    for written in ("kernel: {one_of: [5]}", "kernel: {int: [5, 5]}", "kernel: 5", "genes: any, kernel: 5"):
        found = space(HEAD + f"    a: {{op: {{one_of: [conv]}}, in: [image], {written}}}\n" + TAIL)
        assert vars(found.sample(Random(0)).nodes[0].op)["kernel"] == 5
        assert "a.conv.kernel" not in found.holes and "a.op" not in found.holes
    assert not holes("{op: {one_of: [conv]}, in: [image], kernel: {one_of: [5]}}")


def test_genes_any_opens_all_that_are_not_stated() -> None:
    found = holes("{op: conv, in: [image], genes: any, stride: 2, norm: {one_of: [group, batch]}}")
    conv = genome.lookup("conv")
    assert set(found) == {f"a.conv.{g.name}" for g in conv.genes} - {
        "a.conv.stride",
        "a.conv.padding",  # of these values a search tries only one
        "a.conv.eps",
    }
    assert found["a.conv.norm"] == OneOf("group", "batch")


def test_a_gene_that_is_not_stated_keeps_its_default() -> None:
    assert not holes("{op: conv, in: [image]}")


def test_node_types_are_chosen_and_each_has_its_own_genes() -> None:
    found = holes(
        "{op: {one_of: [conv, {op: pool, size: {one_of: [2, 3]}}, concat]}, in: [image], stride: {one_of: [1, 2]}}"
    )
    assert found == {
        "a.op": OneOf("conv", "pool", "concat"),
        "a.conv.stride": OneOf(1, 2),
        "a.pool.size": OneOf(2, 3),
        "a.pool.stride": OneOf(1, 2),
    }


def test_what_a_choice_states_wins_over_what_the_node_states() -> None:
    found = holes("{op: {one_of: [conv, {op: pool, stride: 1}]}, in: [image], stride: 2, genes: any}")
    assert not {"a.conv.stride", "a.pool.stride"} & set(found)
    text = HEAD + "    a: {op: {one_of: [{op: pool, stride: 1}, conv]}, in: [image], stride: 2}\n" + TAIL
    strides = {
        n.op.word: vars(n.op)["stride"]
        for seed in range(20)
        for n in space(text).sample(Random(seed)).nodes[:1]
    }
    assert strides == {"pool": 1, "conv": 2}


def test_bodies_have_holes_too() -> None:
    body = "{op: {one_of: [conv, {op: stack, body: {op: pool, size: any}}]}, kernel: any}"
    assert list(holes(f"{{op: stack, in: [image], depth: any, body: {body}}}")) == [
        "a.stack.depth",
        "a.stack.body.op",
        "a.stack.body.conv.kernel",
        "a.stack.body.stack.body.pool.size",
    ]


def test_parentheses_are_nodes_and_edges_that_may_be_left_out() -> None:
    found = space(HEAD + "    (b): {op: conv, in: [image]}\n    a: {op: conv, in: [b, (image)]}\n" + TAIL)
    assert found.holes == {"(b)": FLAG, "a<image": FLAG}
    assert [p.name for p in found.places] == ["b", "a", "out"]


def test_schedules_have_holes() -> None:
    text = HEAD.replace("constant", "{one_of: [add, multiply]}").replace(
        "6}", "{int: [4, 8]}, alpha: {float: [1, 4]}}"
    )
    found = space(text + "    a: {op: conv, in: [image]}\n" + TAIL).holes
    assert found == {
        "widths.rule": OneOf("add", "multiply"),
        "widths.base": Int(4, 8),
        "widths.alpha": Float(1, 4),
    }


def test_the_widest_space_asks_for_every_gene_of_every_word() -> None:
    found = space_of(parse(widest_text()), ("space",), "w", Shape(3, 12, 12), 5).holes
    for word in genome.words():
        for gene in genome.lookup(word).genes:
            if gene.search is not None and not (
                isinstance(gene.search, OneOf) and len(gene.search.choices) == 1
            ):
                assert any(name.endswith(f".{word}.{gene.name}") for name in found), f"{word}.{gene.name}"


# --- what is refused

RANGE = "a range is {one_of: [..]}, {int: [low, high]} or {float: [low, high]}"
BOUNDS = (
    "it may be {int: [low, high]} or {float: [low, high]}, with a step after the bounds of int, "
    "or the word log after those of float"
)
WORDS = ", ".join(genome.words())


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        ("kernel: {oneof: [3, 5]}", f"a.conv.kernel is {{oneof: [3, 5]}}; {RANGE}"),
        ("kernel: {}", f"a.conv.kernel is {{}}; {RANGE}"),
        ("kernel: {int: 3}", f"a.conv.kernel is {{int: 3}}; {RANGE}"),
        ("kernel: {int: [1, 3], one_of: [1]}", f"a.conv.kernel is {{int: [1, 3], one_of: [1]}}; {RANGE}"),
        (
            "kernel: {int: [1]}",
            "a.conv.kernel is {int: [1]}; " + BOUNDS,
        ),
        (
            "kernel: {int: [1, 9, 2, 4]}",
            "a.conv.kernel is {int: [1, 9, 2, 4]}; " + BOUNDS,
        ),
        (
            "kernel: {float: [1, 9, lin]}",
            "a.conv.kernel is {float: [1, 9, lin]}; " + BOUNDS,
        ),
        ("kernel: {one_of: []}", "a.conv.kernel: one_of [] is empty or names a choice twice"),
        ("kernel: {one_of: [3, 3]}", "a.conv.kernel: one_of [3, 3] is empty or names a choice twice"),
        (
            "kernel: {one_of: [3, [5]]}",
            "a.conv.kernel: one_of [3, [5]] holds something other than words and numbers",
        ),
        ("kernel: {one_of: [3, ]}", None),
        (
            "kernel: {one_of: [3, null]}",
            "a.conv.kernel: one_of [3, null] holds something other than words and numbers",
        ),
        ("kernel: {int: [7, 1]}", "a.conv.kernel: int [7, 1, 1] holds no value"),
        ("kernel: {int: [1, 7, 0]}", "a.conv.kernel: int [1, 7, 0] holds no value"),
        ("kernel: {int: [1, 8, 2]}", "a.conv.kernel: int [1, 8, 2]: 8 is not on the grid"),
        ("kernel: {int: [1, 7.0]}", "a.conv.kernel: int bounds are whole numbers, not [1, 7.0, 1]"),
        ("kernel: {int: [1, true]}", "a.conv.kernel: int bounds are whole numbers, not [1, true, 1]"),
        ("kernel: {float: [a, 2]}", "a.conv.kernel: float bounds are numbers, not [a, 2]"),
        ("kernel: {float: [0, 1, log]}", "a.conv.kernel: float [0, 1]: a log scale needs a low end above 0"),
        ("kernel: {float: [2, 1]}", "a.conv.kernel: float [2, 1] holds no value"),
        ("kernel: {one_of: [3, 33]}", "a.conv.kernel ranges over 3 or 33; it may be 1..31"),
        ("kernel: {int: [0, 7]}", "a.conv.kernel ranges over 0..7; it may be 1..31"),
        ("kernel: {float: [1, 7]}", "a.conv.kernel ranges over 1..7, real numbers; it may be 1..31"),
        ("kernel: {one_of: [3, 5.0]}", "a.conv.kernel ranges over 3 or 5.0; it may be 1..31"),
        (
            "padding: {one_of: [same, valid]}",
            "a.conv.padding ranges over same or valid; it may be same or 0..64",
        ),
        ("width: {int: [0, 8]}", "a.width ranges over 0..8; it may be 1..65536"),
        ("width: any", "a.width is any; it may be 1..65536, or a multiple such as 4x"),
        ("kernel: 99", "a.conv.kernel is 99; it may be 1..31, or [height, width]"),
        ("kernel: three", "a.conv.kernel is three; it may be 1..31, or [height, width]"),
        (
            "kernal: any",
            "a.kernal is no gene of conv (kernel?); it has kernel, stride, dilation, groups, padding, bias, order,"
            " norm, eps, activation, dropout",
        ),
        ("genes: all", "a.genes is all; it may be any"),
        ("genes: [kernel]", "a.genes is [kernel]; it may be any"),
    ],
)
def test_a_range_that_is_wrong_is_refused_on_its_line(node: str, sentence: str | None) -> None:
    text = HEAD + f"    a: {{op: conv, in: [image], {node}}}\n" + TAIL
    if sentence is None:
        space(text)
    else:
        assert refusal(text) == f"s.yaml:4  {sentence}"


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        ("{op: cnov, in: [image]}", f"a.op is cnov (conv?); it may be {WORDS}"),
        ("{op: {one_of: [conv, pol]}, in: [image]}", f"a.op is pol (pool?); it may be {WORDS}"),
        (
            "{op: {one_of: []}, in: [image]}",
            "a.op is {one_of: []}; it may be a word, or {one_of: [conv, pool]}",
        ),
        (
            "{op: {int: [1, 2]}, in: [image]}",
            "a.op is {int: [1, 2]}; it may be a word, or {one_of: [conv, pool]}",
        ),
        (
            "{op: {one_of: [conv, conv]}, in: [image]}",
            "a.op names conv twice; state ranges of its genes instead",
        ),
        (
            "{op: {one_of: [conv, {kernel: 3}]}, in: [image]}",
            "a.op holds {kernel: 3}; write a word, or {op: conv, ..}",
        ),
        (
            "{op: {one_of: [conv, {op: pool, kernel: 3}]}, in: [image]}",
            "a.kernel is no gene of pool; it has kind, size, stride, padding, ceil",
        ),
        ("{op: {one_of: [conv, pool]}, in: [image], sise: 3}", "a.sise is no gene of conv, pool (size?)"),
        (
            "{op: {one_of: [conv, pool]}, in: [image], size: 0}",
            "a.pool.size is 0; it may be 1..64, or [height, width]",
        ),
        ("{in: [image]}", "a has no op; write {op: conv, ..}"),
        ("{op: conv}", "a.in is missing; it must be a list of node names, such as [image]"),
        ("{op: conv, in: [imag]}", "a.in names imag, which is no node (image?)"),
        ("{op: conv, in: [(imag), image]}", "a.in names imag, which is no node (image?)"),
        ("{op: conv, in: [image, (image)]}", "a.in names an input twice: image, image"),
        ("{op: conv, in: [3]}", "a.in names 3; it must be the name of a node"),
        (
            "{op: conv, in: [(image)]}",
            "a may end up without an input; give it one that is always there, without parentheses",
        ),
        (
            "{op: {one_of: [pool, concat]}, in: [image], width: 4}",
            "a.width is stated; pool or concat takes none, drop it",
        ),
        (
            "{op: stack, in: [image], body: any}",
            "space.nodes.a.body is any; it must be a node type such as {op: conv}",
        ),
        (
            "{op: conv, in: [image, a]}",
            "cycle a -> a belongs to no loop; add it under `loops:` or drop an edge",
        ),
        (
            "{op: conv, in: [image, (a)]}",
            "cycle a -> a belongs to no loop; add it under `loops:` or drop an edge",
        ),
        (
            "{op: conv, in: [image], kernel: {one_of: [9, 11]}, padding: 0}",
            "a (conv) shrinks its 8x8 image below 1x1; use padding: same, a smaller kernel or stride, or fewer pools",
        ),
    ],
)
def test_a_node_that_is_wrong_is_refused_on_its_line(node: str, sentence: str) -> None:
    assert refusal(HEAD + f"    a: {node}\n" + TAIL) == f"s.yaml:4  {sentence}"


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        (
            "    a: {op: conv, in: [image]}\n    (a): {op: conv, in: [image]}\n",
            "5  two nodes are named a; names are unique",
        ),
        (
            "    (a: {op: conv, in: [image]}\n",
            "4  nodes: '(a' is no name; it may have letters, digits and _ in parts joined by . or /, a letter or _"
            " first",
        ),
        (
            "    (): {op: conv, in: [image]}\n",
            "4  nodes: '' is no name; it may have letters, digits and _ in parts joined by . or /, a letter or _ first",
        ),
        (
            "    (image): {op: conv, in: [image]}\n",
            "4  nodes: 'image' is the name of the input; choose another",
        ),
        (
            "    (b): {op: conv, in: [(a)]}\n    a: {op: conv, in: [b]}\n",
            "4  b may end up without an input; give it one that is always there, without parentheses",
        ),
        ("    a: {op: conv, in: [image]}\n    (x): {op: exit, in: [a]}\n", None),
    ],
)
def test_places_that_are_wrong(nodes: str, sentence: str | None) -> None:
    if sentence is None:
        space(HEAD + nodes + TAIL)
    else:
        assert refusal(HEAD + nodes + TAIL) == f"s.yaml:{sentence}"


@pytest.mark.parametrize(
    "last",
    ["(out): {op: exit, in: [a]}", "out: {op: {one_of: [exit, conv]}, in: [a]}", "out: {op: conv, in: [a]}"],
)
def test_a_space_has_an_exit_that_is_always_there(last: str) -> None:
    text = HEAD + f"    a: {{op: conv, in: [image]}}\n    {last}\n"
    assert refusal(text) == "s.yaml:3  the space has no exit that is always there; add a node with op: exit"


LOOP = (
    HEAD
    + """\
    a: {op: conv, in: [image, b]}
    b: {op: conv, in: [a]}
    out: {op: exit, in: [b]}
  loops:
    l: {order: [a, b]}
"""
)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("    b:", "    (b):", "8  loops.l.order names (b), which may be left out; a loop keeps its members"),
        (
            "in: [image, b]",
            "in: [image, (b)]",
            "8  loops.l: a may end up without a member of the loop to read; give it one without parentheses",
        ),
        ("[a, b]}", "[a, c]}", "8  loops.l.order names c, which is no node"),
        (
            "[a, b]}",
            "[a, b], passes: {int: [1, 2]}}",
            "8  loops.l.passes is {int: [1, 2]} (a range may only be in the space of a study); it may be 0..16",
        ),
        (
            "[a, b]}",
            "[a]}",
            "8  loops.l: a may end up without a member of the loop to read; give it one without parentheses",
        ),
        (
            "a: {op: conv",
            "a: {op: concat",
            "4  loops.l: a is a concat, which can't be in a loop; use a conv over several inputs"
            ", which convolves their concatenation",
        ),
        (
            "  loops:\n    l: {order: [a, b]}\n",
            "",
            "4  cycle a -> b -> a belongs to no loop; add it under `loops:` or drop an edge",
        ),
    ],
)
def test_loops_that_are_refused(old: str, new: str, sentence: str) -> None:
    assert old in LOOP
    assert refusal(LOOP.replace(old, new, 1)) == f"s.yaml:{sentence}"


def test_a_concat_that_reads_the_same_in_every_pass_may_be_in_a_loop() -> None:
    found = space(LOOP.replace("b: {op: conv", "b: {op: concat", 1))
    assert genome.resolve(found.sample(Random(0))).last["b"] == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("space:\n", "1  space is empty; it must be a mapping of widths, nodes, loops"),
        ("space: any\n", "1  space is any; it must be a mapping of widths, nodes, loops"),
        ("space: {loops: {}}\n", "1  space.nodes is missing; write `nodes: ..`"),
        ("space:\n  nodez: {}\n", "2  space.nodez is not known (nodes?); it may be widths, nodes, loops"),
        ("space:\n  nodes: {}\n", "2  the space has no exit that is always there; add a node with op: exit"),
        (
            HEAD.replace("rule: constant", "rule: {one_of: [add, sub]}"),
            "2  widths.rule ranges over add or sub; it may be constant, add or multiply",
        ),
        (HEAD.replace("base: 6", "base: {int: [0, 4]}"), None),
        (
            HEAD.replace("base: 6", "bass: 6"),
            "2  widths.bass is not known (base?); it may be rule, base, alpha",
        ),
    ],
)
def test_spaces_that_are_refused(text: str, sentence: str | None) -> None:
    if sentence is None:
        text += "    a: {op: conv, in: [image]}\n" + TAIL
        sentence = "2  widths.base ranges over 0..4; it may be 1..16384"
    elif text.startswith(HEAD[:16]) and "widths" in text and "nodes:\n" in text:
        text += "    a: {op: conv, in: [image]}\n" + TAIL
    assert refusal(text).replace("space.widths", "widths") == f"s.yaml:{sentence}"


SPACE_WRONG = """\
space:
  widths: {rule: {one_of: [add, sub]}, base: 0}
  nodes:
    a: {op: {one_of: [conv, cnov]}, in: [3], width: {int: [0, 4]}}
    b: {op: conv, in: [zz], kernel: {one_of: [3, 99]}, stride: {int: [0, 9]}, colour: red, genes: some}
    c: {op: pool, in: [b], width: 4}
"""
WAYS_WRONG = """\
space:
  widths: {rule: constant, base: 6}
  nodes:
    (a): {op: conv, in: [image]}
    b: {op: conv, in: [(image)]}
    c: {op: conv, in: [image, (d)]}
    d: {op: conv, in: [c]}
    e: {op: conv, in: [(b)]}
  loops:
    l: {order: [c, d]}
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            SPACE_WRONG,
            [
                "2  widths.rule ranges over add or sub",
                "2  widths.base is 0",
                "4  a.op is cnov (conv?)",
                "4  a.width ranges over 0..4",
                "4  a.in names 3",
                "5  b.genes is some",
                "5  b.colour is no gene of conv",
                "5  b.conv.kernel ranges over 3 or 99",
                "5  b.conv.stride ranges over 0..9",
                "5  b.in names zz, which is no node",
                "6  c.width is stated",
            ],
        ),
        (
            SPACE_WRONG.replace("sub", "constant")
            .replace("base: 0", "base: 1")
            .replace("cnov", "pool")
            .replace("3]", "yy]")
            .replace("{int: [0, 4]}", "4")
            .partition(", kernel")[0]
            + "}\n",
            ["4  a.in names yy, which is no node", "5  b.in names zz, which is no node"],
        ),
        (
            WAYS_WRONG,
            [
                "3  the space has no exit that is always there",
                "5  b may end up without an input",
                "8  e may end up without an input",
                "10  loops.l: c may end up without a member of the loop to read",
            ],
        ),
    ],
)
def test_all_mistakes_of_a_space_are_told(text: str, found: list[str]) -> None:
    with pytest.raises(SourceError) as caught:
        space(text)
    assert [
        line.removeprefix("s.yaml:").partition(";")[0] for line in str(caught.value).splitlines()
    ] == found


def test_two_holes_have_two_names() -> None:
    """`a.stack.body` is a legal name of a node, and also the name of the body of the stack `a`."""
    text = HEAD + (
        "    a: {op: stack, in: [image], body: {op: {one_of: [conv, pool]}}}\n"
        "    a.stack.body: {op: {one_of: [conv, pool]}, in: [a]}\n    out: {op: exit, in: [a.stack.body]}\n"
    )
    assert (
        refusal(text) == "s.yaml:5  two holes are named a.stack.body.op; give node a.stack.body another name"
    )


# --- nothing else comes out

SEEDS = [LOOP, widest_text()]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)), min_size=1, max_size=3),
)
def test_a_text_whose_words_change_places_is_a_space_or_sentences(
    text: str, swaps: list[tuple[float, float]]
) -> None:
    parts: list[Any] = re.split(r"([\w./()-]+)", text)
    for one, other in swaps:
        i, j = (2 * int(at * (len(parts) // 2)) + 1 for at in (one, other))
        parts[i], parts[j] = parts[j], parts[i]
    try:
        found = space("".join(parts))
    except SourceError as error:
        assert all(line.startswith("s.yaml:") for line in str(error).split("\n"))
    except KeyError as error:
        assert error.args == ("space",)  # the caller's error: a study without the key never gets here
    else:
        drawn = found.sample(Random(0))
        assert found.decode(lambda name, _: found.encode(drawn)[name]) == drawn


def test_each_wrong_part_of_a_space_is_a_line() -> None:
    text = (
        "space:\n  widths: {rule: add}\n  nodes:\n    a: {op: convv, in: [image]}\n    b: {op: conv}\n"
        "    out: {op: exit, in: [a]}\n  loops:\n    l: {order: [a, c]}\n"
    )
    with pytest.raises(SourceError) as error:
        space(text)
    assert [line.split("  ")[0] for line in str(error.value).splitlines()] == [
        f"s.yaml:{line}" for line in (2, 4, 5, 8)
    ]


def test_a_width_of_an_exit_is_that_of_its_branch() -> None:
    text = (
        "space:\n  nodes:\n    a: {op: conv, in: [image], width: 4}\n"
        "    (early): {op: exit, in: [a], depth: {one_of: [0, 1]}, width: {int: [2, 5]}}\n"
        "    out: {op: exit, in: [a]}\n"
    )
    space = space_of(parse(text, "s.yaml"), ("space",), "s", Shape(1, 8, 8), 3)
    seen = set()
    for seed in range(60):
        drawn = space.sample(Random(seed))
        early = drawn.by_name.get("early")
        genome.resolve(drawn)
        assert space.decode(lambda name, _, drawn=drawn: space.encode(drawn)[name]) == drawn
        seen.add(early and (vars(early.op)["depth"], early.width))
    assert seen == {None, (0, None), (1, 2), (1, 3), (1, 4), (1, 5)}
