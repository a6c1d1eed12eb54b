"""Layouts: no box covers another, and every arrow joins the two boxes of its edge."""

import itertools
from random import Random

import pytest

from genome import Genome, expand, loads, resolve
from genome.picture.columns import _samples, columns
from genome.picture.figure import Figure, figure
from genome.picture.layout import Layout, Rect, place
from tests.genome.pictured import DIGITS, deep
from tests.widest import widest

pytest.importorskip("pygraphviz")


def drawn(genome: Genome) -> tuple[Figure, Layout]:
    what = figure(genome, resolve(genome))
    return what, columns(place(what))


def inside(outer: Rect, x: float, y: float, slack: float) -> bool:
    across = outer.x - slack <= x <= outer.x + outer.width + slack
    return across and outer.y - slack <= y <= outer.y + outer.height + slack


def overlap(a: Rect, b: Rect) -> bool:
    across = a.x < b.x + b.width - 0.5 and b.x < a.x + a.width - 0.5
    return across and a.y < b.y + b.height - 0.5 and b.y < a.y + a.height - 0.5


@pytest.mark.parametrize(
    "genome", [loads(DIGITS), expand(loads(DIGITS)), expand(deep(20))], ids=["folded", "unfolded", "deep"]
)
def test_boxes_are_apart_and_arrows_join_them(genome: Genome) -> None:
    what, at = drawn(genome)
    assert not any(overlap(a, b) for a, b in itertools.combinations(at.boxes, 2))
    page = Rect(0, 0, at.width, at.height)
    for arrow, curve in zip(what.arrows, at.arrows, strict=True):
        assert inside(at.boxes[arrow.tail], *curve.points[0], slack=9)
        assert inside(at.boxes[arrow.head], *curve.tip, slack=2)
        assert len(curve.points) % 3 == 1
        assert all(inside(page, x, y, slack=2) for x, y in _samples(curve.points))
    for frame, rect in zip(what.frames, at.frames, strict=True):
        for i, box in enumerate(at.boxes):
            assert overlap(rect, box) == (i in frame.members)


def test_a_tall_picture_is_set_in_columns() -> None:
    genome = expand(deep(20))
    what = figure(genome, resolve(genome))
    tall = place(what)
    wide = columns(tall)
    assert tall.height > 10 * tall.width
    assert 0.7 < wide.width / wide.height < 2.5
    assert len({round(r.y) for r in wide.frames}) < len(wide.frames)  # some frames begin at one height
    low = place(figure(loads(DIGITS), resolve(loads(DIGITS))))
    assert columns(low) is low


@pytest.mark.parametrize("seed", range(12))
def test_any_genome_is_laid_out_so(seed: int) -> None:
    genome = widest().sample(Random(seed))
    test_boxes_are_apart_and_arrows_join_them(genome)
    test_boxes_are_apart_and_arrows_join_them(expand(genome))
