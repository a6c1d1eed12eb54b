"""`genome exits`: thresholds of a trained network, kept in its export, and read with it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import genome
import search
import trainer
from genome.exits.curve import RULES, Seen, outcome
from genome.exits.rules import rule_of
from genome.network import Network
from search.errors import StudyError
from search.results.bench import _opened
from search.results.exits.file import CURVE_FILE, EXITS_FILE
from search.results.exits.solved import BATCH
from search.results.trained import images_of
from search.results.trained import trained as read_trained
from search.train.progress import PlainEpochs
from search.train.request import TrainOptions, read_request
from search.train.train import train
from tests.search.conftest import ONE, THREE, Said
from trainer import files
from trainer.data.reading import Reading


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a network of three exits, trained on digits for some seconds."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "three.yaml").write_text(THREE)
    ref, to = str(folder / "three.yaml"), folder / "out"
    options = TrainOptions(ref, "digits", 4, 1, (), to, "cpu", Reading(), folder, None)
    train(read_request(options), PlainEpochs(), lambda: False)
    return to / "seed-0"


@pytest.fixture
def export(trained: Path, tmp_path: Path) -> Path:
    """A copy of the export, in the folder in which the command runs."""
    shutil.copytree(trained, tmp_path / "mine")
    return tmp_path / "mine"


def images(split: trainer.Split, info: dict[str, Any]) -> torch.Tensor:
    mean, std = (torch.tensor(info[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
    return (split.x / 255 - mean) / std


def test_an_export_keeps_thresholds_and_stops(export: Path, command: Callable[..., Said]) -> None:
    (export / "notes.txt").write_text("mine")
    (export / "README.md").write_text("the card, changed by hand")
    (export / "model.safetensors").unlink()
    before = {name: (export / name).read_bytes() for name in ("weights.safetensors", "model.py", "README.md")}
    whole, _ = search.load_export(export)
    said = command("exits", "mine", "--drop", "1%")
    assert (said.status, said.err) == (0, "")
    found = json.loads((export / EXITS_FILE).read_text())
    assert [row["name"] for row in found["exits"]] == ["early", "mid", "out"]
    assert found["valid"]["accuracy"] >= found["valid"]["last_exit"] - 0.01 - 1e-9
    assert found["valid"]["macs"] < 0.9 * found["whole_macs"]
    assert (export / "notes.txt").read_text() == "mine"
    assert all((export / name).read_bytes() == stored for name, stored in before.items())

    early, info = search.load_export(export)
    assert isinstance(early, genome.EarlyExit) and isinstance(whole, Network)
    changed = {name for name, sha in info["files"].items() if not _is(export / name, sha)}
    assert changed == {"README.md", "model.safetensors"} & set(info["files"]), (
        "the report tells what was changed"
    )
    data = trainer.load("digits")
    for part, split in (("valid", data.valid), ("test", data.test)):
        with torch.inference_mode():
            x = images(split, info)
            answers = [early(one) for one in torch.split(x, BATCH)]
            logits = tuple(one.numpy() for one in whole(x))
        taken = torch.cat([one.exits for one in answers])
        right = torch.cat([one.logits for one in answers]).argmax(1) == split.y
        told = found[part]
        assert taken.bincount(minlength=3).div(len(taken)).tolist() == pytest.approx(told["shares"], abs=1e-6)
        assert right.double().mean().item() == pytest.approx(told["accuracy"])
        assert torch.cat([one.macs for one in answers]).double().mean().item() == pytest.approx(told["macs"])
        again = outcome(early.rule, Seen(logits, split.y.numpy()), early.costs)
        assert again.shares == pytest.approx(told["shares"])
    assert f"mean macs {search.formatting.short(round(found['test']['macs']))}" in said.out


def _is(file: Path, sha: str) -> bool:
    return file.exists() and files.sha256(file.read_bytes()) == sha


def test_the_table(export: Path, command: Callable[..., Said]) -> None:
    said = command("exits", "mine", "--data", "digits", "--macs", "0.5x", "--svg", "curve.svg")
    assert said.status == 0
    head, *rows = said.out.splitlines()
    assert head.split()[:4] == ["exit", "reads", "params", "macs"]
    plan = genome.resolve(genome.loads(THREE))
    assert rows[2].split()[2] == f"{plan.params:,}" and rows[0].split()[1] == "stem"
    for word in ("validation: accuracy", "test: accuracy", "latency of 1 image", "latency of 64 images"):
        assert sum(line.startswith(word) for line in rows) == 1
    found = json.loads((export / EXITS_FILE).read_text())
    assert found["valid"]["macs"] <= 0.5 * plan.macs
    assert [one["accuracy"] for one in found["curve"]] == sorted(one["accuracy"] for one in found["curve"])
    svg = ET.parse("curve.svg").getroot()
    assert svg.tag.endswith("svg") and Path("curve.svg").read_bytes() == (export / CURVE_FILE).read_bytes()
    chosen = [one for one in svg.iter() if one.get("class") == "chosen"]
    assert len(chosen) == 1 and 0 < float(chosen[0].get("cx", 0)) < 640


def test_the_axis_of_accuracy_ends_at_one(export: Path, command: Callable[..., Said]) -> None:
    command("exits", "mine")
    svg = ET.parse(export / CURVE_FILE).getroot()
    ends = [one.text for one in svg.iter() if one.get("text-anchor") == "end"]
    shares = [float(text) for text in ends if text and text[:2] in ("0.", "1")]
    assert len(shares) > 2 and all(0 <= one <= 1 for one in shares)


def test_the_card_tells_of_the_exits_once(export: Path, command: Callable[..., Said]) -> None:
    before = (export / "README.md").read_text()
    assert command("exits", "mine", "--macs", "0.9x").status == 0
    first = (export / "README.md").read_text()
    said = command("exits", "mine", "--macs", "0.4x")
    card, found = (export / "README.md").read_text(), json.loads((export / EXITS_FILE).read_text())
    assert (said.status, "changed by hand" in said.out) == (0, False) and card != first
    assert card.count("## Early exits") == 1 and card.replace(section_of(card), section_of(before)) == before
    assert "was not run" in section_of(before) and "was not run" not in card
    for row in found["exits"]:
        cells = f"| {row['name']} | {row['params']:,} | {row['macs']:,} | {row['accuracy']:.4f} |"
        assert f"{cells} {row['leaves']:.1%} |" in card
    for part in ("valid", "test"):
        assert f"{found[part]['accuracy']:.4f} | {found[part]['last_exit']:.4f} |" in card
    assert "![Accuracy over mean multiply-adds](exits.svg)" in card and "--macs 0.4x" in card
    code = re.search(r"```python\n(import search.*?)```", section_of(card), re.DOTALL)
    assert code is not None
    ran = subprocess.run([sys.executable, "-c", code[1]], cwd=export, capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stdout.startswith("tensor("), ran.stderr
    search.load_export(export)  # the sha256 of the card is that in the report

    (export / "README.md").write_text("mine")
    said = command("exits", "mine")
    assert "README.md was changed by hand and does not tell of them" in said.out
    assert (export / "README.md").read_text() == "mine"


def section_of(card: str) -> str:
    return "## Early exits" + card.partition("## Early exits")[2].partition("\n## ")[0] + "\n"


@pytest.mark.parametrize("word", RULES)
def test_every_rule_is_kept_and_read(word: str, export: Path, command: Callable[..., Said]) -> None:
    said = command("exits", "mine", "--rule", word, "--drop", "3%", "--json")
    plain = json.loads(said.out)
    stored = json.loads((export / EXITS_FILE).read_text())
    assert stored == {"format": 1, **plain} and plain["kind"] == word
    early, _ = search.load_export(export)
    assert isinstance(early, genome.EarlyExit) and early.rule == rule_of(plain["rule"])


def test_temperatures_are_fitted_on_the_validation_images(export: Path, command: Callable[..., Said]) -> None:
    rows = json.loads(command("exits", "mine", "--json").out)["exits"]
    assert all(row["error_after"] < row["error"] for row in rows if row["error"] > 0.05)
    assert any(row["error"] > 0.05 for row in rows), "some exit is badly calibrated before"
    early, _ = search.load_export(export)
    assert early.rule.temperatures == tuple(row["temperature"] for row in rows)  # type: ignore[union-attr]


def test_a_time_as_the_target(export: Path, command: Callable[..., Said]) -> None:
    found = json.loads(command("exits", "mine", "--latency", "10s", "--json").out)
    assert found["curve_unit"] == "seconds" and found["valid"]["accuracy"] >= found["valid"]["last_exit"]
    said = command("exits", "mine", "--latency", "0.001us")
    assert (
        said.status == 2
        and "no thresholds reach --latency 0.001us" in said.err
        and " ms, accuracy " in said.err
    )


def test_a_second_target_replaces_the_first(export: Path, command: Callable[..., Said]) -> None:
    for target in ("0.9x", "0.4x"):
        command("exits", "mine", "--macs", target)
    found = json.loads((export / EXITS_FILE).read_text())
    assert found["target"]["text"] == "0.4x" and found["valid"]["macs"] <= 0.4 * found["whole_macs"]
    search.load_export(export)


def test_a_trial_of_a_study(command: Callable[..., Said], written: Callable[..., Path]) -> None:
    nodes = {**ONE["nodes"], "early": {"op": "exit", "in": ["stem"]}}
    nodes["more"] = {"op": "conv", "in": ["stem"], "width": 8}
    nodes["last"] = {"op": "exit", "in": ["more"]}
    assert command("search", written(space={"nodes": nodes}, trials=1)).status == 0
    found = json.loads(command("exits", "tiny#0", "--drop", "0%", "--json").out)
    assert found["data"] == "digits" and len(found["exits"]) == 3
    assert command("exits", "runs/tiny/best", "--json").status == 0
    kept = files.unsealed(Path("runs/tiny/trials/0/exits.json").read_bytes())
    assert kept == {"format": 1, **found}, "the page of the trial shows it"
    assert "exits.json is in runs/tiny/trials/0" in command("exits", "tiny#0").out
    said = command("exits", "tiny#7")
    assert said.status == 2 and "study tiny has no trial 7" in said.err


def test_predict_stops_early(export: Path, command: Callable[..., Said], tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 90, np.uint8)).save(tmp_path / "grey.png")
    assert command("exits", "mine", "--macs", "0.3x").status == 0
    said = command("predict", "mine", "grey.png")
    assert (said.status, said.err) == (0, "") and said.out.startswith("grey.png: ")
    early, info = search.load_export("mine")
    mean, std = info["mean"][0], info["std"][0]
    with torch.no_grad():
        found = early(torch.full((1, 1, 8, 8), (90 / 255 - mean) / std))
    temperature = json.loads((export / EXITS_FILE).read_text())["rule"]["temperatures"][int(found.exits)]
    assert temperature != 1.0
    best = float((found.logits / temperature).softmax(1).max())
    assert said.out.endswith(f" {best:.1%}\n"), "calibrated as the exit that it takes"
    network, plan, _ = _opened("mine", tmp_path)
    assert isinstance(network, Network) and plan.genome.name == "three", "bench measures the whole network"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["mine", "--drop", "0.5"], "--drop is '0.5'; write points of accuracy such as 0.5%"),
        (["mine", "--drop", "-1%"], "--drop is '-1%'; write points"),
        (["mine", "--macs", "0x"], "--macs is '0x'; write a part of the whole"),
        (["mine", "--macs", "nan"], "--macs is 'nan'; write a part of the whole such as 0.4x, or 1.2M"),
        (["mine", "--latency", "2"], "--latency is '2'; write a time such as 2ms"),
        (["mine", "--macs", "1M", "--drop", "1%"], "--drop and --macs are two targets; give one"),
        (
            ["mine", "--rule", "luck"],
            "--rule is 'luck'; it may be entropy, confidence, margin, percent, patience",
        ),
        (
            ["mine", "--macs", "0.001x"],
            "no thresholds reach --macs 0.001x on the validation images; the nearest have",
        ),
        (["mine", "--data", "nowhere"], "it must be one of"),
        (["zoo:branchy-lenet"], "is a genome without trained weights; name an export, or STUDY#TRIAL"),
        (["zoo:branchy-lenett"], "no network 'branchy-lenett'"),
        (["nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    words: list[str], sentence: str, export: Path, command: Callable[..., Said]
) -> None:
    said = command("exits", *words)
    assert said.status == 2 and sentence in said.err and len(said.err.splitlines()) == 1, said.err
    assert not (export / EXITS_FILE).exists()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A function that writes a data set of noise as an .npz file."""

    def write(size: int = 8, classes: int = 10, channels: int = 1) -> Path:
        rng = np.random.default_rng(0)
        labels = np.arange(20 * classes) % classes
        shape = (len(labels), size, size, channels)
        x = rng.integers(0, 256, shape, dtype=np.uint8)
        np.savez(tmp_path / "own.npz", train_x=x, train_y=labels, test_x=x, test_y=labels)
        return tmp_path / "own.npz"

    yield write


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"size": 9}, "are 1x9x9; mine takes 1x8x8"),
        ({"classes": 7}, "are not those of mine (7 and 10: none where it has 7)"),
    ],
)
def test_images_of_another_size_and_other_classes(
    given: dict[str, int],
    sentence: str,
    export: Path,
    command: Callable[..., Said],
    other: Callable[..., Path],
) -> None:
    said = command("exits", "mine", "--data", other(**given))
    assert said.status == 2 and sentence in said.err and len(said.err.splitlines()) == 1, said.err


def test_other_images_of_the_same_classes_are_told(
    export: Path, command: Callable[..., Said], other: Callable[..., Path]
) -> None:
    said = command("exits", "mine", "--data", other())
    assert said.status == 0 and "are not those that mine was trained on" in said.err


def test_own_images_are_read_as_in_the_training_unless_it_is_said(export: Path, tmp_path: Path) -> None:
    one = read_trained(str(export), tmp_path, None)
    one = one._replace(facts=one.facts._replace(reading={"draft": True, "alpha": "white"}))
    for number in range(6):
        place = tmp_path / "photos" / "ab"[number % 2] / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 40), number).save(place)
    np.savez(tmp_path / "arrays.npz", x=np.zeros((6, 8, 8), np.uint8), y=np.arange(6) % 2)
    for said, found in (
        (Reading(), (True, "white", (8, 8))),  # in the size of the network
        (Reading(draft=False), (False, "white", (8, 8))),
        (Reading(size=(16, 16)), (True, "white", (16, 16))),
    ):
        reading = images_of(one, str(tmp_path / "photos"), None, said).reading
        assert (reading.draft, reading.alpha, reading.size) == found
    assert images_of(one, str(tmp_path / "arrays.npz"), None, Reading()).reading == Reading()


def test_images_of_another_depth_are_normalised_by_their_own_white(
    export: Path, command: Callable[..., Said], tmp_path: Path
) -> None:
    digits = trainer.load("digits")
    parts = {"train": digits.train, "val": digits.valid, "test": digits.test}
    deep = {f"{part}_x": (split.x.numpy().astype(np.uint16) * 257) for part, split in parts.items()}
    labels = {f"{part}_y": split.y.numpy() for part, split in parts.items()}
    np.savez(tmp_path / "deep.npz", **deep, **labels)
    same = command("exits", "mine")
    read = ("--read", "bits=16", "--read", "depth=16")
    said = command("exits", "mine", "--data", tmp_path / "deep.npz", *read)
    assert said.status == 0 and "are not those that mine was trained on" in said.err
    assert _table(said) == _table(same), "the same brightness"
    before = (export / EXITS_FILE).read_bytes()
    said = command("exits", "mine", "--data", tmp_path / "deep.npz", *read, "--onnx")
    assert said.status == 2
    assert said.err.endswith(
        "ONNX files take pixels of 8 bits, and those of deep have 16; leave --onnx out\n"
    )
    assert (export / EXITS_FILE).read_bytes() == before


def _table(said: Said) -> list[str]:
    return said.out.split("latency")[0].splitlines()


def test_images_of_several_labels_are_refused(
    export: Path, command: Callable[..., Said], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (200, 1, 8, 8), dtype=np.uint8), rng.integers(0, 2, (200, 10), dtype=np.uint8)
    np.savez(tmp_path / "several.npz", train_x=x, train_y=y, test_x=x, test_y=y)
    said = command("exits", "mine", "--data", tmp_path / "several.npz", "--read", "multilabel=true")
    assert (
        said.status == 2 and "the images of several have several labels, and mine names one class" in said.err
    )


def test_a_network_of_one_exit(command: Callable[..., Said], written: Callable[..., Path]) -> None:
    assert command("search", written(space=ONE, trials=1)).status == 0
    said = command("exits", "runs/tiny/best")
    assert said.status == 2 and "has one exit; stopping early needs a network with two or more" in said.err
    assert isinstance(search.load_export("runs/tiny/best")[0], Network)


def changed(export: Path, **values: Any) -> None:
    """Change exits.json and its sha256 in the report."""
    plain = {**json.loads((export / EXITS_FILE).read_text()), **values}
    (export / EXITS_FILE).write_text(json.dumps(plain))
    report = json.loads((export / "report.json").read_text())
    report["files"][EXITS_FILE] = files.sha256((export / EXITS_FILE).read_bytes())
    (export / "report.json").write_text(json.dumps(report))


RULE = {"rule": "entropy", "thresholds": [0.1], "temperatures": []}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"weights": "0" * 64}, "has the thresholds of another network; run `genome exits"),
        ({"format": 2}, "has not the format 1"),
        ({"rule": RULE}, "the rule has 1 thresholds; a network of 3 exits needs 2; run `genome exits"),
        ({"rule": {**RULE, "thresholds": ["a", 1]}}, "each must be a finite number"),
        ({"rule": None}, "cannot be read"),
        ({"rule": {**RULE, "thresholds": [10**400, 1]}}, "each must be a finite number"),
    ],
)
def test_what_are_no_thresholds_of_this_network_is_refused(
    values: dict[str, Any], sentence: str, export: Path, command: Callable[..., Said]
) -> None:
    assert command("exits", "mine").status == 0
    changed(export, **values)
    with pytest.raises(StudyError, match=sentence) as found:
        search.load_export(export)
    assert "\n" not in str(found.value)
    assert command("exits", "mine").status == 0, "the command writes it anew"
    search.load_export(export)


def test_a_changed_and_a_foreign_file_are_refused(export: Path, command: Callable[..., Said]) -> None:
    (export / EXITS_FILE).write_text("{}")
    with pytest.raises(
        StudyError, match=r"is not of this export: its report\.json does not list it; delete it"
    ):
        search.load_export(export)
    assert command("exits", "mine").status == 0
    (export / EXITS_FILE).write_text((export / EXITS_FILE).read_text() + " ")
    with pytest.raises(StudyError, match=r"was changed since it was exported \(sha256\); run `genome exits"):
        search.load_export(export)
    (export / EXITS_FILE).unlink()
    with pytest.raises(StudyError, match=r"cannot be read \(No such file or directory\); run `genome exits"):
        search.load_export(export)
    assert command("exits", "mine").status == 0, "the command writes it anew"


def test_the_folder_of_a_training_names_its_seeds(
    trained: Path, command: Callable[..., Said], tmp_path: Path
) -> None:
    shutil.copytree(trained.parent, tmp_path / "training")
    said = command("exits", "training")
    assert said.status == 2
    assert (
        said.err
        == "training has no report.json; name one network of this training, such as training/seed-0\n"
    )


def test_a_file_outside_the_export_is_not_touched(export: Path, command: Callable[..., Said]) -> None:
    outside = export.parent / "outside.txt"
    outside.write_text("mine")
    report = json.loads((export / "report.json").read_text())
    report["files"]["../outside.txt"] = files.sha256(outside.read_bytes())
    (export / "report.json").write_text(json.dumps(report))
    said = command("exits", "mine")
    assert said.status == 2 and "lists '../outside.txt', which is no file of the export" in said.err
