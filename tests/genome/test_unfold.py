"""Pictures with links: some motifs unfolded, links from one picture to the next, small loops as rings."""

from __future__ import annotations

import math
from collections.abc import Collection
from itertools import combinations
from xml.etree import ElementTree

import pytest

from genome import expand, loads, resolve
from genome.draw import draw_unfolded, picture_words, without
from genome.expand import unfold
from genome.picture import ring
from genome.picture.columns import columns
from genome.picture.figure import unfolded_figure
from genome.picture.layout import place
from genome.totals import totals
from tests.genome.pictured import DIGITS, deep

SVG = "{http://www.w3.org/2000/svg}"
CLIQUE = """
genome: clique
input: [3, 16, 16]
classes: 10
widths: {rule: constant, base: 8}
nodes:
  stem: {op: conv, in: [image]}
  c: {op: clique, in: [stem], nodes: 4, passes: 2}
  s: {op: stack, in: [c], depth: 2}
  out: {op: exit, in: [s]}
"""


def address(names: Collection[str]) -> str:
    return f"?open={','.join(sorted(names))}"


def drawn(text: str, *names: str) -> ElementTree.Element:
    pytest.importorskip("pygraphviz")
    return ElementTree.fromstring(draw_unfolded(loads(text), names, address))


def links(root: ElementTree.Element) -> dict[str, str]:
    return {a.attrib["data-node"]: a.attrib["href"] for a in root.iter(f"{SVG}a")}


def test_only_the_motifs_of_these_names_are_written_out() -> None:
    genome = loads(DIGITS)
    shown = unfold(genome, ("s1", "s1.2", "nothing", "stem"))
    assert list(shown.motifs) == ["s1", "s1.2"] and shown.parts["s1"] == ("s1.1", "s1.2")
    assert [n.name for n in shown.genome.nodes[1:3]] == ["s1.1", "s1.2/conv1"]
    assert unfold(genome, ()).genome is genome
    every = unfold(genome, ("s1", "s1.1", "s1.2", "gather"))
    assert every.genome == expand(genome)


@pytest.mark.parametrize("names", [(), ("s1",), ("s1", "s1.1"), ("gather", "s1")])
def test_the_network_stays_the_same_and_so_do_its_sums(names: tuple[str, ...]) -> None:
    genome = loads(DIGITS)
    plan, shown = resolve(genome), unfold(genome, names).genome
    assert (resolve(shown).params, resolve(shown).macs) == (plan.params, plan.macs)
    known = totals(shown, plan).values()
    assert (sum(t.params for t in known), sum(t.macs for t in known)) == (plan.params, plan.macs)


def test_each_motif_leads_to_the_picture_in_which_it_is_turned_over() -> None:
    assert links(drawn(DIGITS)) == {"s1": "?open=s1", "gather": "?open=gather"}
    assert links(drawn(DIGITS, "s1", "s1.1")) == {
        "s1": "?open=",
        "s1.1": "?open=s1",
        "s1.2": "?open=s1,s1.1,s1.2",
        "gather": "?open=gather,s1,s1.1",
    }
    shown = unfold(loads(DIGITS), ("s1", "s1.1"))
    assert without(("s1", "s1.1"), "s1.1", shown.parts) == {"s1"}


def test_frames_lie_in_each_other() -> None:
    figure = unfolded_figure(unfold(loads(DIGITS), ("s1", "s1.1")), resolve(loads(DIGITS)))
    outer, inner = figure.frames
    assert (outer.outer, inner.outer) == (None, 0) and set(inner.members) < set(outer.members)
    pytest.importorskip("pygraphviz")
    around, within = place(figure).frames
    assert around.x < within.x and within.x + within.width < around.x + around.width
    assert around.y < within.y and within.y + within.height < around.y + around.height


def test_every_node_can_be_found_and_says_what_it_is() -> None:
    root = drawn(DIGITS, "s1")
    found = {e.attrib["data-node"]: e for e in root.iter() if "data-node" in e.attrib}
    assert found.keys() == {"image", "s1", *unfold(loads(DIGITS), ("s1",)).genome.by_name}
    said = {name: e.find(f".//{SVG}title") for name, e in found.items()}
    assert all(title is not None and title.text for title in said.values())
    wide = said["wide"].text or ""  # type: ignore[union-attr]
    assert "output" in wide and "params" in wide and "MACs per image" in wide
    words = picture_words()
    kinds = {
        e.attrib["class"].split()[-1] for e in root.iter(f"{SVG}g") if "box" in e.attrib.get("class", "")
    }
    assert {words[int(kind[1:])] for kind in kinds} >= {"conv", "image", "residual", "exit"}


def test_a_clique_is_a_ring_of_both_stages() -> None:
    root = drawn(CLIQUE, "c")
    texts = [t.text for t in root.iter(f"{SVG}text")]
    assert "stage I: solid; stage II, 2 passes: dashed too" in texts
    arrows = {}
    for arrow in root.iter(f"{SVG}g"):
        if arrow.attrib.get("class", "").startswith("arrow") and arrow.find(f"{SVG}title") is not None:
            arrows[(arrow.findtext(f"{SVG}title") or "").partition(":")[0]] = "back" in arrow.attrib["class"]
    names = [f"c/{i}" for i in range(1, 5)]
    for a, b in combinations(names, 2):
        assert arrows[f"{a} -> {b}"] is False and arrows[f"{b} -> {a}"] is True
    assert all(f"stem -> {name}" in arrows for name in names)


def test_the_members_of_a_ring_stand_round_a_middle_and_apart() -> None:
    pytest.importorskip("pygraphviz")
    genome = loads(CLIQUE)
    figure = unfolded_figure(unfold(genome, ("c",)), resolve(genome))
    small = ring.collapsed(figure)
    (only,) = small.rings
    whole, layout = ring.restored(figure, small, columns(place(small.figure)))
    assert len(small.figure.boxes) == len(figure.boxes) - 3 and len(layout.boxes) == len(figure.boxes)
    assert len(whole.arrows) == len(layout.arrows) and len(whole.frames) == len(layout.frames)
    rects = [layout.boxes[m] for m in only.members]
    around = layout.frames[-1]
    for rect in rects:
        assert around.x <= rect.x and rect.x + rect.width <= around.x + around.width
        assert around.y <= rect.y and rect.y + rect.height <= around.y + around.height
    assert all(ring._are_apart(a, b) for a, b in combinations(rects, 2))
    middle = sum(r.x + r.width / 2 for r in rects) / 4, sum(r.y + r.height / 2 for r in rects) / 4
    angles = [math.atan2(r.y + r.height / 2 - middle[1], r.x + r.width / 2 - middle[0]) for r in rects]
    assert angles == sorted(angles)  # clockwise from the upper left, in the order of evaluation
    for curve in layout.arrows:
        assert all(math.isfinite(x) and math.isfinite(y) for x, y in (*curve.points, curve.tip))


def test_a_loop_of_many_or_with_an_unfolded_motif_stays_as_graphviz_places_it() -> None:
    many = loads(CLIQUE.replace("nodes: 4", f"nodes: {ring.MOST + 1}"))
    assert not ring.collapsed(unfolded_figure(unfold(many, ("c",)), resolve(many))).rings
    text = CLIQUE.replace("passes: 2}", "passes: 2, body: {op: residual}}")
    genome = loads(text)
    one = unfold(genome, ("c", "c/1"))
    assert "c/1" in one.motifs
    assert not ring.collapsed(unfolded_figure(one, resolve(genome))).rings
    assert drawn(text, "c", "c/1").tag == f"{SVG}svg"


def test_one_of_many_units_unfolds() -> None:
    pytest.importorskip("pygraphviz")
    genome = deep(20)
    root = ElementTree.fromstring(draw_unfolded(genome, ("s", "s.7"), address))
    assert links(root)["s.7"] == "?open=s" and links(root)["s.8"] == "?open=s,s.7,s.8"
