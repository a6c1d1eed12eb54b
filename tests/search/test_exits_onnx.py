"""Networks that stop early as ONNX: the stages, the file with `If` nodes, and the runner."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import genome
import search
import trainer
from genome.exits.rules import Patience, Rule, chosen
from genome.plain.calls import PlainError
from search.errors import StudyError
from search.results.exits.checked import _checked
from search.results.exits.stages import LEAVES, LOGITS, PIXELS, stages
from search.results.pixels import Pixels
from search.results.trained import _facts
from tests.exits import drawn_network, drawn_rule
from tests.search.cli.test_exits import export, trained
from tests.search.conftest import Said
from tests.search.test_format_files import facts

assert export and trained  # fixtures


def pixels_of(seed: int) -> tuple[Pixels, Any]:
    net, plan = drawn_network(seed)
    x = torch.randint(0, 256, (9, *plan.genome.input), generator=torch.Generator().manual_seed(seed))
    return Pixels(net, plan, facts(plan), fold=False), x.to(torch.uint8)


def taken_in_stages(whole: Pixels, rule: Rule, x: torch.Tensor) -> tuple[list[int], list[np.ndarray]]:
    """Run all stages of all images; return the first exit that lets each leave, and the logits of all exits."""
    values, leaves, logits = {PIXELS: x}, [], []
    for stage in stages(whole, rule):
        with torch.inference_mode():
            values |= dict(
                zip(stage.gives, stage.module(*[values[name] for name in stage.reads]), strict=True)
            )
        leaves.append(values.pop(LEAVES, torch.ones(len(x), dtype=torch.bool)).numpy())
        logits.append(values.pop(LOGITS).numpy())
    return np.array(leaves).argmax(0).tolist(), logits


@pytest.mark.parametrize("seed", range(2, 14))
def test_stages_are_the_network_and_its_rule(seed: int) -> None:
    """Every other rule is patience, which looks back over several exits."""
    try:
        whole, x = pixels_of(seed)
    except PlainError:
        pytest.skip("a network that cannot be written as calls of torch")
    with torch.inference_mode():
        wanted = [one.numpy() for one in whole(x)]
    rule = drawn_rule(wanted, Random(seed)) if seed % 2 else Patience(1 + seed // 2 % len(wanted))
    taken, logits = taken_in_stages(whole, rule, x)
    assert taken == chosen(rule, wanted).tolist()
    for one, other in zip(logits, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


def wrong_words(folder: Path) -> Iterator[tuple[tuple[Path, ...], str]]:
    """Yield arguments that the runner refuses, with a part of its sentence."""
    found = folder / "found.npz"
    yield (), "give two files"
    yield (folder / "none.npy", found), "No such file"
    made = {
        "floats": np.zeros((2, 1, 8, 8), np.float32),
        "wide": np.zeros((2, 1, 9, 8), np.uint8),
        "one": np.zeros((1, 8, 8), np.uint8),
    }
    for name, array in made.items():
        np.save(folder / f"{name}.npy", array)
        yield (folder / f"{name}.npy", found), "must be one array of uint8 of the shape (N, 1, 8, 8)"
    np.savez(folder / "several.npz", x=made["one"])
    yield (folder / "several.npz", found), "must be one array"
    (folder / "text.npy").write_text("noise")
    yield (folder / "text.npy", found), "text.npy is no .npy file of numbers"
    (folder / "empty.npy").write_bytes(b"")
    yield (folder / "empty.npy", found), "empty.npy is no .npy file of numbers"
    np.save(folder / "good.npy", np.zeros((1, 1, 8, 8), np.uint8))
    yield (folder / "good.npy", folder / "nowhere" / "found.npz"), "No such file"


def convs(graph: Any) -> int:
    """Return the convolutions that a graph runs before any of its branches."""
    return sum(node.op_type == "Conv" for node in graph.node)


def test_the_files_of_an_export_stop_and_decide_as_the_network(
    export: Path, command: Callable[..., Said]
) -> None:
    said = command("exits", "mine", "--macs", "0.5x", "--onnx")
    assert said.status == 0, said.err
    early, info = search.load_export(export)
    names = {
        "exits.json",
        "exits.svg",
        "exits.onnx",
        "exits_runner.py",
        *(f"exits-{k}.onnx" for k in (1, 2, 3)),
    }
    assert {name for name in info["files"] if name.startswith("exits")} == names
    split = trainer.load("digits").test
    mean, std = (torch.tensor(info[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        wanted = early((split.x / 255 - mean) / std)
    assert len(wanted.exits.unique()) >= 2

    whole = onnx.load(export / "exits.onnx")
    (first,) = [node for node in whole.graph.node if node.op_type == "If"]
    branches = {one.name: one.g for one in first.attribute}
    assert (convs(whole.graph), convs(branches["then_branch"]), convs(branches["else_branch"])) == (1, 0, 1)
    session = onnxruntime.InferenceSession(export / "exits.onnx", providers=["CPUExecutionProvider"])
    images = split.x.numpy()
    alone = [session.run(["logits", "exit"], {"pixels": images[i : i + 1]}) for i in range(len(images))]
    np.testing.assert_allclose(np.concatenate([one[0] for one in alone]), wanted.logits, atol=1e-4)
    assert np.concatenate([one[1] for one in alone]).tolist() == wanted.exits.tolist()

    names_of: dict[str, Any] = {"__name__": "runner", "__file__": str(export / "exits_runner.py")}
    exec(compile((export / "exits_runner.py").read_text(), "exits_runner.py", "exec"), names_of)
    logits, exits = names_of["StopsEarly"](export)(images)
    np.testing.assert_allclose(logits, wanted.logits, atol=1e-4)
    assert exits.tolist() == wanted.exits.tolist()
    for name in names:
        assert str(Path.home()).encode() + b"/" not in (export / name).read_bytes()

    for words, sentence in wrong_words(export.parent):
        with pytest.raises((OSError, ValueError), match=re.escape(sentence)):
            names_of["main"]([*map(str, words)])
    ran = subprocess.run([sys.executable, export / "exits_runner.py"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (2, "", 1)
    assert ran.stderr.startswith("exits_runner.py: give two files")
    np.save(export.parent / "images.npy", images[:0])
    names_of["main"]([str(export.parent / name) for name in ("images.npy", "found.npz")])
    assert np.load(export.parent / "found.npz")["logits"].shape == (0, 10)

    hurt = export.parent / "hurt"
    shutil.copytree(export, hurt)
    (hurt / "exits-3.onnx").unlink()  # without it, images that leave there would have no answer
    with pytest.raises(ValueError, match=r"exits-3.onnx is not in "):
        names_of["StopsEarly"](hurt)
    (hurt / "exits-2.onnx").write_bytes(b"noise")
    with pytest.raises(
        ValueError, match=r"exits-2.onnx is missing or damaged; run `genome exits --onnx` again"
    ):
        names_of["StopsEarly"](hurt)

    content = {name: (export / name).read_bytes() for name in names if name.endswith((".onnx", ".py"))}
    other = genome.EarlyExit(early.network, Patience(1))
    with pytest.raises(
        StudyError, match=r"ONNX files are not written: of images alone .* take the exits of the network"
    ):
        _checked(content, other, _facts(info), images)
    broken = {**content, "exits-2.onnx": b"noise"}
    with pytest.raises(StudyError, match="they do not run in a fresh process"):
        _checked(broken, early, _facts(info), images)

    assert command("exits", "mine").status == 0
    left = {one.name for one in export.iterdir() if one.name.startswith("exits")}
    assert left == {"exits.json", "exits.svg"}, "files of earlier thresholds are gone"
