"""Files of an export for other runtimes: each runs in a fresh process and gives the logits of the network."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genome
from genome import Plan
from genome.network import Network
from genome.plain.module import module_of, program
from search.errors import StudyError
from search.results.formats import CLOSE, FORMATS, Format, chosen, file_of, registry, written
from search.results.formats.locate import told_place
from search.results.pixels import Pixels
from search.storage.data_facts import DataFacts
from tests.format_cases import drawn, hard
from tests.genome.plain.test_plain import stirred
from tests.search.conftest import Said

ROOT = Path(__file__).parents[2]
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


def is_installed(name: str) -> Format:
    """Return a format; skip the test where its extra is missing."""
    if missing := FORMATS[name].missing:
        pytest.skip(f"{', '.join(missing)}: not installed")
    return FORMATS[name]


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_gives_the_logits_of_every_exit(name: str) -> None:
    module, plan = network()
    one = is_installed(name)
    content, seen = written(module, plan, facts(plan), images(plan), [one], name != "pt2")
    checked = seen["checked"][name]
    assert set(content) == set(one.files), checked
    assert checked["largest_difference"] <= CLOSE and checked["same_predictions"] == 1.0
    assert checked["images"] == 9 and checked["bytes"] == sum(map(len, content.values()))
    assert set(checked["milliseconds"]) == set(seen["eager"]) == {"1", "64"} and checked["versions"]


@pytest.mark.parametrize("fold", [False, True])
def test_a_graph_of_onnx_has_names_classes_and_norms(fold: bool) -> None:
    import onnx

    module, plan = network()
    stored = file_of(FORMATS["onnx"], Pixels(module, plan, facts(plan), fold))
    model = onnx.load_from_string(stored["model.onnx"])
    onnx.checker.check_model(model, full_check=True)
    assert [one.name for one in model.graph.output] == ["exit_early", "exit_out"]
    assert {one.key: one.value for one in model.metadata_props}["classes"] == json.dumps(
        [f"class {i}" for i in range(4)]
    )
    norms = sum(node.op_type == "BatchNormalization" for node in model.graph.node)
    assert norms == (1 if fold else 2)


SMALL = """\
genome: g
input: [3, 9, 9]
classes: 4
nodes:
  stem: {op: conv, in: [image], width: 4}
  early: {op: exit, in: [stem]}
  bent: {op: deform, in: [stem], width: 4, stride: 2}
  down: {op: pool, in: [bent], kind: avg, ceil: true}
  out: {op: exit, in: [down]}
"""


def every_file() -> dict[str, bytes]:
    """Return the files of all installed formats of one network."""
    module, plan = network(SMALL)
    pixels = Pixels(module, plan, facts(plan), False)
    return {name: file for one in chosen("all") for name, file in file_of(one, pixels).items()}


def test_no_path_of_this_machine_is_in_a_file_and_the_same_network_gives_the_same_bytes(
    tmp_path: Path,
) -> None:
    """Also in another process and folder, and for the second network that a process writes."""
    script = (
        "import pathlib, tests.search.test_format_files as t\nt.every_file()\n"
        "for name, file in t.every_file().items(): pathlib.Path(name).write_bytes(file)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    found = every_file()
    assert found == {name: Path(tmp_path, name).read_bytes() for name in found}
    archive = zipfile.ZipFile(io.BytesIO(found.pop("model.pt2")))
    texts = [*found.values(), *(archive.read(name) for name in archive.namelist())]
    places = (b"site-packages", b"genome/plain", b"search/results", b"format_files", str(ROOT).encode())
    for word in (*places, sys.prefix.encode(), str(Path.home()).encode() + b"/", str(tmp_path).encode()):
        assert not any(word in text for text in texts), word


CHAIN = """\
genome: g
input: [3, 8, 8]
classes: 4
nodes:
  stem: {op: conv, in: [image], width: 4, order: conv}
  beside: {op: conv, in: [image], width: 4, order: conv-act}
  both: {op: add, in: [stem, beside]}
  out: {op: exit, in: [both]}
"""


def test_the_node_that_differs_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """A converter that errs is made of the right one: it scales the weights of one layer by 1.1."""
    import onnx

    def wrong(*given: Any) -> dict[str, bytes]:
        model = onnx.load_from_string(FORMATS["onnx"].write(*given)["model.onnx"])
        for tensor in model.graph.initializer:
            if tensor.name.startswith("network.beside.weight"):
                scaled = onnx.numpy_helper.to_array(tensor) * np.float32(1.1)
                tensor.CopyFrom(onnx.numpy_helper.from_array(scaled, tensor.name))
        return {"model.onnx": model.SerializeToString()}

    module, plan = network(CHAIN)
    odd = replace(FORMATS["onnx"], write=wrong)
    content, seen = written(module, plan, facts(plan), images(plan), [odd], True)
    assert content == {} and not seen["checked"]["onnx"]["is_kept"]
    assert "model.onnx is not written: its logits differ by " in caplog.text
    assert "of the largest; maps behind node `beside` (Conv2d) differ by " in caplog.text


def test_a_wrong_conversion_of_a_runtime_is_located() -> None:
    """ncnn averages over pixels that are not there where a pool rounds up: no portable form has such a pool."""
    one = is_installed("ncnn")
    plan = dict(hard())["average pool, padded, ceil"]
    module = Pixels(stirred(plan, 1), plan, facts(plan), False)
    assert told_place(one, module, images(plan)) == ""
    module.program = program(stirred(plan, 1), plan)
    module.network = module_of(module.program)
    assert told_place(one, module, images(plan)).startswith("maps behind node `b` (avg_pool2d) differ by ")


def test_a_conversion_tells_nobody() -> None:
    """The package of OpenVINO sends an event when it is imported."""
    is_installed("openvino")
    script = (
        "import sys\nfrom search.results.formats.openvino import _runtime\n_runtime()\n"
        "assert not any(name.startswith('openvino_telemetry.') for name in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


def test_the_node_that_a_converter_cannot_convert_is_named(caplog: pytest.LogCaptureFixture) -> None:
    def fussy(module: Pixels, *given: Any) -> dict[str, bytes]:
        if any(one.call.function is torch.Tensor.add for one in module.program.made):
            raise NotImplementedError("no sums")
        return FORMATS["pt2"].write(module, *given)

    module, plan = network(CHAIN)
    odd = replace(FORMATS["pt2"], write=fussy)
    content, seen = written(module, plan, facts(plan), images(plan), [odd], False)
    assert content == {} and not seen["checked"]["pt2"]["is_kept"]
    sentence = "its converter fails (NotImplementedError: no sums); the first node that fails is `both` (add)"
    assert f"model.pt2 is not written: {sentence}" in caplog.text


def test_a_file_that_does_not_run_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    module, plan = network()
    broken = replace(FORMATS["onnx"], write=lambda *_: {"model.onnx": b"noise"})
    content, _ = written(module, plan, facts(plan), images(plan), [broken], False)
    assert content == {}
    assert "model.onnx is not written: it does not run in a fresh process (" in caplog.text


def test_words_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = [name for name, one in FORMATS.items() if not one.missing]
    assert [one.name for one in chosen("all")] == installed
    assert [one.name for one in chosen("onnx, pt2,onnx")] == ["onnx", "pt2"]
    missing = Format("odd", ("model.odd",), ("no_such_runtime",), lambda *_: {}, "", "1")
    monkeypatch.setattr(registry, "FORMATS", {**FORMATS, "odd": missing})
    with pytest.raises(StudyError, match=r"needs no_such_runtime; pip install 'genome-nas\[odd\]'"):
        chosen("odd")
    assert [one.name for one in chosen("all")] == installed


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
    said = command("export", "tiny", "--to", "mine")
    assert said.status == 0 and "mine is written anew without the earlier model.onnx, model.pt2" in said.err
    said = command("export", "tiny", "--to", "other", "--formats", "tflite")
    sentence = f"--formats has 'tflite'; it may be all, or some of {', '.join(FORMATS)}"
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
@pytest.mark.parametrize("name", FORMATS)
def test_hard_and_drawn_networks_in_a_format(name: str) -> None:
    one = is_installed(name)
    wrong = {}
    for case, plan in chain(hard(), drawn(30)):
        content, seen = written(stirred(plan, 1), plan, facts(plan), images(plan, 3), [one], True)
        if not content:
            wrong[case] = seen["checked"][name]["why"]
    assert not wrong
