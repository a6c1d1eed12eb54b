"""A known genome as one of a space: what is adapted, what is not, and the messages."""

from random import Random

import pytest

import genome
from genome import Genome, zoo
from genome.op import Shape
from genome.yaml.source import parse
from search.space.adapt import fitted, resembling
from search.space.parse import space_of
from search.space.space import Space
from tests.widest import widest

STUDY = """
space:
  nodes:
    a: {op: conv, in: [image], kernel: {one_of: [3, 5]}, width: {int: [8, 16]}}
    b: {op: {one_of: [conv, separable]}, in: [a], width: {int: [8, 16]}}
    (c): {op: add, in: [a, (b)]}
    out: {op: exit, in: [c]}
"""
HEAD = "genome: known\ninput: [3, 32, 32]\nclasses: 100\nnodes:\n"
A = "  a: {op: conv, in: [image], kernel: 5, width: 8}\n"
B = "  b: {op: separable, in: [a], width: 8}\n"
C = "  c: {op: add, in: [a, b]}\n"
OUT = "  out: {op: exit, in: [c]}\n"


def space(text: str = STUDY, classes: int = 10) -> Space:
    return space_of(parse(text), ("space",), "mine", Shape(1, 8, 8), classes)


def known(*lines: str) -> Genome:
    return genome.loads(HEAD + "".join(lines))


def test_a_genome_of_the_space_is_itself() -> None:
    wide = widest()
    for seed in range(200):
        drawn = wide.sample(Random(seed))
        again = genome.loads(genome.dump(drawn.renamed("another")))
        assert fitted(wide, again).genome == drawn


def test_images_and_classes_are_those_of_the_space() -> None:
    found = fitted(space(), known(A, B, C, OUT)).genome
    assert found is not None and found in space()
    assert (found.name, found.input, found.classes) == ("mine", (1, 8, 8), 10)
    assert found.by_name == known(A, B, C, OUT).by_name


@pytest.mark.parametrize(
    "lines",
    [
        (A, B, C.replace("[a, b]", "[b, a]"), OUT),  # the order of a sum does not matter
        (OUT, C, B, A),
        (
            A.replace("a:", "first:"),
            B.replace("b:", "second:").replace("[a]", "[first]"),
            C.replace("c:", "sum:").replace("[a, b]", "[second, first]"),
            OUT.replace("out:", "end:").replace("[c]", "[sum]"),
        ),
    ],
)
def test_order_and_names_do_not_matter_where_the_network_is_the_same(lines: tuple[str, ...]) -> None:
    found = fitted(space(), known(*lines)).genome
    assert found is not None
    assert found == fitted(space(), known(A, B, C, OUT)).genome


def looped(first: str, second: str) -> str:
    """Return a loop of two convolutions, as lines of a genome."""
    return (
        f"  {first}: {{op: conv, in: [image, {second}], width: 8}}\n"
        f"  {second}: {{op: conv, in: [{first}], width: 8}}\n"
        f"  out: {{op: exit, in: [{second}]}}\n"
        f"loops:\n  l: {{order: [{first}, {second}], passes: 2}}\n"
    )


def test_members_of_loops_are_renamed_too() -> None:
    text = "nodes:\n" + looped("one", "two").replace("width: 8", "width: {int: [8, 16]}")
    indented = "".join(f"  {line}\n" for line in text.splitlines())
    found = fitted(space("space:\n" + indented), known(looped("p", "q"))).genome
    assert found is not None and list(found.by_name) == ["one", "two", "out"]
    assert found.loops[0].order == ("one", "two")


def test_the_order_of_a_concatenation_matters() -> None:
    joined = space(STUDY.replace("op: add, in: [a, (b)]", "op: concat, in: [a, b]"))
    concat = C.replace("add", "concat")
    assert fitted(joined, known(A, B, concat, OUT)).genome is not None
    fit = fitted(joined, known(A, B, concat.replace("[a, b]", "[b, a]"), OUT))
    assert fit == (None, "c.in is b, a; in this space it is a, b")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((A.replace("5", "7"), B, C, OUT), "a.conv.kernel is 7; in this space it is 3 or 5"),
        (
            (A, B.replace("separable", "mlpconv"), C, OUT),
            "b.op is mlpconv; in this space it is conv or separable",
        ),
        ((A, B.replace("8", "20"), C, OUT), "b.width is 20; in this space it is 8..16"),
        ((A, C.replace(", b", ""), OUT), "b is missing; every genome of this space has it"),
        ((A, B, C, "  d: {op: act, in: [c]}\n", OUT.replace("c", "d")), "d is no node of this space"),
    ],
)
def test_what_does_not_fit_is_said_with_its_hole(lines: tuple[str, ...], said: str) -> None:
    assert fitted(space(), known(*lines)) == (None, said)


def test_a_network_that_depends_on_its_classes_or_images_is_not_adapted() -> None:
    nin, large = zoo.get("nin-cifar10"), zoo.get("alexnet")
    for one in (nin, large):
        fit = fitted(space(classes=100), one)
        assert fit.genome is None
        assert fit.complaint.startswith("for images of 1x8x8 and 100 classes: "), fit.complaint


# --- what is only alike


def test_a_genome_of_the_space_resembles_itself_whatever_its_images() -> None:
    here, there = space(), space(classes=100)
    for seed in range(10):
        drawn = there.sample(Random(seed))
        assert resembling(here, drawn, Random(0)) == fitted(here, drawn).genome


def test_what_the_space_cannot_say_is_drawn() -> None:
    wide = known(A.replace("width: 8", "width: 512"), B, OUT.replace("[c]", "[b]"))
    found = {resembling(space(), wide, Random(seed)) for seed in range(20)}
    assert all(one is not None and one in space() for one in found)
    assert {one.by_name["a"].op for one in found if one} == {wide.by_name["a"].op}
    assert len({one.by_name["a"].width for one in found if one}) > 3


def test_a_genome_without_the_nodes_of_the_space_resembles_none_of_it() -> None:
    assert resembling(space(), known(A, OUT.replace("[c]", "[a]")), Random(0)) is None
