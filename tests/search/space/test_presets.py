"""Presets: each fits itself to the images, and holds the published networks of their size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import genome
from genome import Genome, Shape
from genome.motifs.stack import Stack
from genome.yaml.source import SourceError, parse
from genome.zoo.builder import GenomeBuilder
from genome.zoo.mobilenet import mobilenet_v1
from genome.zoo.pyramidnet import pyramidnet
from genome.zoo.resnet import resnet
from search.results.refs import open_study
from search.space import preset
from search.space.adapt import fitted
from search.space.parse import space_file, space_of
from search.space.space import Space
from search.study import Study

Images = tuple[int, int, int]
IMAGES: tuple[Images, ...] = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64))
CLASSES = 10
each_preset = pytest.mark.parametrize("name", preset.names())
each_size = pytest.mark.parametrize("images", IMAGES, ids=str)


def space(written: str, images: Images, classes: int = CLASSES) -> Space:
    """Return the space of a study with `space: written`."""
    shape = Shape(*images)
    source = preset.in_full(parse(f"study: mine\nspace: {written}\n", "mine.yaml"), ("space",), shape)
    return space_of(source, ("space",), "mine", shape, classes)


def digest(written: Genome) -> str:
    return genome.digest(genome.resolve(written))


def units(name: str) -> int:
    """Return the units of a stage of the published networks that are looked for in a preset."""
    return 1 if name == "tiny" else 3


def first_stages(published: Genome, images: Images) -> Genome:
    """Return a published network of three stages, without those for which the images are too small."""
    stages = min(preset.usual_stages(Shape(*images)), 3)
    kept, out = published.nodes[: 1 + stages], published.nodes[-1]
    return replace(published, nodes=(*kept, out._replace(ins=(kept[-1].name,))))


def resnet_of(name: str, images: Images, base: int = 16) -> Genome:
    """Return a ResNet whose first stage has `base` channels; in `tiny` zeros are appended, not put in front."""
    whole = first_stages(resnet(6 * units(name) + 2, images, CLASSES), images)
    nodes = []
    for node in whole.nodes:
        width = node.width * base // 16 if isinstance(node.width, int) else None
        fit = "pad" if name == "tiny" else "front"
        op = node.op.having(body=node.op.body.having(fit=fit)) if isinstance(node.op, Stack) else node.op
        nodes.append(node._replace(width=width, op=op))
    return replace(whole, nodes=tuple(nodes))


def mobilenet_of(name: str, images: Images) -> tuple[Genome, Genome]:
    """Return a MobileNet v1 as the zoo writes it, and with a stack for the layers of each image size."""
    stages = min(preset.usual_stages(Shape(*images)), 3)
    depth = min(units(name), 2)
    layers = [(64 << i, 1 if i == 0 or unit else 2) for i in range(stages) for unit in range(depth)]
    published = mobilenet_v1(0.25, images, CLASSES, layers)
    stacked = GenomeBuilder()
    stacked.add("stem", published.by_name["stem"].op, 8)
    body = published.by_name["b1"].op
    for i in range(stages):
        stacked.add(f"s{i + 1}", Stack(depth=depth, stride=1 if i == 0 else 2, body=body), 16 << i)
    stacked.add("out", published.by_name["out"].op)
    return published, stacked.genome("mobilenet", images, CLASSES)


def assert_holds(there: Space, written: Genome, published: Genome) -> None:
    """Assert that a space holds a genome, and that it is the published network."""
    found = fitted(there, written)
    assert found.genome is not None and found.genome in there, found.complaint
    assert digest(found.genome) == digest(published)


@each_preset
@each_size
def test_resnet_is_a_member(name: str, images: Images) -> None:
    there, published = space(f"{{preset: {name}}}", images), resnet_of(name, images)
    assert_holds(there, published, published)


@each_preset
@each_size
def test_pyramidnet_is_a_member(name: str, images: Images) -> None:
    alpha = 48 if name == "tiny" else 24
    there = space(f"{{preset: {name}}}", images)
    published = first_stages(pyramidnet(6 * units(name) + 2, alpha, input=images, classes=CLASSES), images)
    assert_holds(there, published, published)


@each_preset
@each_size
def test_mobilenet_is_a_member(name: str, images: Images) -> None:
    there = space(f"{{preset: {name}}}", images)
    published, stacked = mobilenet_of(name, images)
    assert_holds(there, stacked, published)


@pytest.mark.parametrize("name", ["stages", "classic", "unusual"])
def test_a_resnet_20_of_five_channels_for_fashion_mnist_is_a_member(name: str) -> None:
    images = (1, 28, 28)
    found = fitted(space(f"{{preset: {name}}}", images), resnet_of(name, images, base=5))
    assert found.genome is not None, found.complaint
    plan = genome.resolve(found.genome)
    assert plan.params == 26_785 and round(plan.macs / 1e6, 1) == 3.0


@each_preset
@each_size
def test_drawn_genomes_resolve_and_build(name: str, images: Images) -> None:
    import torch

    there = space(f"{{preset: {name}, widths: {{base: {{int: [2, 6]}}}}}}", images)
    for seed in range(8):
        plan = genome.resolve(there.sample(Random(seed)))
        module = genome.build(plan, seed=seed).eval()
        assert sum(weights.numel() for weights in module.parameters()) == plan.params
        logits = module(torch.zeros(1, *images))
        assert [tuple(one.shape) for one in logits] == [(1, CLASSES)] * len(plan.exits)


@pytest.mark.parametrize(("side", "stages"), [(4, 1), (8, 2), (28, 3), (32, 3), (64, 4), (224, 4)])
def test_larger_images_have_more_stages(side: int, stages: int) -> None:
    names = space("{preset: stages}", (3, side, side)).by_name
    assert [key for key in names if key[0] == "s" and key[1:].isdigit()] == ["s1", "s2", "s3", "s4"][:stages]
    assert ("shrink" in names) == (side > 64)


def test_widths_and_stages_narrow_a_preset() -> None:
    there = space("{preset: classic, stages: 2, widths: {rule: constant, base: {int: [4, 9]}}}", (3, 32, 32))
    assert list(there.by_name) == ["stem", "s1", "s2", "out"]
    assert str(there.holes["widths.base"]) == str(there.holes["stem.width"]) == "4..9"
    assert "widths.rule" not in there.holes


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{preset: stage}", "space.preset is stage (stages?); it may be classic, stages, tiny, unusual"),
        ("{preset: [stages]}", "space.preset is [stages]; it may be classic"),
        ("{preset: stages, stages: 5}", "space.stages is 5; it may be 1..4"),
        ("{preset: stages, widths: 4}", "space.widths is 4; it must be such as"),
        ("{preset: stages, widths: {base: 0}}", "widths.base is 0; it may be"),
        ("{preset: stages, widths: {bass: 4}}", "space.widths.bass is not known"),
        ("{preset: tiny, nodes: {}}", "space.nodes stands beside preset, which stages and widths may narrow"),
    ],
)
def test_a_wrong_preset_is_refused_with_its_line(written: str, sentence: str) -> None:
    with pytest.raises(SourceError) as refused:
        space(written, (1, 8, 8))
    assert str(refused.value).startswith("mine.yaml:2  ") and sentence in str(refused.value)


def test_a_preset_is_stored_in_full_and_resumed(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    small = "space: {preset: tiny, widths: {base: {one_of: [4]}}}"
    file.write_text(
        f"study: mine\ndata: digits\ntrials: 1\ntrain: {{epochs: 1, batch: 256}}\ndevice: cpu\n{small}\n"
    )
    Study.load(file, tmp_path / "runs").run()
    stored = open_study("mine", tmp_path / "runs").config
    assert list(stored.source.value["space"]["nodes"]) == ["stem", "s1", "s2", "out"]
    file.write_text(file.read_text().replace("trials: 1", "trials: 2"))
    assert len(Study.load(file, tmp_path / "runs").run().records) == 2


def test_a_preset_is_text_of_a_space() -> None:
    for name in preset.names():
        assert space_file(parse(preset.text(name))).name == name
        assert preset.title(name) and "\n" not in preset.title(name)
