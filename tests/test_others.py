"""The benchmark beside other projects: flat parameters decode, trials are counted, trainings are stored."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import yaml

import genome
from benchmarks._flat import SCRIPTS, Flat, answer, parameter
from benchmarks._races import study_of
from benchmarks._searchers import Told, of_study
from benchmarks._trained import Trained
from benchmarks.others import MOST, Objective, search
from genome import Genome
from search.config.read import parse_study
from search.config.study import StudyConfig
from search.space.space import Space
from trainer import Split, load

EVEN = """\
import json, random, sys

given = json.loads(sys.stdin.readline())
rng = random.Random(given["seed"])
while True:
    answers = [
        rng.randrange(one["choices"]) if "choices" in one else rng.uniform(one["low"], one["high"])
        for one in given["parameters"]
    ]
    print(json.dumps({"answers": answers, "seconds": 0.5}), flush=True)
    if not sys.stdin.readline():
        break
"""


@pytest.fixture(scope="module")
def file() -> StudyConfig:
    """The study of the benchmark's trainings, on smaller images."""
    study = {**study_of("others", Path(), 60, 0, 1, budget={"device_time": "60s"}), "data": "digits"}
    return parse_study(yaml.safe_dump(study), "<study>")


def measured(written: Genome) -> Told:
    """Refuse networks of an odd depth; the results of the others do not matter."""
    plan = genome.resolve(written)
    if plan.depth % 2:
        return Told(genome.digest(plan), 0.0, violation=1.0)
    return Told(genome.digest(plan), float(plan.depth % 7))


def test_flat_answers_reach_all_that_a_hole_may_be(file: StudyConfig) -> None:
    for domain in file.space.holes.values():
        known = parameter(domain)
        said = range(known["choices"]) if "choices" in known else (known["low"], known["high"])
        answers = [answer(domain, one) for one in said]
        assert all(one in domain for one in answers) and len(set(answers)) == len(answers)
        assert domain.draw(Random(0)) in answers or "low" in known


def test_a_searcher_in_another_process_asks_for_genomes_of_the_space(
    file: StudyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "even.py"
    script.write_text(EVEN)
    monkeypatch.setitem(SCRIPTS, "even", script)
    space = file.space
    asked = [_asked(space, seed) for seed in (0, 0, 1)]
    assert asked[0] == asked[1] != asked[2]
    assert all(one in space for one in asked[0])


def _asked(space: Space, seed: int) -> list[Genome]:
    flat = Flat("even", Path(sys.executable), space, seed)
    found = []
    for _ in range(20):
        found.append(flat.ask())
        flat.tell(Told("", 0.0))
    flat.close()
    assert flat.seconds == 10.0
    assert flat.worker.poll() is not None
    return found


@pytest.mark.parametrize("word", ["random", "evolve", "tpe"])
def test_what_is_refused_or_met_is_no_trial(file: StudyConfig, word: str) -> None:
    objective = Objective("depth", file.space, measured)
    found = search(objective, of_study(word, file.space, seed=0), 8)
    assert found.networks == len(found.best) == 8 and found.asks > 8
    assert found.best == sorted(found.best)
    again = search(objective, of_study(word, file.space, seed=0), 8)
    assert replace(again, seconds=0.0) == replace(found, seconds=0.0)


def test_a_searcher_that_finds_nothing_new_loses_its_trials(file: StudyConfig) -> None:
    objective = Objective("one", file.space, lambda written: Told("all the same", 50.0))
    found = search(objective, of_study("random", file.space, seed=0), 3)
    assert (found.best, found.networks, found.asks) == ([50.0] * 3, 1, 1 + 2 * MOST)


def test_a_network_is_trained_once_by_all_that_share_a_file(file: StudyConfig, tmp_path: Path) -> None:
    whole, path = load("digits"), tmp_path / "trained.jsonl"
    data = replace(whole, train=Split(whole.train.x[:64], whole.train.y[:64]))
    one = Trained(file, data, path)
    drawn = file.space.sample(Random(1))
    told = one(drawn)
    assert 0 < told.valid <= 100 and told.violation == 0
    assert one(drawn) == told == Trained(file, data, path)(drawn)
    assert [json.loads(line)["digest"] for line in path.read_text().splitlines()] == [genome.digest(drawn)]
    tight = Trained(replace(file, limits={"params": 1}), data, tmp_path / "none.jsonl")(drawn)
    assert tight.valid == 0 and tight.violation == genome.resolve(drawn).params - 1
    assert not (tmp_path / "none.jsonl").exists()
