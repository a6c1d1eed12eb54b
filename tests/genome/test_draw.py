"""Pictures: their content, and that no part of a name leaves its text."""

import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from genome import Genome, GenomeError, Loop, Node, Shape, draw, expand, loads, lookup, resolve, words
from genome.picture import colours, layout
from genome.picture.figure import figure, short
from genome.totals import totals
from tests.genome.pictured import DIGITS, deep

pytest.importorskip("pygraphviz")

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "style", "rect", "text", "g", "path", "polygon"}
ATTRIBUTES = {"class", "role", "aria-label", "width", "height", "viewBox", "x", "y", "rx", "transform", "d"}
ATTRIBUTES |= {"stroke-width", "points"}

HOSTILE = [
    "<script>alert(1)</script>",
    '"\'><a href="https://a.org">&amp;',
    "</style><image/>]]><![CDATA[",
    "\\N \\G \\l {a|b} <<b>x</b>>",
    "\x00\x1b\u2028\u202e\ud800\nnodes:",
    "名前 ünïcode 🎨",
]


def parsed(text: str) -> ElementTree.Element:
    """Return the picture's tree, which holds only shapes and text."""
    assert "<!" not in text and "<?" not in text  # no entities, no instructions
    root = ElementTree.fromstring(text)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in ELEMENTS
        assert set(element.attrib) <= ATTRIBUTES
    assert "url(" not in text and "@import" not in text
    return root


def boxes(root: ElementTree.Element) -> dict[str, list[str]]:
    """Return the lines of every box, by the first line."""
    groups = root.findall(f".//{SVG}g[@class]")
    lines = [
        [t.text or "" for t in g.findall(f"{SVG}text")] for g in groups if g.attrib["class"][:3] == "box"
    ]
    return {first: rest for first, *rest in lines}


def test_a_folded_picture_has_a_box_per_written_node_with_its_sums() -> None:
    genome = loads(DIGITS)
    plan = resolve(genome)
    shown = boxes(parsed(draw(genome)))
    assert list(shown) == ["image", *genome.by_name]
    assert shown["image"] == ["1x28x28"]
    assert shown["s1"][:2] == ["stack: body residual (order pre)", "28x28x28"]
    inner = [s for s in plan.steps if s.node.name.startswith("s1.")]
    macs = sum(s.info.cost.macs for s in inner)
    params = sum(s.info.cost.weights + s.info.cost.norms for s in inner)
    assert shown["s1"][2] == f"{short(params)} params, {short(macs)} MACs"
    assert shown["wide"][0] == "separable: kernel 5"
    assert shown["join"] == ["concat", "80x14x14"]  # a node without cost
    assert shown["early"][:2] == ["exit: weight 0.3", "10 classes"]


def test_an_unfolded_picture_frames_each_block() -> None:
    genome = loads(DIGITS)
    root = parsed(draw(genome, folded=False))
    assert [t.text for t in root.findall(f".//{SVG}text[@class='label']")] == ["s1.1", "s1.2", "gather"]
    count = sum(g.attrib["class"].startswith("box") for g in root.findall(f".//{SVG}g[@class]"))
    assert count == 1 + len(expand(genome).nodes)
    assert draw(resolve(genome)) == draw(genome, folded=False)


@pytest.mark.parametrize("folded", [True, False])
def test_a_loop_is_a_cycle_whose_later_reads_are_dashed(folded: bool) -> None:
    root = parsed(draw(loads(DIGITS), folded))
    arrows = root.findall(f".//{SVG}g[@class='arrow']")
    back = root.findall(f".//{SVG}g[@class='arrow back']")
    tips = [a.findtext(f"{SVG}title") for a in arrows]
    assert "a -> b: 24x14x14" in tips
    assert [a.findtext(f"{SVG}title") for a in back] == ["b -> a: 24x14x14 (loop turn)"]
    assert [t.text for t in root.findall(f".//{SVG}text[@class='loop']")] == ["loop turn, 2 passes"]


def test_arrows_are_thicker_with_more_channels() -> None:
    root = parsed(draw(loads(DIGITS)))
    thick = {
        a.findtext(f"{SVG}title", ""): float(a.find(f"{SVG}path").attrib["stroke-width"])
        for a in root.findall(f".//{SVG}g[@class='arrow']")
    }
    assert thick["image -> stem: 1x28x28"] < thick["stem -> s1: 12x28x28"] < thick["join -> a: 80x14x14"]


def test_a_tooltip_has_every_gene_and_exact_counts() -> None:
    genome = loads(DIGITS)
    titles = [t.text or "" for t in parsed(draw(genome)).iter(f"{SVG}title")]
    (tip,) = [t for t in titles if t.startswith("wide:")]
    assert "kernel: 5" in tip and "stride: 1" in tip and "in: [down]" in tip
    total = totals(genome, resolve(genome))["wide"]
    assert f"{total.params:,} params" in tip and f"{total.macs:,} MACs" in tip


def test_what_no_exit_needs_is_marked() -> None:
    text = DIGITS.replace("  early:", "  idle: {op: conv, in: [stem]}\n  early:")
    root = parsed(draw(loads(text)))
    (unused,) = [g for g in root.findall(f".//{SVG}g[@class]") if " unused " in g.attrib["class"]]
    assert [t.text for t in unused.findall(f"{SVG}text")] == ["idle", "conv", "no exit needs this"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_text(name: str) -> None:
    conv, leave = lookup("conv")(), lookup("exit")()
    nodes = (
        Node(f"{name}/a", conv, ("image", f"{name}/b"), 4),
        Node(f"{name}/b", conv, ("image", f"{name}/a"), 4),
        Node("out", leave, (f"{name}/b",)),
    )
    loop = Loop(name, (f"{name}/a", f"{name}/b"), 1)
    genome = Genome(name, Shape(3, 8, 8), 2, nodes, loops=(loop,))
    root = parsed(draw(genome))
    said = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    assert root.findtext(f"{SVG}title") == root.attrib["aria-label"] == said
    assert root.findtext(f"{SVG}text[@class='title']") == said
    assert root.findtext(f".//{SVG}text[@class='label']") == said.partition("/")[0]  # the block
    assert root.findtext(f".//{SVG}text[@class='loop']") == f"loop {said}, 1 pass"
    draw(genome).encode()


def test_graphviz_sees_no_word() -> None:
    genome = loads(DIGITS)
    dot = layout._dot(figure(expand(genome), resolve(genome)))
    assert dot.isascii()
    known = {"digraph", "splines", "spline", "newrank", "true", "nodesep", "ranksep", "fontname", "Courier"}
    known |= {
        "fontsize",
        "node",
        "shape",
        "box",
        "fixedsize",
        "label",
        "edge",
        "arrowsize",
        "width",
        "height",
    }
    known |= {"subgraph", "margin", "labeljust", "l", "id", "dir", "back"}
    found = {w for w in re.findall(r"[A-Za-z]+", dot) if set(w) != {"x"}}
    assert found <= known | {"cluster"}


def test_a_file_beside_the_user_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pygraphviz.py").write_text("raise SystemExit('run')")
    (tmp_path / "json.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    parsed(draw(loads(DIGITS)))


SEVERAL = loads(DIGITS.replace("separable, in: [down]", "separable, in: [down, stem]"))


@pytest.mark.parametrize(
    "genome", [loads(DIGITS), SEVERAL, deep(5)], ids=["digits", "several inputs", "deep"]
)
def test_totals_add_up_to_the_plan(genome: Genome) -> None:
    plan = resolve(genome)
    for shown in (genome, plan.genome):
        known = totals(shown, plan).values()
        assert sum(t.params for t in known) == plan.params
        assert sum(t.macs for t in known) == plan.macs


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_is_readable_on_every_node_type_and_page() -> None:
    light, dark = colours.style(words()).split("@media")
    for sheet in (light, dark):
        fills = re.findall(r"\.w\d+ rect{fill:(#\w+)", sheet) + re.findall(r"\.page{fill:(#\w+)", sheet)
        assert len(fills) == len(words()) + 1
        texts = re.findall(r"text{[^}]*fill:(#\w+)", sheet) + re.findall(r"\.size{[^}]*fill:(#\w+)", sheet)
        assert len(texts) == 2
        assert min(contrast(text, fill) for text in texts for fill in fills) >= 4.5


def test_a_colour_follows_from_the_word() -> None:
    both = [colours.style(["conv", "pool"]), colours.style(["add", "conv"])]
    first = re.search(r"\.w0 rect{(.*)}", both[0])
    second = re.search(r"\.w1 rect{(.*)}", both[1])
    assert first and second and first[1] == second[1]
    assert max(Counter(map(colours.hue, words())).values()) <= 2


def test_the_picture_is_the_same_every_time() -> None:
    assert draw(loads(DIGITS), folded=False) == draw(loads(DIGITS), folded=False)


def test_without_pygraphviz_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(GenomeError, match=r"pip install 'genome-nas\[draw\]'"):
        draw(loads(DIGITS))


def test_more_nodes_than_a_picture_holds_are_refused_and_fold_into_one() -> None:
    genome = deep(256)
    with pytest.raises(GenomeError, match=r"at most 600 nodes.* not 770 .*folded"):
        draw(genome, folded=False)
    assert len(boxes(parsed(draw(genome)))) == 4


def test_a_picture_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "SECONDS", 0.01)
    with pytest.raises(GenomeError, match=r"longer than 0\.01 s.*folded"):
        draw(loads(DIGITS))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (12_345, "12.3k"),
        (999_600, "1M"),
        (4_500_000, "4.5M"),
        (10**13, "10T"),
    ],
)
def test_counts_are_short(count: int, text: str) -> None:
    assert short(count) == text
