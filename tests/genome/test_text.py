"""Genomes as text: the canonical form, and the words and the line of every refusal."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import genome
from genome.graph import Genome, GenomeError, Loop, Node, Times
from genome.op import Shape
from genome.text import flow
from genome.widths import Widths
from genome.yaml.source import parse
from tests.widest import widest

WRITTEN = """\
genome: all of it
input: [3, 16, 16]
classes: 4
widths: {rule: add, base: 8, alpha: 1e1}
nodes:
  stem:
    op: conv
    in:
      - image
    order: conv-norm
    width: 16
  s1: {op: stack, in: [stem], depth: 2, body: {op: residual, unit: bottleneck}}
  a: {op: conv, in: [s1, b], kernel: 1, dilation: 2, width: 2x}
  b: {op: separable, in: [a]}
  "null": {op: pool, in: [b]}
  out: {op: exit, in: ["null"], weight: 1}
loops:
  "on": {order: [a, b]}
"""

CANONICAL = """\
genome: "all of it"
input: [3, 16, 16]
classes: 4
widths: {rule: add, base: 8, alpha: 10.0}
nodes:
  stem: {op: conv, in: [image], width: 16, kernel: 3, stride: 1, dilation: 1, groups: 1, padding: same, bias: false,\
 order: conv-norm, norm: batch, eps: 1e-05, dropout: 0.0}
  s1: {op: stack, in: [stem], depth: 2, stride: 1, body: {op: residual, unit: bottleneck, order: post, kernel: 3,\
 stride: 1, expansion: 4, activation: relu, fit: project, drop_path: 0.0}}
  a: {op: conv, in: [s1, b], width: 2x, kernel: 1, stride: 1, groups: 1, padding: same, bias: false,\
 order: conv-norm-act, norm: batch, eps: 1e-05, activation: relu, dropout: 0.0}
  b: {op: separable, in: [a], kernel: 3, stride: 1, dilation: 1, bias: false, norm: batch, eps: 1e-05,\
 activation: relu}
  "null": {op: pool, in: [b], kind: max, size: 2, stride: 2, padding: 0, ceil: false}
  out: {op: exit, in: ["null"], depth: 0, norm: none, activation: none, pool: average, linear: true, weight: 1.0}
loops:
  "on": {order: [a, b], passes: 1}
"""

# --- there and back


def test_the_canonical_text_writes_every_gene_that_has_an_effect() -> None:
    whole = genome.loads(WRITTEN)
    assert genome.dump(whole) == CANONICAL
    assert genome.loads(CANONICAL) == whole
    assert genome.dump(genome.loads(CANONICAL)) == CANONICAL


def test_a_genome_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_text(WRITTEN, encoding="utf-8")
    assert genome.load(path) == genome.loads(WRITTEN)


@pytest.mark.parametrize(
    "name", ["null", "true", "yes", "n", "Off", "NULL", "e3", "_1", "a.1/b", "half", "x" * 200]
)
def test_any_legal_name_comes_back_and_builds(name: str) -> None:
    nodes = (
        Node(name, genome.lookup("conv")(), ("image",), 2),
        Node("o", genome.lookup("exit")(), (name,)),
    )
    whole = Genome("g", Shape(1, 4, 4), 2, nodes)
    assert genome.loads(genome.dump(whole)) == whole
    genome.build(whole)


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=40).filter(lambda s: s.strip() and s.isprintable()), st.floats(0, 65_536))
def test_titles_and_numbers_come_back_exactly(title: str, alpha: float) -> None:
    nodes = (Node("o", genome.lookup("exit")(), ("image",)),)
    whole = Genome(title, Shape(1, 4, 4), 2, nodes, Widths("multiply", 4, alpha))
    assert genome.loads(genome.dump(whole)) == whole


def test_flow_quotes_what_yaml_would_take_for_something_else() -> None:
    words = [
        "no",
        "True",
        "1e3",
        "",
        "a b",
        "a: b",
        "4x",
        "~",
        "-",
        "naïve",
        "[",
        "a#b",
        "a #b",
        "0x1F",
        "conv-act",
    ]
    back = parse(f"x: {flow(words)}").value["x"]
    assert back == words
    assert flow({"a": [1, 2.5, False, "same"]}) == "{a: [1, 2.5, false, same]}"


# --- what is refused

HEAD = """\
genome: g
input: [3, 8, 8]
classes: 4
widths: {rule: constant, base: 6}
nodes:
"""
TAIL = "  out: {op: exit, in: [a]}\n"


def refusal(text: str) -> str:
    with pytest.raises(genome.SourceError) as caught:
        genome.loads(text, path="g.yaml")
    message = str(caught.value)
    assert all(len(line) < 400 for line in message.split("\n"))
    return message


WORDS = ", ".join(genome.words())
GENES = "kernel, stride, dilation, groups, padding, bias, order, norm, eps, activation, dropout"


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        ("{op: cnov, in: [image]}", f"a.op is cnov (conv?); it may be {WORDS}"),
        ("{op: 3, in: [image]}", f"a.op is 3; it may be {WORDS}"),
        ("{op: , in: [image]}", f"a.op is empty; it may be {WORDS}"),
        ("{op: '', in: [image]}", f"a.op is ''; it may be {WORDS}"),
        ("{op: [conv], in: [image]}", f"a.op is [conv]; it may be {WORDS}"),
        ("{op: {one_of: [conv]}, in: [image]}", f"a.op is {{one_of: [conv]}}; it may be {WORDS}"),
        ("{in: [image]}", "a has no op; write {op: conv, ..}"),
        ("conv", "nodes.a is conv; it must be a node such as {op: conv, in: [image]}"),
        ("", "nodes.a is empty; it must be a node such as {op: conv, in: [image]}"),
        ("{op: conv}", "a.in is missing; it must be a list of node names, such as [image]"),
        ("{op: conv, in: image}", "a.in is image; it must be a list of node names, such as [image]"),
        ("{op: conv, in: []}", "a.in is []; it must be a list of node names, such as [image]"),
        ("{op: conv, in: }", "a.in is empty; it must be a list of node names, such as [image]"),
        ("{op: conv, in: [imag]}", "a.in names imag, which is no node (image?)"),
        ("{op: conv, in: [zzz]}", "a.in names zzz, which is no node"),
        ("{op: conv, in: [1]}", "a.in names 1; it must be the name of a node"),
        ("{op: conv, in: [image, image]}", "a.in names an input twice: image, image"),
        ("{op: conv, in: [out]}", "a.in names out, which is an exit; no node may read an exit"),
        ("{op: conv, in: [image], kernal: 3}", f"a.kernal is no gene of conv (kernel?); it has {GENES}"),
        ("{op: concat, in: [image], zz: 3}", "a.zz is no gene of concat; it has no genes"),
        ("{op: conv, in: [image], kernel: 0}", "a.conv.kernel is 0; it may be 1..31, or [height, width]"),
        (
            "{op: conv, in: [image], kernel: 3.0}",
            "a.conv.kernel is 3.0 (not a whole number); it may be 1..31, or [height, width]",
        ),
        (
            "{op: conv, in: [image], kernel: 1e-3}",
            "a.conv.kernel is 0.001 (not a whole number); it may be 1..31, or [height, width]",
        ),
        (
            "{op: conv, in: [image], kernel: '1e-3'}",
            "a.conv.kernel is 1e-3 (a text, not a number); it may be 1..31, or [height, width]",
        ),
        (
            "{op: conv, in: [image], kernel: true}",
            "a.conv.kernel is true; it may be 1..31, or [height, width]",
        ),
        ("{op: conv, in: [image], kernel: }", "a.conv.kernel is empty; it may be 1..31, or [height, width]"),
        ("{op: conv, in: [image], kernel: [3]}", "a.conv.kernel is [3]; it may be 1..31, or [height, width]"),
        (
            "{op: conv, in: [image], kernel: {one_of: [3, 5]}}",
            "a.conv.kernel is {one_of: [3, 5]} (a range may only be in the space of a study); it may be 1..31, "
            "or [height, width]",
        ),
        ("{op: conv, in: [image], padding: sam}", "a.conv.padding is sam; it may be same or 0..64"),
        (
            "{op: conv, in: [image], padding: 1.5}",
            "a.conv.padding is 1.5 (not a whole number); it may be same or 0..64",
        ),
        (
            "{op: conv, in: [image], bias: on}",
            "a.conv.bias is on (a text; booleans are true and false); it may be false or true",
        ),
        ("{op: conv, in: [image], bias: 1}", "a.conv.bias is 1; it may be false or true"),
        ("{op: conv, in: [image], norm: layer}", "a.conv.norm is layer; it may be batch, plain or group"),
        (
            "{op: pool, in: [image], stride: '2'}",
            "a.pool.stride is 2 (a text, not a number); it may be 1..64, or [height, width]",
        ),
        (
            "{op: stack, in: [image], body: conv}",
            "nodes.a.body is conv; it must be a node type such as {op: conv}",
        ),
        ("{op: stack, in: [image], body: {}}", "a.stack.body has no op; write {op: conv, ..}"),
        (
            "{op: stack, in: [image], body: {op: conv, in: [image]}}",
            f"a.stack.body.in is no gene of conv; it has {GENES}",
        ),
        (
            "{op: stack, in: [image], body: {op: conv, kernel: 99}}",
            "a.stack.body.conv.kernel is 99; it may be 1..31, or [height, width]",
        ),
        (
            "{op: conv, in: [image], kernel: 9, padding: 0}",
            "a (conv) shrinks its 8x8 image below 1x1; use padding: same, a smaller kernel or stride, or fewer pools",
        ),
        (
            "{op: stack, in: [image], depth: 5, body: {op: conv, padding: 0}}",
            "a.4 (conv) shrinks its 2x2 image below 1x1; use padding: same, a smaller kernel or stride, or fewer pools",
        ),
    ],
)
def test_a_node_that_is_wrong_is_refused_on_its_line(node: str, sentence: str) -> None:
    assert refusal(HEAD + f"  a: {node}\n" + TAIL) == f"g.yaml:6  {sentence}"


def test_the_line_is_that_of_the_wrong_word() -> None:
    text = HEAD + "  a:\n    op: conv\n    in:\n      - image\n      - stm\n    kernel:\n      33\n" + TAIL
    source, kernel = (
        "g.yaml:10  a.in names stm, which is no node",
        "g.yaml:11  a.conv.kernel is 33; it may be 1..31",
    )
    assert refusal(text) == f"{source}\n{kernel}, or [height, width]"
    assert refusal(text.replace("33", "3")) == source


TOP = HEAD + "  a: {op: conv, in: [image]}\n" + TAIL


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("genome: g\n", "", "1  genome is missing; write `genome: ..`"),
        ("genome: g", "genome: ", "1  genome is empty; it must be one line of text"),
        ("genome: g", "genome: 3", "1  genome is 3; it must be one line of text"),
        ("genome: g", 'genome: "a\\nb"', "1  genome is a\\nb; it must be one line of text"),
        (
            "input: [3, 8, 8]",
            "input: [3, 8]",
            "2  input is [3, 8]; it must be [channels, height, width], each 1..65536",
        ),
        (
            "input: [3, 8, 8]",
            "input: [3, 8, 0]",
            "2  input is [3, 8, 0]; it must be [channels, height, width], each 1..65536",
        ),
        (
            "input: [3, 8, 8]",
            "input: 3",
            "2  input is 3; it must be [channels, height, width], each 1..65536",
        ),
        (
            "classes: 4",
            "clases: 4",
            "3  clases is not known (classes?); it may be genome, input, classes, widths, nodes, loops",
        ),
        ("classes: 4", "classes: 4.5", "3  classes is 4.5 (not a whole number); it may be 1..1000000"),
        ("classes: 4", "classes: no", "3  classes is no; it may be 1..1000000"),
        ("rule: constant", "rule: linear", "4  widths.rule is linear; it may be constant, add or multiply"),
        ("rule: constant, ", "", "4  widths.rule is missing; write `rule: ..`"),
        ("base: 6", "base: 6, alpha: -1", "4  widths.alpha is -1.0; it may be 0.0..65536.0"),
        ("base: 6", "base: 6, alfa: 1", "4  widths.alfa is not known (alpha?); it may be rule, base, alpha"),
        ("{rule: constant, base: 6}", "6", "4  widths is 6; it must be a mapping of rule, base, alpha"),
        (
            "widths: {rule: constant, base: 6}\n",
            "",
            "5  a has no width; state `width:` or give the genome a `widths:` schedule",
        ),
        ("  out: {op: exit, in: [a]}\n", "", "5  the genome has no exit; add a node with op: exit"),
        (
            TOP[len(HEAD) :],
            "  'a b': {op: conv, in: [image]}\n  out: {op: exit, in: [a b]}\n",
            "6  nodes: 'a b' is no name; it may have letters, digits and _ in parts joined by . or /,"
            " a letter or _ first",
        ),
        (
            "  a: {op: conv, in: [image]}\n  out: {op: exit, in: [a]}",
            "  image: {op: exit, in: [image]}",
            "6  nodes: 'image' is the name of the input; choose another",
        ),
        ("  out: {", f"  {'a' * 201}: {{", "7  nodes: a name has at most 200 characters, not 201"),
        ("  a: {", "  out: {", "7  the key out is here twice (first on line 6); remove one"),
        (
            "  out: {",
            "loops:\n  l: {order: [a]}\nnodez:\n  out: {",
            "9  nodez is not known (nodes?); it may be genome, input, classes, widths, nodes, loops",
        ),
    ],
)
def test_a_genome_that_is_wrong_is_refused_on_its_line(old: str, new: str, sentence: str) -> None:
    assert old in TOP
    assert refusal(TOP.replace(old, new)) == f"g.yaml:{sentence}"


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ("nodes:\n", "nodes is empty; it must be nodes by name, such as {stem: {op: conv, in: [image]}}"),
        ("nodes: {}\n", "the genome has no exit; add a node with op: exit"),
        ("nodes: [a]\n", "nodes is [a]; it must be nodes by name, such as {stem: {op: conv, in: [image]}}"),
    ],
)
def test_a_genome_without_nodes(nodes: str, sentence: str) -> None:
    assert refusal(HEAD.replace("nodes:\n", nodes)) == f"g.yaml:5  {sentence}"


def test_loops_that_are_no_mapping() -> None:
    assert refusal(TOP + "loops: [a]\n") == (
        "g.yaml:8  loops is [a]; it must be loops by name, such as {l: {order: [a, b], passes: 1}}"
    )


def test_bodies_nest_only_so_deep() -> None:
    body = "{op: conv}"
    for _ in range(17):
        body = f"{{op: stack, depth: 1, body: {body}}}"
    assert refusal(HEAD + f"  a: {{in: [image], {body[1:]}\n" + TAIL).endswith(
        " has bodies more than 16 deep"
    )


def test_hostile_words_are_shown_on_one_short_line() -> None:
    long = "x" * 1_000
    for node in (
        f"{{op: {long}, in: [image]}}",
        f"{{op: conv, in: [{long}]}}",
        f"{{op: conv, in: [image], {long}: 3}}",
    ):
        assert "xxx..." in refusal(HEAD + f"  a: {node}\n" + TAIL)
    assert "\\x1b" in refusal(HEAD + '  a: {op: "\\e[31m\\n", in: [image]}\n' + TAIL)


# --- no other exception

SPACE = widest()
SEEDS = [WRITTEN, TOP, *(genome.dump(SPACE.sample(Random(i))) for i in range(4))]
PIECES = [
    "",
    "0",
    "-1",
    "1e-3",
    "'",
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    ",",
    "\n",
    "  ",
    "null",
    "image",
    "4x",
    "conv",
    "99999999999",
    "exit",
    "stack",
    "true",
    "1.5",
    "&a",
    "*a",
    "!!python/object:os.system",
    "#",
    "\t",
    "é",
    "\0",
    "loops:\n",
]


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(PIECES)), max_size=4),
)
def test_a_mutated_text_is_a_genome_or_one_sentence(text: str, edits: list[tuple[float, int, str]]) -> None:
    for where, cut, piece in edits:
        at = int(where * len(text))
        text = text[:at] + piece + text[at + cut :]
    _read(text)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)), min_size=1, max_size=3),
)
def test_a_text_whose_words_change_places_is_a_genome_or_one_sentence(
    text: str, swaps: list[tuple[float, float]]
) -> None:
    """Most of these texts are still YAML: words of the right kind in the wrong place."""
    parts = re.split(r"([\w./-]+)", text)
    for one, other in swaps:
        i, j = (2 * int(at * (len(parts) // 2)) + 1 for at in (one, other))
        parts[i], parts[j] = parts[j], parts[i]
    _read("".join(parts))


def _read(text: str) -> None:
    try:
        whole = genome.loads(text, path="g.yaml")
    except genome.SourceError as error:
        message = str(error)
        for line in message.split("\n"):
            assert line.startswith("g.yaml:") and len(line) < 700
    else:
        assert genome.loads(genome.dump(whole)) == whole
        genome.digest(whole)


# --- genomes made in Python


def test_a_genome_made_by_hand_is_checked_too() -> None:
    conv = genome.lookup("conv")()
    with pytest.raises(GenomeError, match=r"^a.in names 'b', which is no node$") as caught:
        Genome("g", Shape(3, 8, 8), 2, (Node("a", conv, ("b",), 2),))
    assert caught.value.node == "a"
    with pytest.raises(GenomeError, match=r"^two nodes are named a; names are unique$"):
        Genome("g", Shape(3, 8, 8), 2, (Node("a", conv, ("image",), 2), Node("a", conv, ("image",), 2)))
    with pytest.raises(GenomeError, match=r"^loops.l.order names 'b', which is no node$"):
        Genome("g", Shape(3, 8, 8), 2, (Node("a", conv, ("image",), 2),), None, (Loop("l", ("b",), 1),))
    with pytest.raises(GenomeError, match=r"^a.in is empty; a node reads at least one input$"):
        nodes = (Node("a", conv, (), 2), Node("o", genome.lookup("exit")(), ("a",)))
        genome.resolve(Genome("g", Shape(3, 8, 8), 2, nodes))


def test_a_graph_carries_the_nodes_and_a_diff_names_what_changed() -> None:
    whole = genome.loads(WRITTEN)
    graph = whole.graph
    assert set(graph) == {"image", *whole.by_name}
    assert set(graph.predecessors("a")) == {"s1", "b"} and graph.nodes["a"]["node"] is whole.by_name["a"]
    other = genome.loads(WRITTEN.replace("kernel: 1", "kernel: 5").replace("2x", "3x").replace('"null"', "p"))
    diff = whole.diff(other)
    assert (diff.added, diff.dropped) == (("p",), ("null",))
    assert diff.changed == {
        "a": {"width": (Times(2), Times(3)), "kernel": (1, 5), "dilation": (1, 2)},
        "out": {"in": (("null",), ("p",))},
    }
