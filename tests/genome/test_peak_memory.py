"""The peak of the memory that follows from a plan, against the peak that torch's profiler sees on the CPU."""

import statistics
from random import Random

import pytest

import genome
from benchmarks._peaks import evaluated_bytes, noise, trained_bytes
from benchmarks.memory import ratios, space
from genome.memory import peak, stored
from genome.op import Shape
from search.config.needed_memory import NeededMemory
from trainer import Recipe

SHAPE = Shape(3, 16, 16)
RECIPE = Recipe(
    batch=16, epochs=2, precision="fp32", layout="channels_last", compile="never", optimizer="sgd"
)
HEAD = "genome: g\ninput: [3, 16, 16]\nclasses: 10\nnodes:\n"


def test_the_peaks_of_drawn_genomes_are_predicted() -> None:
    found = [*ratios(space("stages", SHAPE), SHAPE, 4, RECIPE)]
    assert all(0.7 < one < 1.3 for pair in found for one in pair), found
    for each in zip(*found, strict=True):
        assert statistics.median(abs(one - 1) for one in each) < 0.05, each


@pytest.mark.parametrize(
    "nodes",
    [
        "a: {op: conv, in: [image], width: 24}, b: {op: deform, in: [a], width: 8}, out: {op: exit, in: [b]}",
        "a: {op: conv, in: [image], width: 24}, b: {op: lrn, in: [a]}, c: {op: dropout, in: [b]}, "
        "out: {op: exit, in: [c, a], pool: flatten}",
        "a: {op: conv, in: [image], width: 16, kernel: 4, dropout: 0.5}, b: {op: conv, in: [a], width: 16, stride: 2}, "
        "c: {op: add, in: [a, b], fit: project, activation: relu}, e: {op: exit, in: [a], weight: 0.3}, "
        "out: {op: exit, in: [c]}",
        "a: {op: conv, in: [image], width: 12}, b: {op: concat, in: [a, image]}, c: {op: pool, in: [b]}, "
        "d: {op: squeeze, in: [c]}, f: {op: mean, in: [d, c], fit: front}, out: {op: exit, in: [f]}",
    ],
)
def test_the_peak_of_each_kind_of_layer_is_followed(nodes: str) -> None:
    plan = genome.resolve(genome.loads(f"{HEAD}  {{{nodes}}}\n"))
    needed, data = NeededMemory(plan, RECIPE), noise(SHAPE, 10, 32)
    assert needed.training(16) == pytest.approx(trained_bytes(plan, data, RECIPE), rel=0.1)
    assert needed.evaluation(32) == pytest.approx(evaluated_bytes(plan, data, 32, "channels_last"), rel=0.1)


def test_more_images_need_more_and_parts_of_a_batch_less() -> None:
    plan = genome.resolve(space("tiny", SHAPE).sample(Random(1)))
    whole = NeededMemory(plan, RECIPE)
    assert whole.training(8) < whole.training(16) < whole.training(256)
    assert NeededMemory(plan, Recipe(accumulate=4)).training(256) < NeededMemory(plan, Recipe()).training(256)
    assert peak(plan, trains=True).bytes(64) > plan.train_bytes * 64
    assert peak(plan, trains=False).bytes(64) <= 4 * plan.params + 1.01 * plan.infer_bytes * 64


def test_the_passes_of_a_loop_are_stored_under_names_of_their_own() -> None:
    plan = genome.resolve(genome.load("docs/genome.yaml"))
    module = genome.build(plan)
    numbers = sum(one.numel() for one in module.state_dict().values() if one.is_floating_point())
    assert stored(plan) == numbers
