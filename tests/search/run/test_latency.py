"""Latency in whole studies: measured before training, cached, foretold, limited, and never of two devices."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import genome
from search.config.dataset import Dataset
from search.config.latency import RUNTIMES, LatencySetting
from search.errors import StudyError
from search.objective import Objective, formatted
from search.proposals.history import History
from search.proposals.latency_model import FEWEST, fitted
from search.results.formats import FORMATS
from search.run.latency import DEVICE_ATTR
from search.storage.latency import LatencyKey, costs_of, every_recalled
from search.storage.record import Record
from search.storage.study import claim, open_to_read, open_to_run
from search.study import Result
from search.workers.latency import LatencyError, measured
from tests.search.conftest import ONE, Said, trials_in
from tests.search.dashboard.kept import client
from trainer import Data
from trainer.hardware.cache import facts

Run = Callable[..., Result]
HERE = LatencyKey.of(LatencySetting(), "cpu")
ACCURACY, LATENCY = Objective("accuracy", "maximize"), Objective("latency", "minimize")


def text(width: int, depth: int = 1) -> str:
    """Return a network of some convolutions, each of so many channels."""
    nodes = [
        f"  c{i}: {{op: conv, in: [{f'c{i - 1}' if i else 'image'}], kernel: 3, width: {width}}}"
        for i in range(depth)
    ]
    last = f"  out: {{op: exit, in: [c{depth - 1}]}}"
    return "\n".join(["genome: net", "input: [1, 8, 8]", "classes: 10", "nodes:", *nodes, last, ""])


def space(*widths: int) -> dict[str, Any]:
    """Return a space of two convolutions, of which the second has one of these widths."""
    nodes: dict[str, Any] = {
        "c0": {"op": "conv", "in": ["image"], "kernel": 3, "width": {"one_of": list(widths)}}
    }
    nodes["c1"] = {"op": "conv", "in": ["c0"], "kernel": 3, "width": {"one_of": list(widths)}}
    return {"nodes": {**nodes, "out": {"op": "exit", "in": ["c1"]}}}


@pytest.fixture(scope="module")
def digits() -> Data:
    return Dataset("digits").load()


@pytest.fixture(scope="module")
def several(digits: Data) -> dict[str, float]:
    """The seconds of networks by text, really measured, the small ones first; the cache of the tests has them then."""
    texts = [text(width, depth) for depth in (1, 2, 4) for width in (4, 16, 32, 64)]
    return {one: measured(one, LatencySetting(), digits, "cpu").latency.seconds for one in texts}


def cached() -> dict[str, float]:
    """Return the seconds in the file of the cache, by the digest of the network."""
    file = Path(os.environ["GENOME_CACHE"], f"{HERE.file}.json")
    return (
        {key: one["seconds"] for key, one in json.loads(file.read_bytes()).items()} if file.exists() else {}
    )


def digest(written: str) -> str:
    return genome.digest(genome.loads(written))


# --- measuring


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_is_measured_and_cached(runtime: str, digits: Data) -> None:
    setting = LatencySetting(runtime, batch=2)
    if missing := setting.missing_runtime():
        pytest.skip(missing)
    first = measured(text(6), setting, digits, "cpu")
    assert 0 < first.latency.seconds < 1 and first.latency.noise >= 0
    assert first.seconds > 0
    assert measured(text(6), setting, digits, "cpu") == (first.latency, 0.0)
    assert measured(text(6).replace("c0", "other"), setting, digits, "cpu").seconds == 0
    versions = dict(first.latency.key.versions)
    assert {"torch", "genome-nas", *RUNTIMES[runtime].needs} == set(
        versions
    ) and "unknown" not in versions.values()


def test_each_format_of_exports_is_a_runtime() -> None:
    runtimes = {one.format: one for one in RUNTIMES.values() if one.format}
    assert set(runtimes) == set(FORMATS)
    for name, one in FORMATS.items():
        assert (runtimes[name].needs, runtimes[name].extra) == (one.needs, one.extra)


def test_each_setting_and_device_has_latencies_of_its_own(digits: Data) -> None:
    one = measured(text(8), LatencySetting(), digits, "cpu").latency
    many = measured(text(8), LatencySetting(batch=1024), digits, "cpu").latency
    assert many.seconds > one.seconds and many.key != one.key
    assert digest(text(8)) not in every_recalled(one.key._replace(device="another processor"))
    assert every_recalled(one.key)[digest(text(8))].seconds == one.seconds


def test_a_broken_entry_of_the_cache_is_measured_again(digits: Data) -> None:
    first = measured(text(10), LatencySetting(), digits, "cpu").latency
    file = Path(os.environ["GENOME_CACHE"], f"{HERE.file}.json")
    for broken in ({"seconds": "fast"}, 3, None, {"seconds": -1.0, "noise": 0, "costs": {}}):
        remember(digest(text(10)), broken)
        assert digest(text(10)) not in every_recalled(HERE)
        again = measured(text(10), LatencySetting(), digits, "cpu")
        assert again.seconds > 0 and again.latency.key == first.key
        assert json.loads(file.read_bytes())[digest(text(10))]["seconds"] == again.latency.seconds


def remember(key: str, value: Any) -> None:
    facts(HERE.file).remember(key, value)


def test_a_network_that_cannot_run_is_a_sentence(digits: Data) -> None:
    with pytest.raises(LatencyError, match=r"^its latency cannot be measured: .*3 channels"):
        measured(text(12), LatencySetting(), replace(digits, input=(3, 8, 8)), "cpu")
    assert digest(text(12)) not in cached()


# --- foretelling


def test_the_errors_are_those_of_networks_left_out(several: dict[str, float]) -> None:
    costs = [costs_of(genome.resolve(genome.loads(one))) for one in several]
    seconds = list(several.values())
    model = fitted(costs, seconds)
    assert model is not None and len(model.errors) == len(several)
    for i in range(len(costs)):
        others = fitted(costs[:i] + costs[i + 1 :], seconds[:i] + seconds[i + 1 :])
        assert others is not None
        assert model.errors[i] == pytest.approx(
            math.log(others.seconds(costs[i]) / seconds[i]), rel=1e-6, abs=1e-9
        )
    far = sum(math.expm1(error) > model.margin for error in model.errors)
    assert far <= 0.1 * len(costs) + 1 and model.error < 1.0
    assert f"{model.error:.0%} off" in str(model) and f"margin {model.margin:.0%}" in str(model)


def test_a_larger_network_is_foretold_to_be_slower(several: dict[str, float]) -> None:
    model = fitted([costs_of(genome.resolve(genome.loads(one))) for one in several], list(several.values()))
    assert model is not None
    small, large = (
        model.seconds(costs_of(genome.resolve(genome.loads(one)))) for one in (text(8), text(96, 6))
    )
    assert small < large
    assert several[text(4)] < several[text(64, 4)]


@given(
    st.lists(
        st.tuples(st.floats(1e-5, 1), st.floats(0, 1e7), st.floats(0, 50)), min_size=FEWEST, max_size=20
    ),
    st.floats(1.0, 3.0),
)
def test_more_of_everything_is_never_foretold_to_be_faster(
    rows: list[tuple[float, float, float]], factor: float
) -> None:
    costs = [
        {"macs": macs, "bytes": macs / 7, "steps": steps, "steps of conv": steps} for _, macs, steps in rows
    ]
    model = fitted(costs, [seconds for seconds, _, _ in rows])
    assert model is not None and fitted(costs[: FEWEST - 1], [1.0] * (FEWEST - 1)) is None
    for one in costs:
        more = {name: factor * value for name, value in one.items()}
        assert 0 <= model.seconds(one) <= model.seconds(more) * (1 + 1e-9)
        assert model.least_seconds(one) <= model.seconds(one)


# --- studies


@pytest.mark.parametrize(("sampler", "batch"), [("random", 3), ("tpe", 5)])
def test_a_slow_network_is_measured_and_not_trained(
    run: Run, digits: Data, tmp_path: Path, sampler: str, batch: int
) -> None:
    """The batch is that of no other test: few latencies are known, and none is foretold."""
    setting = LatencySetting(batch=batch)
    fast, slow = (measured(text(width, 2), setting, digits, "cpu").latency for width in (5, 160))
    limit = math.sqrt(fast.seconds * slow.seconds)
    result = run(
        space=space(7, 192),
        sampler=sampler,
        limits={"latency": limit},
        latency={"batch": batch},
        trials=4,
        workers=1,
    )
    trained = [record for record in result.records if record.outcome == "done"]
    refused = [record for record in result.records if record.outcome == "refused"]
    assert len(trained) + len(refused) == 4 and refused
    for record in refused:
        assert (record.kind, record.values, record.epochs) == ("limit", None, None) and record.violation > 0
        assert (
            record.reason and record.reason.startswith("latency is ") and record.reason.endswith("is allowed")
        )
        assert not list((tmp_path / "runs" / "tiny" / "trials" / str(record.number)).glob("*.safetensors"))
    for record in trained:
        assert record.latency and record.metrics["latency"] == record.latency.seconds <= limit
    met = [record for record in result.records if record.latency]
    own = {digest(text(5, 2)), digest(text(160, 2))}
    known = {key: one.seconds for key, one in every_recalled(fast.key).items() if key not in own}
    assert {one.digest: one.latency.seconds for one in met if one.latency} == known
    assert all(
        record.seconds > 0 and record.metrics["latency"] > limit for record in met if record in refused
    )
    assert result.spent_seconds == pytest.approx(sum(record.seconds for record in result.records))


def test_another_study_does_not_measure_again(run: Run) -> None:
    first = run(study="first", space=space(9, 11), trials=4, objectives=["accuracy", "latency"])
    file = Path(os.environ["GENOME_CACHE"], f"{HERE.file}.json")
    stored, content = file.stat().st_mtime_ns, file.read_bytes()
    again = run(study="again", space=space(9, 11), trials=4, objectives=["accuracy", "latency"])
    assert (file.stat().st_mtime_ns, file.read_bytes()) == (stored, content)
    seconds = {record.digest: record.metrics["latency"] for record in first.records}
    for record in again.records:
        assert record.metrics["latency"] == seconds.get(record.digest, record.metrics["latency"])
    assert {record.digest for record in again.records} & set(seconds)


def test_what_is_foretold_to_be_slow_gets_no_slot(run: Run, several: dict[str, float]) -> None:
    result = run(space=space(1024, 1040), limits={"latency": min(several.values()) * 2}, trials=3, workers=1)
    known = cached()
    for record in result.records:
        assert (
            record.outcome == "refused" and record.reason and record.reason.startswith("foretold latency is ")
        )
        assert record.digest not in known and record.seconds == 0 and record.latency is None
    assert result.spent_seconds == 0


def test_what_is_known_to_be_slow_gets_no_slot(run: Run, digits: Data) -> None:
    slow = text(130, 2)
    seconds = measured(slow, LatencySetting(), digits, "cpu").latency.seconds
    (record,) = run(space=space(130), limits={"latency": seconds / 2}, trials=1).records
    assert record.outcome == "refused" and record.seconds == 0 and record.violation == pytest.approx(1.0)
    assert record.digest == digest(slow)


def test_measuring_changes_no_training(run: Run) -> None:
    alone = run(study="alone", workers=1, trials=2, objectives=["accuracy"])
    beside = run(
        study="beside", workers=1, trials=2, objectives=["accuracy", "latency"], latency={"runtime": "folded"}
    )
    for one, other in zip(alone.records, beside.records, strict=True):
        assert one.digest == other.digest and one.metrics["loss"] == other.metrics["loss"]


def test_devices_are_not_mixed(run: Run, tmp_path: Path) -> None:
    begun = run(space=ONE, trials=1, objectives=["accuracy", "latency"])
    claimed = open_to_read("tiny", tmp_path / "runs")
    assert claimed.study.user_attrs[DEVICE_ATTR] == HERE.device
    claimed.close()
    with claim("tiny", tmp_path / "runs", None) as mine:
        store = open_to_run(mine, ["maximize", "minimize"], {})
        store.study.set_user_attr(DEVICE_ATTR, "another processor")
        store.close()
    with pytest.raises(StudyError) as refused:
        run(space=ONE, trials=2, objectives=["accuracy", "latency"])
    assert str(refused.value) == (
        f"study tiny measures latency on another processor, and this is {HERE.device}: resume it there, or begin a "
        "study of another name here, with --from tiny"
    )
    assert trials_in(tmp_path / "runs") == list(begun.records)


def test_the_command_shows_latency_with_its_noise(
    command: Callable[..., Said], written: Callable[..., Path], several: dict[str, float]
) -> None:
    limit = f"{2000 * max(several.values()):.6f}ms"
    study = written(objectives=["accuracy", "latency"], limits={"latency": limit}, trials=3)
    said = command("search", study)
    assert said.status == 0 and "± " in said.out
    assert any(
        line.startswith("latency is foretold from ") and "limit" in line for line in said.out.splitlines()
    )
    line = next(line for line in command("best", "tiny").out.splitlines() if line.startswith("latency of "))
    assert line.startswith(f"latency of 1 image by torch on 1 thread ({HERE.device}): ") and "noise ±" in line
    (first, *_) = json.loads(command("best", "tiny", "--json").out)["trials"]
    assert first["latency"]["device"] == HERE.device and first["latency"]["noise"] >= 0
    report = json.loads(Path("runs/tiny/best/report.json").read_bytes())
    assert report["latency"] == first["latency"]
    assert report["training"]["latency"] == first["latency"]["seconds"]
    web = client(Path("runs"))
    assert "latency" in web.get("/study/tiny").text
    shown = unescape(web.get(f"/study/tiny/trial/{first['number']}").text)
    assert f"{formatted('latency', first['latency']['seconds'])} ± " in shown and HERE.device in shown


def test_a_pruned_trial_has_all_costs() -> None:
    latency = measured(text(4), LatencySetting(), Dataset("digits").load(), "cpu").latency
    history = History((ACCURACY, LATENCY), 9)
    known = {"rungs": {1: 0.5}, "genome": text(4), "digest": digest(text(4)), "params": 1, "macs": 1}
    history.add(Record(0, "pruned", latency=latency, epochs=1, planned_epochs=9, **known))
    history.add(Record(1, "pruned", epochs=1, planned_epochs=9, **known))
    assert [one.costs for one in history.individuals()] == [(-0.5, latency.seconds), None]
