"""model.py of an export: what a person runs on pictures where this package is not."""

from __future__ import annotations

import ast
import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file

import genome
from genome import zoo
from search import load_export
from search.results.model_file import model_files
from search.storage.data_facts import DataFacts
from tests.search.conftest import Said
from trainer.data.picture import read_picture
from trainer.data.reading import Reading

# runs model.py with its arguments in a process where this package cannot be imported
RUNNER = """
import importlib.abc, runpy, sys

class Refused(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("genome", "search", "trainer"):
            raise ImportError(name)

sys.meta_path.insert(0, Refused())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
STUDY: dict[str, Any] = {
    "study": "pictures",
    "objectives": {"accuracy": "maximize"},
    "trials": 2,
    "train": {"epochs": 2, "batch": 8},
    "device": "cpu",
    "workers": 1,
    "sampler": {"name": "random", "seed": 1},
    "references": "none",
    "space": {
        "nodes": {
            "stem": {"op": "conv", "in": ["image"], "kernel": {"one_of": [3, 5]}, "width": 6},
            "early": {"op": "exit", "in": ["stem"]},
            "deep": {
                "op": "stack",
                "in": ["stem"],
                "depth": 3,
                "stride": 2,
                "width": 8,
                "body": {"op": "residual"},
            },
            "out": {"op": "exit", "in": ["deep"]},
        }
    },
}


def picture(rng: np.random.Generator, red: bool, height: int, width: int) -> Image.Image:
    pixels = rng.integers(0, 120, (height, width, 3), dtype=np.uint8)
    pixels[..., 0 if red else 2] += 130
    return Image.fromarray(pixels)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Red and blue pictures of several sizes."""
    rng = np.random.default_rng(0)
    for name in ("red", "blue"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(24):
            made = picture(rng, name == "red", 20 + number, 30)
            made.save(tmp_path / "pictures" / name / f"{number}.png")
    return tmp_path / "pictures"


def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run model.py as a person does."""
    return subprocess.run(
        [sys.executable, "-c", RUNNER, folder / "model.py", *map(str, words)], capture_output=True, text=True
    )


def test_it_names_the_class_of_pictures_as_the_network_does(
    pictures: Path, command: Callable[..., Said], called: Callable[..., Said], tmp_path: Path
) -> None:
    study = {**STUDY, "data": {"path": str(pictures), "size": 16}}
    Path("pictures.yaml").write_text(yaml.safe_dump(study))
    assert command("search", "pictures.yaml").status == 0
    best = tmp_path / "runs" / "pictures" / "best"
    own, turned = pictures / "red" / "3.png", tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.open(pictures / "blue" / "2.png").save(turned, exif=exif, quality=95)
    done = run(best, own, turned)
    assert (done.returncode, done.stderr) == (0, "")

    module, info = load_export(best)
    mean, std = (torch.tensor(info[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
    upright = Image.open(turned).transpose(Image.Transpose.ROTATE_270)
    for line, opened in zip(done.stdout.splitlines(), (Image.open(own), upright), strict=True):
        small = opened.resize((16, 16), Image.Resampling.BILINEAR)
        x = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None] / 255
        with torch.no_grad():
            scores = module((x - mean) / std)[-1].softmax(1)[0]
        at = int(scores.argmax())
        assert line.endswith(f": {info['classes'][at]} ({scores[at]:.1%})")

    assert command("export", "pictures", "--to", "folded", "--fold").status == 0
    text = Path("folded/model.py").read_text()
    assert "BatchNorm2d" in (best / "model.py").read_text() and "BatchNorm2d" not in text
    assert called(Path("folded"), own, turned).out == done.stdout
    load_export("folded")


def test_its_files_are_in_the_report_and_it_needs_a_picture_that_can_be_read(
    pictures: Path, command: Callable[..., Said], called: Callable[..., Said], tmp_path: Path
) -> None:
    study = {**STUDY, "data": {"path": str(pictures), "size": 12}}
    Path("pictures.yaml").write_text(yaml.safe_dump(study))
    assert command("search", "pictures.yaml").status == 0
    assert command("export", "pictures#0", "--to", "mine").status == 0
    sums = json.loads(Path("mine/report.json").read_text())["files"]
    assert set(sums) == {
        *("genome.yaml", "weights.safetensors", "model.py", "model.safetensors"),
        *("README.md", "architecture.svg", "evaluation.json", "example.png"),
    }
    assert all(sha256(Path("mine", name).read_bytes()).hexdigest() == known for name, known in sums.items())
    assert command("export", "pictures#0", "--to", "again").status == 0
    for name in sums:
        assert Path("mine", name).read_bytes() == Path("again", name).read_bytes()
    text = Path("mine/model.py").read_text()
    assert str(tmp_path) not in text and "(1, 3, 12, 12)" in text
    asked = called(Path("mine"))
    assert asked.status == 1 and asked.err == "usage: python model.py PICTURE...\n"
    Image.fromarray(np.full((12, 12), 40_000, dtype=np.uint16)).save("deep.png")
    Path("cut.png").write_bytes((pictures / "red" / "1.png").read_bytes()[:200])
    red, blue = (Image.new("RGB", (12, 12), color) for color in ("red", "blue"))
    red.save("film.gif", save_all=True, append_images=[blue])
    red.save("camera.jpg", "MPO", save_all=True, append_images=[blue])  # its second image is a preview
    assert called(Path("mine"), "camera.jpg").out.startswith("camera.jpg: ")
    told = called(
        Path("mine"),
        "deep.png",
        "film.gif",
        "mine/report.json",
        "cut.png",
        pictures / "red" / "2.png",
        "gone.png",
    )
    assert told.status == 2 and told.out.startswith(f"{pictures / 'red' / '2.png'}: red (")
    deep, film, text, cut, gone = told.err.splitlines()
    assert film == "film.gif cannot be read as a picture: it has several frames; save one of them"
    assert deep == "deep.png cannot be read as a picture: it has mode I;16, not 8 bits a channel"
    for line, name in ((text, "mine/report.json"), (cut, "cut.png"), (gone, "gone.png")):
        assert line.startswith(f"{name} cannot be read as a picture: ")


@pytest.mark.parametrize("stored", [None, b"", b"\x80\x02}q\x00.", 100])
def test_tensors_that_are_missing_or_damaged_are_one_sentence(
    stored: bytes | int | None, finished: Path, called: Callable[..., Said], tmp_path: Path
) -> None:
    best = tmp_path / "best"
    shutil.copytree(finished / "tiny" / "best", best)
    tensors = best / "model.safetensors"
    whole = tensors.read_bytes()
    tensors.unlink()
    if stored is not None:
        tensors.write_bytes(whole[:stored] if isinstance(stored, int) else stored)
    told = called(best, best / "example.png")
    assert (told.status, told.out) == (2, "")
    assert told.err == f"{tensors} is missing, damaged or of another network\n"


def test_what_a_person_added_to_an_export_stays(
    pictures: Path, command: Callable[..., Said], tmp_path: Path
) -> None:
    study = {**STUDY, "data": {"path": str(pictures), "size": 12}}
    Path("pictures.yaml").write_text(yaml.safe_dump(study))
    assert command("search", "pictures.yaml").status == 0
    assert command("export", "pictures#0", "--to", "mine", "--formats", "pt2").status == 0
    Path("mine/notes.txt").write_text("mine")
    Path("mine/more").mkdir()
    Path("mine/more/deep.txt").write_text("deep")
    Path("link").symlink_to("mine")
    assert command("export", "pictures#1", "--to", "link").status == 0
    assert Path("link").is_symlink() and not Path("mine/model.pt2").exists()
    assert json.loads(Path("mine/report.json").read_text())["trial"] == 1
    assert Path("mine/notes.txt").read_text() == "mine" and Path("mine/more/deep.txt").read_text() == "deep"
    assert not list(tmp_path.glob(".*.old"))
    Path("here").mkdir()
    os.chdir("here")
    assert command("export", "pictures#0", "--to", ".", "--runs", "../runs").status == 0
    assert (tmp_path / "here" / "model.py").exists()


@pytest.mark.parametrize("channels", [1, 2])
def test_arrays_of_other_channels_than_pictures_have(
    channels: int, command: Callable[..., Said], called: Callable[..., Said], tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 255, (60, 8, 8, channels), dtype=np.uint8), np.arange(60) % 3
    np.savez(tmp_path / "a.npz", train_x=x, train_y=y, test_x=x, test_y=y)
    Path("pictures.yaml").write_text(yaml.safe_dump({**STUDY, "data": {"path": str(tmp_path / "a.npz")}}))
    assert command("search", "pictures.yaml").status == 0
    text = Path("runs/pictures/best/model.py").read_text()
    assert ("def pixels" in text) == (channels == 1)
    assert ("Pillow" in text) == (channels == 1)
    assert called(Path("runs/pictures/best")).status == (1 if channels == 1 else 0)  # it asks for a picture
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,I,UP", "runs/pictures/best"],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


def test_words_of_people_cannot_become_code() -> None:
    """Names of classes and of the network are text in the file, whatever they hold."""
    plan = genome.resolve(zoo.get("lenet"))
    odd = ('a"b', "c\\", "{d}", "e\nf", "ü", "'", '"""', "0", "1", "2")
    facts = DataFacts("d", "x", plan.genome.input, odd, (0.5,), (0.5,), {})
    made = model_files(genome.build(plan), plan, facts, 'a """ + 1\nimport os {x}')
    tree = ast.parse(made["model.py"])
    listed = next(one for one in tree.body if isinstance(one, ast.Assign) and "CLASSES" in ast.dump(one))
    assert ast.literal_eval(listed.value) == odd
    assert "import os" in (ast.get_docstring(tree) or "")
    imported = {name.name for one in ast.walk(tree) if isinstance(one, ast.Import) for name in one.names}
    assert imported == {"sys", "torch", "torch.nn.functional"}


LOOPED = """
genome: looped
input: [3, 8, 12]
classes: 2
widths: {rule: constant, base: 8}
nodes:
  a: {op: conv, in: [image, b, c], kernel: 3}
  b: {op: separable, in: [image, a, c]}
  c: {op: conv, in: [b, a]}
  out: {op: exit, in: [c]}
loops:
  l: {order: [a, b, c], passes: 2}
"""


@pytest.mark.parametrize("is_for_hub", [False, True])
def test_kernels_of_which_passes_read_parts_are_stored_once(is_for_hub: bool, tmp_path: Path) -> None:
    """A file for hubs has every tensor of the state dict; `load` reads both."""
    plan = genome.resolve(genome.loads(LOOPED))
    facts = DataFacts("d", "x", (3, 8, 12), ("a", "b"), (0.0,) * 3, (1.0,) * 3, {})
    network = genome.build(plan, seed=1).eval()
    for name, content in model_files(network, plan, facts, "one", is_for_hub=is_for_hub).items():
        (tmp_path / name).write_bytes(content)
    tensors = load_file(tmp_path / "model.safetensors")
    kernels = sum(one.numel() for one in tensors.values() if one.dim() == 4)
    own = sum(one.numel() for one in network.parameters() if one.dim() == 4)
    assert (kernels > own) if is_for_hub else (kernels == own)
    load = runpy.run_path(str(tmp_path / "model.py"))["load"]
    found, x = load(), torch.rand(2, 3, 8, 12)
    assert (set(found.state_dict()) == set(tensors)) == is_for_hub
    with torch.inference_mode():
        torch.testing.assert_close(found(x), network(x)[-1], rtol=0, atol=1e-5)
        save_file(found.state_dict(), tmp_path / "tuned.safetensors")
        assert load(tmp_path / "tuned.safetensors")(x).equal(found(x))


SMALL = """
genome: small
input: [3, 8, 12]
classes: 2
widths: {rule: constant, base: 4}
nodes:
  stem: {op: conv, in: [image], kernel: 3}
  out: {op: exit, in: [stem]}
"""


@pytest.mark.parametrize("said", [{"fit": "crop"}, {"fit": "pad"}, {"fit": "stretch", "draft": True}])
def test_pictures_become_the_size_of_the_input_as_those_of_the_training(
    said: dict[str, Any], tmp_path: Path
) -> None:
    plan = genome.resolve(genome.loads(SMALL))
    facts = DataFacts("d", "x", (3, 8, 12), ("a", "b"), (0.0,) * 3, (1.0,) * 3, {}, said)
    made = model_files(genome.build(plan), plan, facts, "one")
    (tmp_path / "model.py").write_bytes(made["model.py"])
    photo, exif = tmp_path / "photo.jpg", Image.Exif()
    exif[0x0112] = 8  # to be turned by a quarter
    smooth = Image.fromarray(np.random.default_rng(0).integers(256, size=(9, 7, 3), dtype=np.uint8))
    smooth.resize((97, 171)).save(photo, exif=exif)
    x = runpy.run_path(str(tmp_path / "model.py"))["pixels"](photo)
    wanted = read_picture(photo, (8, 12), "RGB", Reading.parse(said))
    assert torch.equal(x[0], torch.from_numpy(wanted.copy()).permute(2, 0, 1) / 255)
    plain = read_picture(photo, (8, 12), "RGB")
    assert not np.array_equal(wanted, plain)
