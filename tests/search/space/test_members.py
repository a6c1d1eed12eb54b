"""The members of a small space: every genome once; a sampler finds each, and the study ends when each has a trial."""

from pathlib import Path
from random import Random

import pytest

import genome
import search
from genome.op import Shape
from genome.yaml.source import parse
from search.samplers.registry import proposer, proposing
from search.space.members import MOST, is_used_up, members, unseen
from search.space.parse import space_of
from search.space.space import Space
from search.testing import SMALL, SMALL_NETWORKS, WIDE

ILLEGAL = """\
nodes:
  a: {op: conv, in: [image], width: 2, kernel: {one_of: [1, 3]}, padding: {one_of: [same, 0]}}
  b: {op: conv, in: [a], width: 2, kernel: {one_of: [1, 7]}, padding: 0}
  out: {op: exit, in: [b]}
"""


def space(text: str, size: int = 8) -> Space:
    return space_of(parse(text, "<space>"), (), "members", Shape(1, size, size), 10)


def digest(written: genome.Genome) -> str:
    return genome.digest(genome.resolve(written))


def test_every_network_is_found_once() -> None:
    there = space(SMALL)
    found = members(there)
    assert found is not None and len(found) == SMALL_NETWORKS
    assert all(digest(one.genome) == name and one.genome in there for name, one in found.items())
    assert {digest(there.sample(Random(seed))) for seed in range(200)} == set(found)


def test_genomes_that_cannot_be_built_are_no_networks() -> None:
    there = space(ILLEGAL, size=8)
    found = members(there)
    assert found is not None
    drawn = [there.sample(Random(seed)) for seed in range(200)]
    legal = set()
    for written in drawn:
        try:
            legal.add(digest(written))
        except genome.GenomeError:
            continue
    assert legal == set(found)


@pytest.mark.parametrize(
    "text",
    [
        WIDE,
        "nodes:\n  a: {op: conv, in: [image], width: 2, dropout: {float: [0, 0.5]}}\n  out: {op: exit, in: [a]}\n",
        f"nodes:\n  a: {{op: conv, in: [image], width: {{int: [1, {MOST + 1}]}}}}\n  out: {{op: exit, in: [a]}}\n",
    ],
)
def test_a_large_space_is_not_counted(text: str) -> None:
    there = space(text)
    assert members(there) is None and unseen(there, ()) is None and not is_used_up(there, ())


def test_the_last_network_is_found() -> None:
    there = space(SMALL)
    *known, last = members(there) or ()
    left = unseen(there, known)
    assert left is not None and digest(left.genome) == last
    assert not is_used_up(there, known) and is_used_up(there, [*known, last, "another"])
    assert unseen(there, [*known, last]) is None


@pytest.mark.parametrize("name", proposing())
def test_a_sampler_finds_the_last_network_of_a_space_of_many(name: str) -> None:
    """Draws alone would find the last of 300 networks after some 300 draws."""
    text = "nodes:\n  a: {op: conv, in: [image], width: {int: [1, 300]}}\n  out: {op: exit, in: [a]}\n"
    there = space(text)
    *known, last = members(there) or ()
    proposal = proposer(name, there, 0, 1).propose([], known)
    assert digest(proposal.genome) == last


STUDY = """\
study: four
data: digits
train: {epochs: 1, batch: 512}
device: cpu
workers: 1
trials: 100
sampler: SAMPLER
space:
"""


@pytest.mark.parametrize("sampler", ["evolve", "tpe"])
def test_a_study_of_a_space_that_is_used_up_ends_with_a_sentence(sampler: str, tmp_path: Path) -> None:
    file = tmp_path / "four.yaml"
    text = STUDY.replace("SAMPLER", sampler) + "".join(f"  {line}\n" for line in SMALL.splitlines())
    file.write_text(text)
    result = search.Study.load(file, tmp_path / "runs").run()
    assert result.stop == "the space holds 4 networks, and each has a trial; widen the space to search on"
    assert sum(record.reused is None for record in result.records) == 4
    assert len(result.records) <= 12
