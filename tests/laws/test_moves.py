"""Law 7, every move stays inside the space, over thousands of moves in the widest one and in those of the studies."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genome.domain import Domain, Float, Int, OneOf
from search.config.read import read_study
from search.space import mutations
from search.space.known_answers import answers_of
from search.space.mutation_sites import SCHEDULE, sites
from search.space.point import Point
from search.space.space import Space
from tests.widest import widest

STUDIES = Path(__file__).parents[2] / "studies"
SPACES = {
    "widest": widest(),
    **{path.stem: read_study(path).space for path in sorted(STUDIES.glob("*.yaml"))},
}
MANY = settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize("word", mutations.MOVES)
@MANY
@given(st.integers(0, 2**64 - 1), st.sampled_from(sorted(SPACES)))
def test_law_7_every_move_stays_inside_and_moves(word: str, seed: int, name: str) -> None:
    """The known answers of each point are those that the space gives, in their order: a later move draws by it."""
    space, rng = SPACES[name], Random(seed)
    parent, mate = space.draw(rng), space.draw(rng)
    moved = mutations.apply(space, word, parent, rng, mate)
    if moved is not None:
        assert moved.point.genome in space
        assert moved.point != parent
        assert moved.told
    for point in (parent, mate, *([moved.point] if moved is not None else [])):
        assert list(answers_of(space, point).items()) == list(space.answers(point).items())


def test_known_answers_are_copies() -> None:
    space = SPACES["widest"]
    point = space.draw(Random(0))
    answers_of(space, point).clear()
    assert answers_of(space, point) == space.answers(point) != {}


@pytest.mark.parametrize("name", sorted(SPACES))
def test_every_hole_belongs_to_one_move(name: str) -> None:
    space = SPACES[name]
    assert sites(space).keys() == space.holes.keys()
    places = {place.name for place in space.places}
    for hole, site in sites(space).items():
        assert site.move in mutations.ALONE
        assert site.place in places or site.place == SCHEDULE
        assert hole.startswith((f"{site.place}.", f"({site.place})", f"{site.place}<", "widths."))


@pytest.mark.parametrize("word", mutations.MOVES)
def test_every_move_applies_somewhere_in_the_widest_space(word: str) -> None:
    rng, space = Random(0), SPACES["widest"]
    tried = (mutations.apply(space, word, space.draw(rng), rng, space.draw(rng)) for _ in range(400))
    assert any(moved is not None for moved in tried)


def test_a_changed_type_keeps_the_genes_that_still_apply() -> None:
    space, rng = SPACES["digits"], Random(3)
    kept = Counter[bool]()
    for _ in range(300):
        parent = space.sample(rng)
        moved = mutations.apply(space, "type", Point(parent), rng)
        assert moved is not None
        for name, node in parent.by_name.items():
            now = moved.point.genome.by_name[name]
            if now.op.word != node.op.word:
                before, after = vars(node.op), vars(now.op)
                both = {"conv", "separable"} >= {now.op.word, node.op.word} and name == "s1"
                if both:
                    kept[before["kernel"] == after["kernel"]] += 1
    assert kept[True] > 5
    assert kept[False] == 0


def test_crossover_takes_whole_nodes_of_one_parent_or_the_other() -> None:
    space, rng = SPACES["digits"], Random(5)
    for _ in range(200):
        a, b = space.sample(rng), space.sample(rng)
        moved = mutations.apply(space, "crossover", Point(a), rng, Point(b))
        if moved is None:
            continue
        for node in moved.point.genome.nodes:
            mine, theirs = a.by_name.get(node.name), b.by_name.get(node.name)
            assert node.op in [one.op for one in (mine, theirs) if one is not None]


@MANY
@given(
    st.sampled_from([Int(1, 9), Int(4, 40, 4), Float(0.1, 0.9), Float(1e-4, 1.0, log=True), OneOf(1, 3, 5)]),
    st.integers(0, 2**32),
)
def test_another_value_is_in_the_domain_and_another(domain: Domain, seed: int) -> None:
    rng = Random(seed)
    value = domain.draw(rng)
    found = mutations.other(domain, value, rng)
    assert found in domain
    assert found != value


def test_every_value_can_be_reached_from_any_other() -> None:
    for domain in (Int(1, 6), Int(0, 20, 5), OneOf("a", "b", "c"), OneOf(False, True)):
        rng, seen, value = Random(0), set(), domain.draw(Random(1))
        for _ in range(500):
            value = mutations.other(domain, value, rng)
            seen.add(value)
        span = (
            domain.choices if isinstance(domain, OneOf) else range(domain.low, domain.high + 1, domain.step)
        )
        assert seen == set(span)


def test_a_space_of_one_genome_has_no_moves() -> None:
    from genome.op import Shape
    from genome.yaml.source import parse
    from search.space.parse import space_of

    text = "widths: {rule: constant, base: 8}\nnodes:\n  out: {op: exit, in: [image]}\n"
    one: Space = space_of(parse(text, "one.yaml"), (), "one", Shape(1, 8, 8), 10)
    rng = Random(0)
    only = one.draw(rng)
    assert all(mutations.apply(one, word, only, rng, only) is None for word in mutations.MOVES)
