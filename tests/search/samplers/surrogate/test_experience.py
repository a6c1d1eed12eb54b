"""Experience of other images: its file, what it foretells, and how much of it a study believes."""

from __future__ import annotations

import gzip
import json
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest
from scipy.stats import spearmanr

import genome
from genome.op import Shape
from genome.yaml.source import parse
from genome.zoo import resnet
from genome.zoo.scale import scaled
from search.samplers.base import Individual
from search.samplers.bayes import Bayes
from search.samplers.surrogate import experience, graph_kernels
from search.samplers.surrogate.experience import Experience, ExperienceError, Trained, read, written
from search.samplers.surrogate.foresight import FEW, weight
from search.samplers.surrogate.graph_kernels import Features
from search.samplers.surrogate.model import Surrogate
from search.space.parse import space_of
from search.space.space import Space
from tests.search.samplers.spaces import TEXT

OTHER = TEXT.replace("s3:", "end:").replace("[s3]", "[end]").replace("[0, 40]", "[0, 60]")


def of(text: str, side: int) -> Space:
    return space_of(parse(text, "s.yaml"), ("space",), "s", Shape(3, side, side), 4)


UNLIKE = """\
space:
  widths: {rule: constant, base: {int: [1, 9]}}
  nodes:
    a: {op: mlpconv, in: [image]}
    out: {op: exit, in: [a], pool: flatten}
"""
HERE, THERE = of(TEXT, 8), of(OTHER, 16)


def cost(plan: genome.Plan) -> float:
    """What is good on all images: deep is, a max pool is not."""
    pools = sum(step.node.op.word == "pool" for step in plan.steps)
    return 0.5 - 0.05 * plan.depth + 0.1 * pools - 0.02 * math.log(plan.params)


@cache
def learnt(networks: int = 60) -> Trained:
    rng, found = Random(7), list[tuple[str, float]]()
    while len(found) < networks:
        drawn = THERE.draw(rng).genome
        found.append((genome.dump(drawn), 0.5 - 0.3 * cost(genome.resolve(drawn))))
    return Trained("there", *Surrogate(THERE, 0).units, *zip(*found, strict=True), (True,) * networks)


def features(space: Space, count: int, seed: int) -> tuple[list[Features], list[float]]:
    rng = Random(seed)
    points = [space.draw(rng) for _ in range(count)]
    plans = [genome.resolve(point.genome) for point in points]
    found = [graph_kernels.features(space, point, plan) for point, plan in zip(points, plans, strict=True)]
    return found, [cost(plan) for plan in plans]


def test_what_was_found_on_other_images_foretells_what_will_be() -> None:
    networks, costs = features(HERE, 60, 1)
    foretold = Experience([learnt()]).costs(networks, graph_kernels.scale(networks))
    assert spearmanr(foretold, costs).statistic > 0.7


def test_a_space_that_is_unlike_all_that_was_trained_is_foretold_alike() -> None:
    networks, _ = features(of(UNLIKE, 8), 20, 1)
    foretold = Experience([learnt()]).costs(networks, graph_kernels.scale(networks))
    assert np.std(foretold) < 0.6


# --- what it is worth in a study


def test_experience_that_foretells_is_believed_and_other_is_dropped() -> None:
    rng = np.random.default_rng(0)
    foretold = rng.normal(size=FEW)
    assert weight(foretold[:1], foretold[:1]) == 1.0
    assert weight(foretold, foretold) == pytest.approx(1.0)
    assert weight(foretold, -foretold) == 0.0
    assert 0.0 < weight(foretold[:4], -foretold[:4]) < 0.5, "few trials do not refute it"
    assert 0.4 < weight(foretold, 0.2 * foretold) < 0.8
    assert weight(np.ones(FEW), rng.normal(size=FEW)) in (0.0, pytest.approx(1.0))


def run(sampler: Bayes, space: Space, trials: int, sign: float = 1.0) -> list[Individual]:
    found: list[Individual] = []
    for number in range(trials):
        drawn = sampler.propose(found, {one.digest for one in found}).genome
        plan = genome.resolve(drawn)
        found.append(Individual(number, drawn, genome.digest(plan), (sign * cost(plan),), seconds=60.0))
    return found


def lowest(found: Sequence[Individual]) -> float:
    return min(one.costs[0] for one in found if one.costs)


@pytest.fixture
def known_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file of the package is that of `learnt`."""
    (tmp_path / "file").write_bytes(written([learnt()]))
    monkeypatch.setattr(experience, "FILE", tmp_path / "file")
    experience.named.cache_clear()
    yield
    experience.named.cache_clear()


def test_a_search_with_experience_begins_where_others_ended(known_elsewhere: None) -> None:
    with_it = [run(Bayes(HERE, seed), HERE, 10) for seed in range(2)]
    without = [run(Bayes(HERE, seed, experience="none"), HERE, 10) for seed in range(2)]
    for trials in (5, 10):
        mine, others = ([lowest(found[:trials]) for found in runs] for runs in (with_it, without))
        assert np.mean(mine) < np.mean(others)


def test_a_search_that_experience_misleads_finds_its_way(known_elsewhere: None) -> None:
    """What was good elsewhere is bad here; after some trials experience is dropped."""
    with_it = [lowest(run(Bayes(HERE, seed), HERE, 16, sign=-1.0)) for seed in range(2)]
    without = [lowest(run(Bayes(HERE, seed, experience="none"), HERE, 16, sign=-1.0)) for seed in range(2)]
    assert np.mean(with_it) < np.mean(without) + 0.05


def test_several_objectives_are_searched_without_experience() -> None:
    assert Bayes(HERE, 0, objectives=2)._model.experience is None


def test_proposals_do_not_depend_on_what_is_cached(known_elsewhere: None) -> None:
    sampler = Bayes(HERE, 3)
    found = run(sampler, HERE, 9)
    known = {one.digest for one in found}
    assert sampler.propose(found, known) == Bayes(HERE, 3).propose(found, known)


# --- the file


def test_what_is_written_is_read() -> None:
    assert read(written([learnt()])) == [learnt()]


@pytest.mark.parametrize(
    ("stored", "sentence"),
    [
        (b"", "broken"),
        (b"{}", "broken"),
        (written([learnt(9)])[:-20], "broken"),
        (gzip.compress(b"[]"), "no file of experience of version 2"),
        (
            gzip.compress(json.dumps({"version": 1, "sets": []}).encode()),
            "no file of experience of version 2",
        ),
        (written([learnt()._replace(accuracies=("high",) * 60)]), "other values"),  # type: ignore[arg-type]
        (written([learnt()._replace(genomes=(1,) * 60)]), "other values"),  # type: ignore[arg-type]
        (written([learnt(4)]), "other values"),
        (written([]), "other values"),
        (gzip.compress(b"[" * 100_000), "broken"),
        (written([learnt()._replace(accuracies=(99.0,) * 60)]), "other values"),
        (written([learnt()._replace(accuracies=(math.inf,) * 60)]), "other values"),
        (written([learnt()._replace(deviation=(0.0,) * 7)]), "other values"),
        (written([learnt()._replace(mean=(1e300,) * 7)]), "other values"),
        (written([learnt()._replace(data=None)]), "other values"),  # type: ignore[arg-type]
        (written([learnt()._replace(mean=(0.0,) * 3)]), "other values"),
        (written([learnt()._replace(deviation=("wide",) * 7)]), "other values"),  # type: ignore[arg-type]
        (gzip.compress(json.dumps({"version": 2, "sets": [{"data": "a"}]}).encode()), "broken"),
        (
            gzip.compress(json.dumps({"version": 2, "sets": [{"data": "a", "trained": [["x"]]}]}).encode()),
            "broken",
        ),
    ],
)
def test_any_other_file_is_refused_with_a_sentence_and_the_study_goes_on(
    stored: bytes,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(ExperienceError, match=sentence):
        read(stored)
    (tmp_path / "file").write_bytes(stored)
    monkeypatch.setattr(experience, "FILE", tmp_path / "file")
    experience.named.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, "search"):
            assert run(Bayes(HERE, 0), HERE, 2)
            assert run(Bayes(HERE, 1), HERE, 1)
        assert [line.message for line in caplog.records if "without experience" in line.message] == [
            caplog.records[0].message
        ]
    finally:
        experience.named.cache_clear()


@pytest.mark.parametrize("text", ["hello", "", "genome: g\nnodse: {}\n"])
def test_a_text_that_is_no_genome_is_named(text: str) -> None:
    stored = learnt()._replace(genomes=(text,) * 60)
    with pytest.raises(ExperienceError, match="it has a genome that is none"):
        Experience([stored])


def test_the_file_of_the_package_is_small_and_says_something() -> None:
    stored = experience.FILE.read_bytes()
    assert len(stored) < 1_000_000
    for trained in read(stored):
        assert sum(trained.are_drawn) >= 40 and all(0.0 < one < 1.0 for one in trained.accuracies)
    found = experience.named("auto")
    assert found is not None
    networks, _ = features(replace(HERE), 30, 1)
    assert np.isfinite(found.costs(networks, graph_kernels.scale(networks))).all()
    wide, narrow = Surrogate(HERE, 0, found).foretold(
        [genome.resolve(scaled(resnet(8, (1, 28, 28), 10), factor)) for factor in (0.6, 0.15)]
    )
    assert wide < narrow
