"""Studies that begin with known genomes, and duplicates of networks."""

import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, PartialFixedSampler, RandomSampler

import genome
from genome import Genome
from search.cli.tally import Tally
from search.config.candidate import candidate
from search.errors import StudyError
from search.formatting import duplicates
from search.proposals.ask import OptunaSuggestions
from search.proposals.history import History
from search.proposals.warm_start import enqueue, ref_of, start_genomes, store_genomes
from search.run.progress import Silent
from search.run.recovery import recover
from search.samplers.random_search import RandomSearch
from search.storage.record import Record
from search.storage.study import claim, open_to_read, open_to_run
from search.study import Result, Study
from tests.search.conftest import ONE, SPACE, Said

Run = Callable[..., Result]
SAMPLERS = ["random", "tpe"]  # one of ours, one of Optuna's

GIVEN = """genome: given
input: [3, 32, 32]
classes: 100
nodes:
  stem: {op: conv, in: [image], kernel: 3, width: 7}
  body: {op: separable, in: [stem], width: 9}
  out: {op: exit, in: [body]}
"""


def write(folder: Path, name: str = "given.yaml", text: str = GIVEN) -> str:
    (folder / name).write_text(text)
    return name


def begun(result: Result) -> dict[str, list[Record]]:
    """Return the trials that a study began with, by REF."""
    found: dict[str, list[Record]] = {}
    for record in result.records:
        if ref := ref_of(record):
            found.setdefault(ref, []).append(record)
    return found


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_given_genomes_come_first_and_once(run: Run, tmp_path: Path, sampler: str) -> None:
    names = [write(tmp_path), write(tmp_path, "wide.yaml", GIVEN.replace("width: 7", "width: 16"))]
    changes = {"start": names, "sampler": sampler, "workers": 1}
    first, second = run(trials=1, **changes).records
    assert second.outcome == "waiting"
    assert first.outcome == "done" and first.origin == ("start", (), ("given.yaml",))
    written = genome.loads(first.genome or "")
    assert (written.name, written.input, written.classes) == ("tiny", (1, 8, 8), 10)
    assert written.nodes == genome.loads(GIVEN).nodes
    for name in names:
        (tmp_path / name).unlink()  # the study has stored the results of these files
    result = run(trials=4, **changes)
    assert list(begun(result)) == names
    assert [[r.number for r in trials] for trials in begun(result).values()] == [[0], [1]]
    assert genome.loads(result.records[1].genome or "").by_name["stem"].width == 16


def drawn(path: Path, count: int) -> list[Genome]:
    space = Study.load(path).config.space
    return [space.sample(Random(seed)) for seed in range(count)]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_whatever_is_drawn_from_a_space_can_begin_it(
    run: Run, written: Callable[..., Path], tmp_path: Path, sampler: str
) -> None:
    real = {"op": "act", "in": ["body"], "genes": "any"}
    last = {"op": "exit", "in": ["act", "(stem)"], "weight": {"float": [0.1, 0.9]}}
    space = {"nodes": {**SPACE["nodes"], "act": real, "out": last}}
    genomes = drawn(written(space=space), 10)
    names = [write(tmp_path, f"{i}.yaml", genome.dump(one)) for i, one in enumerate(genomes)]
    result = run(space=space, start=names, sampler=sampler, trials=len(names))
    assert [r.digest for r in result.records] == [genome.digest(one) for one in genomes]
    assert [genome.loads(r.genome or "") for r in result.records] == genomes


def test_a_published_network_is_held_to_the_limits(run: Run) -> None:
    nodes = yaml.safe_load(genome.dump(genome.zoo.get("nin-mnist")))["nodes"]
    nodes["mlp1"]["kernel"] = {"one_of": [3, 5]}
    nodes["mlp1"]["width"] = {"int": [4, 48]}
    result = run(space={"nodes": nodes}, start="zoo:nin-mnist", limits={"params": 100_000}, trials=1)
    (only,) = result.records
    assert only.outcome == "refused" and "params is " in (only.reason or "")
    assert genome.loads(only.genome or "").by_name == genome.zoo.get("nin-mnist").by_name


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_killed_as_it_began_it_is_tried_again_once(
    run: Run, written: Callable[..., Path], tmp_path: Path, sampler: str
) -> None:
    runs, changes = tmp_path / "runs", {"sampler": sampler, "workers": 1}
    run(trials=1, **changes)
    changes |= {"trials": 3, "start": [write(tmp_path)]}
    file = Study.load(written(**changes), runs).config
    with claim("tiny", runs, None) as claimed:
        store = open_to_run(claimed, ["maximize", "minimize"], {})
        store_genomes(store, start_genomes(file, runs))
        enqueue(store, file.space)
        enqueue(store, file.space)
        # the coordinator was killed before the trial had any parameter
        assert store.study.ask().number == 1
        recover(store, file)
        enqueue(store, file.space)
    first, again = begun(run(**changes))["given.yaml"]
    assert (first.outcome, again.outcome, again.retry_of) == ("interrupted", "done", first.number)
    assert genome.loads(again.genome or "").nodes == genome.loads(GIVEN).nodes


def test_what_does_not_fit_is_a_line_of_the_file(
    run: Run, written: Callable[..., Path], tmp_path: Path
) -> None:
    wide = write(tmp_path, "wide.yaml", GIVEN.replace("width: 7", "width: 77"))
    broken = write(tmp_path, "broken.yaml", GIVEN.replace("op: separable", "op: seperable"))
    start = [write(tmp_path), wide, "zoo:no-such", broken, "absent.yaml", "other#3"]
    with pytest.raises(StudyError) as error:
        run(start=start)
    lines = str(error.value).splitlines()
    at = (tmp_path / "tiny.yaml").read_text().splitlines().index("start:") + 2
    places = [line.partition("  ")[0] for line in lines]
    assert places == [f"{tmp_path}/tiny.yaml:{at + place}" for place in (1, 2, 3, 4, 5)]
    said = [line.partition("  start: ")[2] for line in lines]
    assert said[0] == "wide.yaml does not fit: stem.width is 77; in this space it is 4..16"
    assert said[1].startswith("the zoo has no network 'no-such'")
    assert said[2].startswith(f"{tmp_path}/broken.yaml:6  body.op is seperable")
    assert said[3].startswith(f"{tmp_path}/absent.yaml  there is no such file")
    assert said[4].startswith("no study other in ")
    assert not (tmp_path / "runs" / "tiny" / "study.db").exists(), "nothing was begun"


# --- the best of another study


def from_other(study: str, path: Path, runs: Path) -> Result:
    return Study.load(path, runs).run(Silent(), study)


def test_the_best_of_another_study_come_first(
    run: Run, written: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = tmp_path / "runs"
    other = run(study="other", objectives="accuracy", trials=8)
    trained = {r.digest: r for r in other.records if r.reused is None}.values()
    best = sorted(trained, key=lambda r: (-r.metrics["accuracy"], r.metrics["loss"]))[:5]
    result = from_other("other", written(trials=1, workers=1), runs)
    assert result.records[0].origin == ("start", (), (f"other#{best[0].number}",))
    result = run(trials=6, workers=1)  # the study resumes without being told again
    assert [r.digest for r in result.records[:5]] == [r.digest for r in best]
    assert result.records[5].origin is None or result.records[5].origin.by != "start"
    one = from_other(f"other#{best[2].number}", written(study="third", trials=1), runs)
    assert one.records[0].digest == best[2].digest
    assert caplog.records == []


NARROW = {"nodes": {**SPACE["nodes"], "body": {"op": "conv", "in": ["stem"], "width": {"int": [4, 16]}}}}


def test_what_does_not_fit_is_left_out_with_a_line(
    run: Run, written: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = tmp_path / "runs"
    starts = [
        write(tmp_path, f"{op}.yaml", GIVEN.replace("op: separable", f"op: {op}"))
        for op in ("conv", "separable")
    ]
    run(study="other", start=starts, trials=2)
    result = from_other("other", written(space=NARROW, trials=1), runs)
    assert list(begun(result)) == ["other#0"]
    line = "other#1 left out: it does not fit the space: body.op is separable; in this space it is conv"
    assert [r.getMessage() for r in caplog.records] == [line]
    with pytest.raises(StudyError, match=r"^no genome of other#1 fits the space of .*tiny.yaml; run without"):
        from_other("other#1", written(study="third", space=NARROW, trials=1), runs)
    assert not (runs / "third" / "study.db").exists()


def test_new_genomes_may_be_given_to_a_study_under_way(run: Run, tmp_path: Path) -> None:
    run(trials=2, workers=1)
    result = run(trials=3, workers=1, start=[write(tmp_path)])
    assert list(begun(result)) == ["given.yaml"]
    assert begun(result)["given.yaml"][0].number == 2
    assert "start" in open_to_read("tiny", tmp_path / "runs").study.user_attrs["genome_study"]


# --- no network is trained twice

SIXTEEN: dict[str, Any] = {
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "width": {"int": [3, 6]}},
        "body": {"op": {"one_of": ["conv", "separable"]}, "in": ["stem"], "width": {"int": [3, 4]}},
        "out": {"op": "exit", "in": ["body"]},
    }
}


def test_a_sampler_that_repeats_itself_is_moved_on(
    written: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = Study.load(written(space=SIXTEEN)).config
    space, past = file.space, History(file.objectives, 1)
    with claim("tiny", tmp_path / "runs", None) as claimed:
        store = open_to_run(claimed, ["maximize", "minimize"], {})
        store.study.sampler = parrot(space.encode(space.sample(Random(0))))
        source = OptunaSuggestions(store, space, False, past, RandomSearch(space))
        digests = []
        for number in range(48):
            drawn = source.ask()
            assert drawn.point is not None
            network = candidate(drawn.point, file.train)
            past.propose(network.digest)
            past.begin(number, drawn.point.genome, network, drawn.origin)
            digests.append(network.digest)
    new = [number for number, digest in enumerate(digests) if digest not in digests[:number]]
    assert new == [0, 6, 12, 18, 24, 30, 36, 42]
    moved = [r.number for r in store.records() if r.origin]
    assert moved == new[1:]
    (line,) = [r.getMessage() for r in caplog.records]
    assert "known networks 5 times in a row" in line


def parrot(answers: dict[str, Any]) -> BaseSampler:
    """A sampler of Optuna that always gives the same answer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return PartialFixedSampler(answers, RandomSampler())


def test_networks_met_again_are_counted_and_marked(
    command: Callable[..., Said], written: Callable[..., Path]
) -> None:
    said = command("search", written(space=ONE, trials=4, sampler="qmc"))
    assert said.status == 0
    assert "4 trials: 2 done, 2 reused" in said.out
    assert "\n2 duplicate networks skipped (results reused)\n" in said.out
    marks = [
        line.split()[-1] for line in command("best", "tiny", "--all").out.splitlines() if "as trial" in line
    ]
    assert len(marks) == 2


def test_the_live_line_counts_them() -> None:
    tally = Tally()
    for number in (1, 2):
        tally.add(Record(number, "done", reused=0))
    assert tally.duplicates == 2
    assert duplicates(1) == "1 duplicate network skipped (results reused)"


# --- the command


def test_check_says_where_a_start_does_not_fit(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    good = write(tmp_path)
    said = command("check", written(start=[good]))
    assert (said.status, said.err) == (0, "")
    assert said.out.endswith("tiny.yaml  study tiny: 3 holes, on digits, 1 to start with\n")
    write(tmp_path, text=GIVEN.replace("op: separable", "op: mlpconv"))
    said = command("check", written(start=good))
    assert said.status == 2 and len(said.err.splitlines()) == 1
    assert said.err.endswith(
        "  start: given.yaml does not fit: body.op is mlpconv; in this space it is conv or separable\n"
    )
    assert command("search", written(start=good)).err == said.err


def test_check_reports_what_cannot_be_read_beside_other_mistakes(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    broken = GIVEN.replace("op: separable", "op: seperable").replace("width: 9", "width: 0")
    write(tmp_path, "broken.yaml", broken)
    said = command("check", written(start=["broken.yaml", "zoo:no-such"], workers=0, data="digit"))
    sentences = [line.split("  ", 1)[1] for line in said.err.splitlines()]
    assert said.status == 2
    assert [sentence.split(" ")[0] for sentence in sentences] == ["data", "workers", *["start:"] * 3]
    assert "broken.yaml:6  body.op is seperable" in sentences[2] and "no-such" in sentences[4]
    assert "broken.yaml:6  body.width is 0" in sentences[3]


def test_from_another_study_on_the_command_line(
    command: Callable[..., Said], written: Callable[..., Path]
) -> None:
    assert command("search", written(study="other", trials=2, workers=1)).status == 0
    said = command("search", written(trials=1, workers=1), "--from", "other")
    assert said.status == 0 and "\nstarting with other#" in said.out
    assert command("search", written(study="third"), "--from", "absent").err.startswith(
        "no study absent in runs"
    )
    said = command("search", written(study="third", space=ONE), "--from", "other#1")
    lines = said.err.splitlines()
    assert said.status == 2 and len(lines) == 2
    assert lines[0] == "other#1 left out: it does not fit the space: body is no node of this space"
    assert lines[1].startswith("no genome of other#1 fits the space of ")
