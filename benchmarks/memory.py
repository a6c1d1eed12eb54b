"""The peak of the memory of a training and of an evaluation, predicted from the plan, against the peak that torch has.

Genomes are drawn evenly from each preset. Each is built, trained for two epochs of two steps and evaluated, and torch's
profiler tells the most bytes that were allocated at once on the CPU (`benchmarks/_peaks.py`); no load of the machine
changes it. The prediction is the one by which `budget.memory` refuses a network (`search/config/needed_memory.py`).
Printed are the median and the 90th percentile of the error, the share of the genomes that are within 10 %, and the
range of predicted / measured.

    python -m benchmarks.memory [tiny stages classic unusual] [--genomes 50] [--batch 64] [--side 16] [--optimizer muon]
        [--layout channels_last] [--each]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import genome
from benchmarks._peaks import evaluated_bytes, noise, trained_bytes
from genome.op import Shape
from genome.yaml.source import parse
from search.config.needed_memory import EVALUATED, NeededMemory
from search.space.parse import space_of
from search.space.preset import in_full, names
from search.space.space import Space
from trainer import Recipe

CLASSES, WITHIN = 10, 0.1


class Ratio(NamedTuple):
    """Predicted / measured bytes of one genome."""

    training: float
    evaluation: float


def space(preset: str, shape: Shape) -> Space:
    """Return the space of a preset for images of this shape."""
    source = in_full(parse(f"space: {{preset: {preset}}}\n"), ("space",), shape)
    return space_of(source, ("space",), "bench", shape, CLASSES)


def ratios(where: Space, shape: Shape, genomes: int, recipe: Recipe) -> Iterator[Ratio]:
    """Draw genomes and measure each."""
    draws = Random(0)
    data = noise((shape.channels, shape.height, shape.width), CLASSES, EVALUATED * recipe.batch)
    for _ in range(genomes):
        plan = genome.resolve(where.sample(draws))
        needed, batch = NeededMemory(plan, recipe), EVALUATED * recipe.batch
        yield Ratio(
            needed.training(recipe.batch) / trained_bytes(plan, data, recipe),
            needed.evaluation(batch) / evaluated_bytes(plan, data, batch, recipe.layout),
        )


def said(found: list[float]) -> str:
    """Return the errors in a line."""
    errors = sorted(abs(one - 1) for one in found)
    inside = sum(one <= WITHIN for one in errors) / len(errors)
    ninth = statistics.quantiles(errors, n=10)[8] if len(errors) > 1 else errors[0]
    return (
        f"error {statistics.median(errors):6.1%} median, {ninth:6.1%} at the 90th percentile; {inside:4.0%} within "
        f"{WITHIN:.0%}; predicted / measured {min(found):.2f} to {max(found):.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("presets", nargs="*", default=names())
    parser.add_argument("--genomes", type=int, default=50)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--side", type=int, default=16, help="pixels of the images")
    parser.add_argument("--optimizer", default="muon")
    parser.add_argument("--layout", choices=("channels_last", "contiguous"), default="channels_last")
    parser.add_argument("--each", action="store_true", help="print every genome")
    given = parser.parse_args()
    shape = Shape(3, given.side, given.side)
    recipe = Recipe(
        batch=given.batch,
        epochs=2,
        optimizer=given.optimizer,
        precision="fp32",
        layout=given.layout,
        compile="never",
    )
    for preset in given.presets:
        found = []
        for number, one in enumerate(ratios(space(preset, shape), shape, given.genomes, recipe)):
            found.append(one)
            if given.each:
                print(f"  {number}: training {one.training:.3f}, evaluation {one.evaluation:.3f}", flush=True)
        print(f"{preset}, {len(found)} genomes")
        print(f"  training    {said([one.training for one in found])}")
        print(f"  evaluation  {said([one.evaluation for one in found])}", flush=True)


if __name__ == "__main__":
    main()
