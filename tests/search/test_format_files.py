"""Files of an export for other runtimes: each runs in a fresh process and gives the logits of the network."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

import genome
from genome import GenomeError, Plan
from genome.network import Network
from search.errors import StudyError
from search.results.formats import FORMATS, Format, chosen, registry, written
from search.results.formats.check import CLOSE
from search.results.pixels import Pixels
from search.storage.data_facts import DataFacts
from tests.genome.plain.test_plain import stirred
from tests.search.conftest import Said
from tests.widest import widest

EXITS = {"early": 0, "out": 1}
TEXT = """\
genome: g
input: [3, 12, 12]
classes: 4
nodes:
  stem: {op: conv, in: [image], width: 6, norm: group}
  act: {op: active, in: [stem], width: 8}
  early: {op: exit, in: [act]}
  bent: {op: deform, in: [act], width: 8, stride: 2}
  noise: {op: perturb, in: [bent], width: 8, masks: 4}
  beside: {op: lrn, in: [noise]}
  down: {op: pool, in: [bent], kind: avg, size: 3, stride: 1, padding: 1, ceil: true}
  both: {op: concat, in: [beside, down]}
  out: {op: exit, in: [both], norm: batch}
"""


def facts(plan: Plan) -> DataFacts:
    channels, _, _ = plan.genome.input
    classes = tuple(f"class {i}" for i in range(plan.genome.classes))
    counts = {"train": 1, "valid": 1, "test": 1}
    return DataFacts(
        "d", "x", tuple(plan.genome.input), classes, (0.4,) * channels, (0.2,) * channels, counts
    )


def images(plan: Plan, count: int = 9) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *plan.genome.input), dtype=np.uint8)


def network(text: str = TEXT) -> tuple[Network, Plan]:
    plan = genome.resolve(genome.loads(text))
    return stirred(plan, 1), plan


@pytest.mark.parametrize("fold", [False, True])
def test_every_format_gives_the_logits_of_every_exit(fold: bool) -> None:
    module, plan = network()
    content, seen = written(module, plan, facts(plan), images(plan), list(FORMATS.values()), fold)
    assert set(content) == {"model.pt2", "model.onnx"}
    for one in seen["checked"].values():
        assert one["largest_difference"] <= CLOSE and one["same_predictions"] == 1.0 and one["images"] == 9
        assert set(one["milliseconds"]) == set(seen["eager"]) == {"1", "64"}
    import onnx

    model = onnx.load_from_string(content["model.onnx"])
    assert [one.name for one in model.graph.output] == ["exit_early", "exit_out"]
    assert {one.key: one.value for one in model.metadata_props}["classes"] == json.dumps(
        [f"class {i}" for i in range(4)]
    )
    norms = sum(node.op_type == "BatchNormalization" for node in model.graph.node)
    assert norms == (1 if fold else 2)


def test_no_path_of_this_machine_is_in_a_file_and_the_same_network_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        module, plan = network()
        found.append(written(module, plan, facts(plan), images(plan), list(FORMATS.values()), False)[0])
    assert found[0] == found[1]
    archive = zipfile.ZipFile(io.BytesIO(found[0]["model.pt2"]))
    texts = [found[0]["model.onnx"], *(archive.read(name) for name in archive.namelist())]
    for word in (b"site-packages", b"genome/plain", b"search/results", str(Path.home()).encode() + b"/"):
        assert not any(word in text for text in texts), word


def test_a_file_whose_logits_differ_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A converter that errs is made of the right one: it shifts a bias."""

    def wrong(
        module: Pixels, example: Any, exits: Sequence[str], about: Mapping[str, str]
    ) -> dict[str, bytes]:
        changed = Pixels(*network(), facts(network()[1]), False)
        with torch.no_grad():
            [*changed.parameters()][-1].add_(1.0)
        return FORMATS["pt2"].write(changed, example, exits, about)

    module, plan = network()
    odd = replace(FORMATS["pt2"], write=wrong)
    content, seen = written(module, plan, facts(plan), images(plan), [odd], False)
    assert content == {} and not seen["checked"]["pt2"]["is_kept"]
    assert "model.pt2 is not written: its logits differ from the network's by" in caplog.text


def test_a_file_that_does_not_run_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    module, plan = network()
    broken = replace(FORMATS["onnx"], write=lambda *_: {"model.onnx": b"noise"})
    content, _ = written(module, plan, facts(plan), images(plan), [broken], False)
    assert content == {}
    assert "model.onnx is not written: it does not run in a fresh process (" in caplog.text


def test_words_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one.name for one in chosen("all")] == ["pt2", "onnx"]
    assert [one.name for one in chosen("onnx, pt2,onnx")] == ["onnx", "pt2"]
    missing = Format("odd", ("model.odd",), ("no_such_runtime",), "odd", lambda *_: {}, "")
    monkeypatch.setattr(registry, "FORMATS", {**FORMATS, "odd": missing})
    with pytest.raises(StudyError, match=r"needs no_such_runtime; pip install 'genome-nas\[odd\]'"):
        chosen("odd")
    assert [one.name for one in chosen("all")] == ["pt2", "onnx"]


def test_an_export_with_formats(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    assert command("search", written(trials=2)).status == 0
    said = command("export", "tiny", "--to", "mine", "--formats", "pt2,onnx", "--fold")
    assert (said.status, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[1].split()[0] == "file" and [line.split()[0] for line in lines[3:5]] == [
        "model.pt2",
        "model.onnx",
    ]
    assert lines[-1] == "compared on 256 test images; latency on one thread of this CPU"
    report = json.loads(Path("mine/report.json").read_text())
    assert {"model.pt2", "model.onnx"} <= set(report["files"]) and report["formats"]["fold"]
    for words, sentence in (
        (("--formats", "tflite"), "--formats has 'tflite'; it may be all, or some of pt2, onnx"),
        (("--fold",), "--fold belongs to --formats"),
    ):
        said = command("export", "tiny", "--to", "other", *words)
        assert said.status == 2 and sentence in said.err and not Path("other").exists()


def test_without_its_images_a_study_is_compared_on_noise(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (40, 6, 6, 1), dtype=np.uint8), np.arange(40) % 2
    np.savez(tmp_path / "a.npz", train_x=x, train_y=y, test_x=x, test_y=y)
    assert command("search", written(trials=2, data={"path": str(tmp_path / "a.npz")})).status == 0
    (tmp_path / "a.npz").unlink()
    said = command("export", "tiny", "--to", "mine", "--formats", "pt2")
    assert said.status == 0 and "random images, since the test images are missing" in said.out
    shutil.rmtree(tmp_path / "mine")


@pytest.mark.slow
def test_drawn_networks_in_every_format() -> None:
    space, kept = widest(), 0
    for seed in range(40):
        try:
            plan = genome.resolve(space.sample(Random(seed)))
        except GenomeError:
            continue
        content, seen = written(
            stirred(plan, seed), plan, facts(plan), images(plan), list(FORMATS.values()), True
        )
        assert len(content) == 2, (seed, seen)
        kept += 1
    assert kept > 20
