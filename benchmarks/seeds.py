"""K seeds of one network as one training against K trainings one after another.

Both sides train on the same digits, at 8x8 and enlarged to 28x28, for the same steps and evaluations: `fit` of each
seed, and `Together`, which is what `fit_seeds` runs where a rehearsal says that it pays. The rehearsal, some five
steps, is not in the times; where as one is slower, `fit_seeds` trains one after another. CPU time on one thread; a
ratio above 1 says that as one is faster. `--rounds 7` takes longer and is surer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from torch import nn

import genome
from benchmarks._rounds import Compared, compare, prepare, setting
from genome.op import Shape
from search.config.read import read_study
from trainer import Budget, Data, Meter, Recipe, Split, fit, keep_pages, load
from trainer.fused.training import Together
from trainer.hardware.precision import Form

COUNTS = (1, 2, 4, 8)
BATCH, EPOCHS = 64, 4
STEPS = {8: 4, 28: 1}  # of an epoch
STUDY = Path(__file__).parents[1] / "studies" / "digits.yaml"
DRAWN = {8: 2, 28: 1}  # networks of the study's space
NETWORK = """
genome: plain
input: [1, 8, 8]
classes: 10
widths: {{rule: constant, base: {width}}}
nodes:
  stem: {{op: conv, in: [image], kernel: 3}}
  s1: {{op: stack, in: [stem], depth: {depth}, body: {{op: conv, kernel: 3}}}}
  s2: {{op: stack, in: [s1], depth: {depth}, stride: 2, body: {{op: conv, kernel: 3}}}}
  out: {{op: exit, in: [s2]}}
"""

Make = Callable[[int], nn.Module]


def enlarged(data: Data, side: int) -> Data:
    """So many images that an epoch has few steps, at another size."""

    def split(part: Split, count: int) -> Split:
        x = F.interpolate(part.x[:count].float(), (side, side), mode="bilinear")
        return Split(x.round().to(torch.uint8), part.y[:count])

    train, valid = split(data.train, STEPS[side] * BATCH), split(data.valid, BATCH)
    return replace(data, input=(1, side, side), train=train, valid=valid)


def networks(side: int) -> dict[str, Make]:
    """Plain ones, LeNet where it fits, and what the study of digits draws without drop-path."""
    widths = (8, 32) if side == 8 else (8,)
    found = {f"plain, {width} wide": genome.loads(NETWORK.format(width=width, depth=2)) for width in widths}
    if side == 28:
        found["lenet"] = genome.zoo.get("lenet")
    space, rng, wanted = read_study(STUDY).space, Random(0), len(found) + DRAWN[side]
    while len(found) < wanted:
        drawn = replace(space.sample(rng), input=Shape(1, side, side))
        if not genome.build(drawn).joins:
            found[f"drawn, {len(genome.resolve(drawn).steps)} nodes"] = drawn
    return {name: _maker(one) for name, one in found.items()}


def _maker(one: genome.Genome) -> Make:
    plan = genome.resolve(one)
    return lambda seed: genome.build(plan, seed=seed)


def apart(make: Make, data: Data, recipe: Recipe, count: int) -> None:
    for seed in range(count):
        report = fit(make(seed), data, recipe=replace(recipe, seed=seed))
        assert report.outcome == "done", report.reason


def as_one(make: Make, data: Data, recipe: Recipe, count: int) -> None:
    modules = [make(seed) for seed in range(count)]
    form = Form("fp32", "channels_last")
    together = Together(modules, range(count), data, recipe, form, Budget(), Meter())
    together.run()
    assert all(report.outcome == "done" for report in together.reports())


def found(make: Make, data: Data, recipe: Recipe, count: int, rounds: int) -> Compared:
    """How many times as fast as one is."""

    def ours() -> None:
        as_one(make, data, recipe, count)

    return compare(ours, {"apart": lambda: apart(make, data, recipe, count)}, rounds=rounds)["apart"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sides", type=int, nargs="+", default=[8, 28])
    options = parser.parse_args()
    prepare()
    keep_pages()  # as in the processes of a search
    print(setting())
    print("as one against one after another")
    recipe = Recipe(batch=BATCH, epochs=EPOCHS, precision="fp32")  # too short for a probe of the form
    for side in options.sides:
        data = enlarged(load("digits"), side)
        for name, make in networks(side).items():
            for count in COUNTS:
                row = found(make, data, recipe, count, options.rounds)
                print(f"{side:>2}x{side:<2}  {name:<20} K = {count}  {row}", flush=True)


if __name__ == "__main__":
    main()
