"""The eight laws of a space, each over a thousand genomes drawn from the widest one."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import genome
from genome.domain import Domain, Float, Int, OneOf
from genome.graph import Genome
from genome.yaml.source import parse
from search.space.holes import SpaceError
from tests.widest import widest

SPACE = widest()
MANY = settings(
    max_examples=500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
seeds = st.integers(0, 2**64 - 1)


def _drawn(seed: int) -> Genome:
    return SPACE.sample(Random(seed))


def _from(answers: dict[str, Any]) -> Genome:
    return SPACE.decode(lambda name, _: answers[name])


class Asked:
    """Draws answers and remembers each question with its domain, in order."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.domains: dict[str, Domain] = {}
        self.answers: dict[str, Any] = {}

    def __call__(self, name: str, domain: Domain) -> Any:
        assert name not in self.domains, f"{name} is asked twice"
        self.domains[name] = domain
        self.answers[name] = domain.draw(self.rng)
        return self.answers[name]


@MANY
@given(seeds)
def test_law_1_encoding_then_decoding_gives_the_genome(seed: int) -> None:
    drawn = _drawn(seed)
    assert _from(SPACE.encode(drawn)) == drawn


@MANY
@given(seeds)
def test_law_2_decoding_then_encoding_gives_the_answers(seed: int) -> None:
    asked = Asked(seed)
    assert SPACE.encode(SPACE.decode(asked)) == asked.answers


@MANY
@given(seeds)
def test_law_3_one_name_has_one_distribution(seed: int) -> None:
    asked = Asked(seed)
    SPACE.decode(asked)
    assert {name: SPACE.holes[name] for name in asked.domains} == asked.domains
    if seed % 8 == 0:  # thousands of names each time
        everything = Asked(seed)
        SPACE.decode(everything, everything=True)
        assert everything.domains == SPACE.holes  # joint samplers see every name, whatever is chosen


@MANY
@given(seeds, st.data())
def test_law_4_questions_depend_on_earlier_answers_alone(seed: int, data: st.DataObject) -> None:
    first = Asked(seed)
    SPACE.decode(first)
    names = list(first.domains)
    cut = data.draw(st.integers(0, len(names) - 1))
    kept, rest = set(names[:cut]), Asked(seed + 1)

    def answer(name: str, domain: Domain) -> Any:
        drawn = rest(name, domain)
        return first.answers[name] if name in kept else drawn

    SPACE.decode(answer)
    assert list(rest.domains)[: cut + 1] == names[: cut + 1]


@MANY
@given(seeds)
def test_law_5_nothing_derived_is_stored(seed: int) -> None:
    drawn = _drawn(seed)
    before = genome.dump(drawn)
    plan = genome.resolve(drawn)
    genome.digest(plan)
    assert genome.dump(drawn) == before and drawn == _drawn(seed)  # deriving leaves no trace
    written = parse(before).value
    assert set(written) <= {"genome", "input", "classes", "widths", "nodes", "loops"}
    for node in drawn.nodes:  # what is written of a node is its type, its inputs, its own width, its genes
        own = {"op", "in", *(g.name for g in node.op.genes), *(["width"] if node.width is not None else [])}
        assert set(written["nodes"][node.name]) <= own


@MANY
@given(seeds)
def test_law_6_text_and_back(seed: int) -> None:
    drawn = _drawn(seed)
    text = genome.dump(drawn)
    again = genome.loads(text)
    assert again == drawn
    assert genome.dump(again) == text


@MANY
@given(seeds, seeds)
def test_law_7_changing_answers_stays_inside(seed: int, other: int) -> None:
    """A child made by answering some questions as another parent did is in the space."""
    one, two, coin = SPACE.encode(_drawn(seed)), SPACE.encode(_drawn(other)), Random(seed)

    def answer(name: str, domain: Domain) -> Any:
        parents = [p[name] for p in (one, two) if name in p]
        return coin.choice(parents) if parents else domain.draw(coin)

    child = SPACE.decode(answer)
    assert child in SPACE
    genome.resolve(child)


def _outside(domain: Domain, coin: Random) -> Any:
    if isinstance(domain, OneOf):
        return coin.choice(["nothing", None, 10**9])
    assert isinstance(domain, Int | Float)
    return coin.choice([domain.low - 1, domain.high + 1, "text", None])


@MANY
@given(seeds)
def test_law_8_encode_refuses_what_it_cannot_place(seed: int) -> None:
    """Move one scheduled or stated number out of its range: the refusal names the hole."""
    drawn, coin = _drawn(seed), Random(seed)
    assert drawn.widths is not None
    parts = ["base", "rule"] if drawn.widths.rule == "constant" else ["base", "rule", "alpha"]
    part = coin.choice(parts)
    name = f"widths.{part}"
    value = _outside(SPACE.holes[name], coin)
    schedule = {p: getattr(drawn.widths, p) for p in ("rule", "base", "alpha")} | {part: value}
    moved = Genome(
        drawn.name, drawn.input, drawn.classes, drawn.nodes, genome.Widths(**schedule), drawn.loops
    )
    with pytest.raises(SpaceError, match=name):
        SPACE.encode(moved)
    assert moved not in SPACE


@MANY
@given(seeds)
def test_law_8_an_edge_or_a_node_that_is_not_in_the_space_is_named(seed: int) -> None:
    drawn, coin = _drawn(seed), Random(seed)
    at = coin.randrange(len(drawn.nodes))
    node = drawn.nodes[at]
    if coin.random() < 0.5:
        nodes = (*drawn.nodes[:at], node._replace(name="stranger"), *drawn.nodes[at + 1 :])
        renamed = {node.name: "stranger"}
        nodes = tuple(n._replace(ins=tuple(renamed.get(s, s) for s in n.ins)) for n in nodes)
        loops = tuple(lp._replace(order=tuple(renamed.get(m, m) for m in lp.order)) for lp in drawn.loops)
        moved, named = (
            Genome(drawn.name, drawn.input, drawn.classes, nodes, drawn.widths, loops),
            f"{node.name}|stranger",
        )
    else:
        ins = tuple(n.name for n in drawn.nodes if n.op.word != "exit" and n.name != node.name)
        if set(ins) <= set(node.ins):
            return
        nodes = (*drawn.nodes[:at], node._replace(ins=ins), *drawn.nodes[at + 1 :])
        moved, named = (
            Genome(drawn.name, drawn.input, drawn.classes, nodes, drawn.widths, drawn.loops),
            node.name,
        )
    with pytest.raises(SpaceError, match=named):
        SPACE.encode(moved)
