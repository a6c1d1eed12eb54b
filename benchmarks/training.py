"""Images a second of `trainer.fit` against a loop written by an expert and one written as in tutorials.

Each way trains the same built network from the same weights on the same images, with augmentation and an evaluation
after every epoch. The networks are networks of the zoo and genomes drawn from the space of a study, on part of
Fashion-MNIST and on the digits. `_expert.py` and `_tutorial.py` describe the two loops; the tutorial's DataLoader has
0 or 2 workers, whichever takes less CPU time.

The benchmark uses one thread and measures CPU time, with that of child processes. Loading the data and the first run
of each way, with its setup, are not timed. A training of fewer than 100 steps is not probed: give enough images and
epochs to see the gain of precision auto.

Goals: at least as fast as the expert; against the tutorial 1.7 times in float32 and 2.5 times with precision auto
on Fashion-MNIST, 3 times on the digits.

    python benchmarks/training.py [--data-root FOLDER]
    python benchmarks/training.py --images 1600 --epochs 8 --networks 2 --genomes 3    # half an hour
    python benchmarks/training.py --images 4096 --epochs 4 --networks 5 --genomes 10 --macs 60000000    # hours
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from torch import nn

import genome
import trainer
from benchmarks import _expert, _tutorial
from benchmarks._rounds import Rounds, measure, prepare, seconds, setting, trusted
from genome import Genome, zoo
from search.config.read import read_study
from trainer import Data, Recipe, Split

STUDIES = Path(__file__).parents[1] / "studies"
BATCH = {"fashion-mnist": 128, "digits": 64}
# against the expert, the tutorial in float32, the tutorial with precision auto
GOALS = {"fashion-mnist": (1.0, 1.7, 2.5), "digits": (1.0, 3.0, 3.0)}


class Named(NamedTuple):
    """A genome to train."""

    name: str
    genome: Genome


def published(size: int) -> list[Named]:
    """Return small networks of the zoo for grey images of that size."""
    image = (1, size, size)
    found = [
        zoo.mobilenet_v1(0.25, image, 10),
        zoo.resnet(20, image, 10),
        zoo.pyramidnet(20, 24, input=image),
        zoo.cliquenet(12, 9, input=image),
    ]
    if size == 28:
        found.insert(1, zoo.get("lenet"))
    return [Named(one.name, one) for one in found]


def drawn(study: str, count: int, seed: int, macs: int) -> Iterator[Named]:
    """Yield genomes drawn from a study's space, without those over its limits or of more multiply-adds."""
    written, rng = read_study(STUDIES / f"{study}.yaml"), Random(seed)
    space = written.space
    number = 0
    while number < count:
        one = space.sample(rng)
        plan = genome.resolve(one)
        if plan.macs <= macs and all(getattr(plan, limit) <= most for limit, most in written.limits.items()):
            number += 1
            yield Named(f"drawn {number} ({plan.macs / 1e6:.1f}M)", one)


def part(data: Data, images: int) -> Data:
    """Return the data with the first `images` train images, and a quarter as many valid images."""
    train, valid = (
        Split(split.x[:count], split.y[:count])
        for split, count in ((data.train, images), (data.valid, max(images // 4, 1)))
    )
    return replace(data, train=train, valid=valid)


def fitted(module: nn.Module, data: Data, recipe: Recipe) -> None:
    """Train a copy by `fit`. Raises RuntimeError where the training does not finish."""
    report = trainer.fit(copy.deepcopy(module), data, recipe=recipe)
    if report.outcome != "done":
        raise RuntimeError(report.reason)


def timed(one: Named, data: Data, recipe: Recipe, workers: int, rounds: int) -> Rounds:
    """Time every way to train a genome, in mirrored rounds."""
    module = genome.build(one.genome)
    others = {
        "auto": partial(fitted, module, data, replace(recipe, precision="auto")),
        "expert": partial(_expert.train, module, data, recipe),
        "tutorial": partial(_tutorial.train, module, data, recipe, workers),
    }
    return measure(partial(fitted, module, data, recipe), others, rounds=rounds)


def workers_of(one: Named, data: Data, recipe: Recipe) -> int:
    """Return the number of workers with which the tutorial's loop takes less CPU time."""
    module = genome.build(one.genome)
    spent = {n: seconds(partial(_tutorial.train, module, data, recipe, n)) for n in (0, 2)}
    print(f"tutorial: {spent[0]:.2f} s with 0 workers, {spent[2]:.2f} s with 2")
    return min(spent, key=spent.__getitem__)


def table(data: Data, named: list[Named], recipe: Recipe, rounds: int) -> None:
    """Print a line for each network, and the medians over all networks."""
    goals, images = GOALS[data.name], recipe.epochs * len(data.train)
    print(
        f"\n{data.name}: {len(data.train):,} train and {len(data.valid):,} valid images, {recipe.epochs} epochs"
    )
    workers = workers_of(named[0], data, recipe)
    print(f"{'':28}  fit img/s  fit/expert   fit/tutorial  auto/tutorial   auto/fp32   control, rounds")
    kept: list[tuple[float, ...]] = []
    for one in named:
        found = timed(one, data, recipe, workers, rounds)
        ratios = tuple(
            found.against(name, base).ratio
            for name, base in (
                ("expert", "ours"),
                ("tutorial", "ours"),
                ("tutorial", "auto"),
                ("ours", "auto"),
            )
        )
        if trusted(found.control):
            kept.append(ratios)
        words = "  ".join(f"{ratio:11.2f}x" for ratio in ratios)
        sure = "" if trusted(found.control) else "  inconclusive"
        speed = images / found.seconds(0)
        print(
            f"{one.name:28}{speed:11,.0f}{words}   {found.control:.3f}, {len(found.rows)}{sure}", flush=True
        )
    verdict(kept, goals)


def verdict(rows: list[tuple[float, ...]], goals: tuple[float, ...]) -> None:
    """Print the median and the minimum of each ratio, against its goal."""
    if not rows:
        print("inconclusive: no control was near enough to 1")
        return
    for name, goal, column in zip(
        ("fit/expert", "fit/tutorial", "auto/tutorial"), goals, zip(*rows, strict=True), strict=False
    ):
        median = statistics.median(column)
        word = "met" if median >= goal else "MISSED"
        print(f"  {name:14} median {median:.2f}x, least {min(column):.2f}x   goal {goal:.2f}x  {word}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", choices=list(BATCH), default=["digits", "fashion-mnist"])
    parser.add_argument("--data-root", default=os.environ.get("GENOME_DATA"))
    parser.add_argument("--images", type=int, default=512, help="train images of Fashion-MNIST")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--networks", type=int, default=1, help="networks of the zoo")
    parser.add_argument("--genomes", type=int, default=1, help="genomes drawn from the study's space")
    parser.add_argument("--macs", type=int, default=6_000_000, help="limit of a drawn genome's multiply-adds")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    prepare(seed=given.seed)
    trainer.keep_pages()  # as in the processes of a search, and for all ways alike
    print(setting(given.seed))
    for name in given.data:
        try:
            data = trainer.load(name, root=given.data_root, download=False)
        except trainer.DataError as error:
            print(f"\n{name} was not measured: {error}")
            continue
        data = part(data, given.images) if name != "digits" else data
        named = [
            *published(data.input[1])[: given.networks],
            *drawn(name, given.genomes, given.seed, given.macs),
        ]
        # the hand-written loops train as version 0.1.0 did
        recipe = Recipe.parse_earlier(
            {"batch": BATCH[name], "epochs": given.epochs, "seed": given.seed, "precision": "fp32"}
        )
        table(data, named, recipe, given.rounds)


if __name__ == "__main__":
    main()
