"""`genome export REF --weights FILE.safetensors`: a genome with weights from elsewhere."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import genome
import search
from search.errors import StudyError
from search.results.weights_file import with_weights
from tests.search.conftest import Said

TEXT = """\
genome: own
input: [1, 8, 8]
classes: 10
nodes:
  stem: {op: conv, in: [image], width: 4, norm: batch}
  out: {op: exit, in: [stem]}
"""


LOOP = """\
genome: loop
input: [1, 8, 8]
classes: 10
nodes:
  a: {op: conv, in: [image, b], width: 4}
  b: {op: conv, in: [a], width: 4}
  out: {op: exit, in: [b]}
loops:
  l: {order: [a, b], passes: 2}
"""


@pytest.fixture(scope="session")
def tensors() -> dict[str, Tensor]:
    return dict(genome.build(genome.loads(TEXT), seed=3).state_dict())


@pytest.fixture
def file(tensors: dict[str, Tensor], tmp_path: Path) -> Path:
    """A genome, and weights beside it."""
    (tmp_path / "own.yaml").write_text(TEXT)
    (tmp_path / "own.safetensors").write_bytes(safetensors.torch.save(tensors))
    return tmp_path / "own.safetensors"


def report(folder: str = "mine") -> dict[str, Any]:
    return dict(json.loads(Path(folder, "report.json").read_text()))


def test_without_images_the_classes_are_numbered_and_the_card_says_so(
    file: Path, tensors: dict[str, Tensor], command: Callable[..., Said]
) -> None:
    said = command("export", "own.yaml", "--weights", "own.safetensors", "--to", "mine", "--formats", "pt2")
    assert (said.status, said.err) == (0, "")
    first, *_, last = said.out.splitlines()
    assert first == "own with the weights of own.safetensors is in mine"
    assert last.startswith("compared on 256 random images")
    module, info = search.load_export("mine")
    assert all(torch.equal(value, tensors[name]) for name, value in module.state_dict().items())
    assert info["classes"] == [str(i) for i in range(10)] and (info["mean"], info["std"]) == ([0.0], [1.0])
    assert (
        info["accuracy"] == {"test": None, "valid": None}
        and info["data"] is None
        and info["training"] is None
    )
    assert info["weights"]["file"] == "own.safetensors" and info["images_unknown"]
    text = " ".join(Path("mine/README.md").read_text().split())
    assert "**Nothing is known of the images that these weights were trained on.**" in text
    assert "mean 0 and std 1" in text and "How they were trained is not known." in text


def test_with_images_the_test_accuracy_is_that_of_the_study(
    finished: Path, command: Callable[..., Said]
) -> None:
    """The weights of a search, given as a file, reach what its own export reached."""
    best = finished / "tiny" / "best"
    number, wanted = report(str(best))["trial"], report(str(best))
    for ref, more in (
        (best / "genome.yaml", ("--data", "digits")),
        (f"tiny#{number}", ("--runs", finished)),
    ):
        weights = ("--weights", best / "weights.safetensors")
        said = command("export", ref, *weights, "--to", "mine", *more)
        assert (said.status, said.err) == (0, "")
        found = report()
        for key in ("confusion", "classes", "mean", "std", "digest", "data_digest"):
            assert found[key] == wanted[key]
        assert found["accuracy"] == {"test": wanted["accuracy"]["test"], "valid": None}
        assert (
            "trial" not in found
            and "Whether the weights were trained on the test" in Path("mine/README.md").read_text()
        )


def test_an_export_is_no_study_and_the_sentence_exports_its_network(
    finished: Path, command: Callable[..., Said]
) -> None:
    best = finished / "tiny" / "best"
    said = command("export", best, "--to", "mine")
    assert said.status == 2 and f"{best} is an export, not a study" in said.err
    words = said.err.split("`")[1].replace("--data NAME", "--data digits").replace("DIR", "mine").split()
    assert command(*words[1:]).status == 0
    assert report()["accuracy"]["test"] == report(str(best))["accuracy"]["test"]


def test_a_published_network_is_fitted_to_the_images(command: Callable[..., Said], tmp_path: Path) -> None:
    from dataclasses import replace

    from genome.op import Shape

    fitted = replace(genome.zoo.get("resnet-20"), input=Shape(1, 8, 8))
    stored = safetensors.torch.save(dict(genome.build(fitted).state_dict()))
    (tmp_path / "w.safetensors").write_bytes(stored)
    words = ("export", "zoo:resnet-20", "--weights", "w.safetensors", "--to", "mine")
    assert command(*words, "--data", "digits").status == 0
    assert report()["input"] == [1, 8, 8] and report()["accuracy"]["test"] is not None
    said = command(*words)
    assert said.status == 2 and "is (16, 1, 3, 3) where (16, 3, 3, 3) is expected" in said.err


def changed(tensors: dict[str, Tensor], **new: Tensor | None) -> bytes:
    kept = {**tensors, **{name.replace("__", "."): tensor for name, tensor in new.items()}}
    return safetensors.torch.save({name: tensor for name, tensor in kept.items() if tensor is not None})


def test_a_file_of_other_tensors_is_one_sentence(
    file: Path, tensors: dict[str, Tensor], command: Callable[..., Said]
) -> None:
    name = "nodes__stem__conv__weight"
    assert name.replace("__", ".") in tensors
    wrong = {
        "nodes.stem.conv.weight is missing": changed(tensors, **{name: None}),
        "nodes.more is none of its tensors": changed(tensors, nodes__more=torch.zeros(1)),
        "nodes.stem.conv.weight is (8, 1, 3, 3) where (4, 1, 3, 3) is expected": changed(
            tensors, **{name: torch.zeros(8, 1, 3, 3)}
        ),
        "nodes.stem.conv.weight is torch.int8 where torch.float32 is expected": changed(
            tensors, **{name: torch.zeros(4, 1, 3, 3, dtype=torch.int8)}
        ),
        "has numbers that are not finite in nodes.stem.conv.weight": changed(
            tensors, **{name: torch.full((4, 1, 3, 3), torch.inf)}
        ),
        "(Error while deserializing": b"",
    }
    for sentence, stored in wrong.items():
        file.write_bytes(stored)
        said = command("export", "own.yaml", "--weights", file, "--to", "mine")
        assert said.status == 2 and sentence in said.err and said.err.count("\n") == 1, said.err
    torch.save(tensors, file)
    said = command("export", "own.yaml", "--weights", file, "--to", "mine")
    assert said.status == 2 and "it is a pickle or a zip archive, of which nothing was read" in said.err
    assert not Path("mine").exists()


class Alarm:
    """An object whose pickle, when it is read, makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_nothing_of_a_pickle_is_run(file: Path, tmp_path: Path) -> None:
    stored = pickle.dumps(Alarm(tmp_path / "ran"))
    file.write_bytes(stored)
    with pytest.raises(StudyError, match="of which nothing was read"):
        with_weights(genome.loads(TEXT), file, None)
    assert not (tmp_path / "ran").exists()
    pickle.loads(stored)
    assert (tmp_path / "ran").exists(), "as it would have"


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_anywhere_is_one_sentence(
    tensors: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory, share: float
) -> None:
    whole = safetensors.torch.save(tensors)
    file = tmp_path_factory.mktemp("cut") / "cut.safetensors"
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(StudyError, match="does not hold the weights of its genome") as found:
        with_weights(genome.loads(TEXT), file, None)
    assert "\n" not in str(found.value)


def test_weights_of_half_width_are_widened(file: Path, tensors: dict[str, Tensor]) -> None:
    half = {name: t.bfloat16() if t.is_floating_point() else t for name, t in tensors.items()}
    file.write_bytes(safetensors.torch.save(half))
    stored = safetensors.torch.load(with_weights(genome.loads(TEXT), file, None).weights)
    assert all(torch.equal(tensor, half[name].to(tensor.dtype)) for name, tensor in stored.items())
    assert all(tensor.dtype == tensors[name].dtype for name, tensor in stored.items())


def test_words_that_do_not_go_together(file: Path, finished: Path, command: Callable[..., Said]) -> None:
    runs = ("--runs", finished)
    for words, sentence in (
        (("own.yaml",), "own.yaml has no weights; add --weights FILE.safetensors, or name a study"),
        (("zoo:lenet",), "zoo:lenet has no weights; add --weights FILE.safetensors, or name a study"),
        (("zoo:lenett", "--weights", file), "the zoo has no network 'lenett'"),
        (("nope.yaml", "--weights", file), "nope.yaml  there is no such file"),
        (
            ("own.yaml", "--weights", "last"),
            "'last' cannot be read (No such file or directory); it may be best,",
        ),
        (("own.yaml", "--weights", "."), "'.' cannot be read (Is a directory); it may be best,"),
        (("tiny", "--weights", file, *runs), "--weights FILE belongs to one network; write tiny#TRIAL"),
        (("tiny#99", "--weights", file, *runs), "study tiny has no trial 99"),
        (
            ("tiny", "--data", "digits", *runs),
            "--data, --size and --read belong to --weights FILE.safetensors",
        ),
        (("own.yaml", "--weights", file, "--pareto"), "--weights FILE belongs to one network"),
        (("own.yaml", "--weights", file, "--data", "nope"), "it must be one of digits"),
    ):
        said = command("export", *words, "--to", "mine")
        assert said.status == 2 and sentence in said.err and said.err.count("\n") == 1, (words, said.err)
    assert not Path("mine").exists()


def test_a_genome_with_a_loop_is_exported(command: Callable[..., Said], tmp_path: Path) -> None:
    """The passes of a loop share their tensors."""
    looped = genome.loads(LOOP)
    made = genome.build(looped, seed=1)
    stored = safetensors.torch.save({name: one.clone() for name, one in made.state_dict().items()})
    (tmp_path / "loop.yaml").write_text(LOOP)
    (tmp_path / "w.safetensors").write_bytes(stored)
    said = command("export", "loop.yaml", "--weights", "w.safetensors", "--data", "digits", "--to", "mine")
    assert (said.status, said.err) == (0, "")
    network, _ = search.load_export("mine")
    x = torch.rand(2, 1, 8, 8)
    with torch.inference_mode():
        assert torch.equal(network(x)[-1], made.eval()(x)[-1])
