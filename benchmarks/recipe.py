"""Device seconds to the accuracy of an earlier recipe, Fashion-MNIST subset, for published and drawn networks.

A training must be finished by its schedule, so each way is trained in full at several lengths. The seconds at which
it has the accuracy of the earlier recipe (`EARLIER`, the defaults of version 0.1.0) are interpolated between two
lengths; the accuracies are means over the seeds. Validation images decide, and the accuracy on test images is printed
beside them. The tutorial is `_tutorial.py` with the earlier recipe, by CPU time.

One training runs at a time, on one thread, and the ways take turns: network by network and seed by seed. `--folder`
holds the result of each training: the same command continues with the missing trainings. `--ways` may name several
ways of `WAYS`.

    python -m benchmarks.recipe [--data-root FOLDER] [--folder runs/recipe] [--ways new] [--tutorial]
    python -m benchmarks.recipe --quick    # two networks, one seed
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import genome
import trainer
from benchmarks import _tutorial
from benchmarks._rounds import prepare, setting
from benchmarks.training import Named, drawn
from genome import zoo
from trainer import Data, Recipe, Split

EARLIER: dict[str, Any] = {
    "optimizer": "sgd",
    "lr": 0.1,
    "weight_decay": 5e-4,
    "momentum": 0.9,
    "nesterov": True,
    "batch": 64,
    "schedule": "one-cycle",
    "warmup": 0.1,
    "label_smoothing": 0.05,
    "clip": 5.0,
    "crop": None,
    "flip": True,
    "cutout": 0,
    "mixup": 0.0,
    "average": "none",
}
# what each way changes of the earlier recipe; `new` is today's default recipe, whatever it is
TOGETHER: dict[str, Any] = {"optimizer": "muon", "schedule": "linear", "crop": "auto"}
WAYS: dict[str, dict[str, Any]] = {
    "new": {},
    "earlier": {},
    "muon": {"optimizer": "muon"},
    "linear": {"schedule": "linear"},
    "crop": {"crop": "auto"},
    "muon, linear": {"optimizer": "muon", "schedule": "linear"},
    "muon, crop": {"optimizer": "muon", "crop": "auto"},
    "together": TOGETHER,
    "together, momentum 0.8": {**TOGETHER, "momentum": 0.8},
    "together, warmup 0.2": {**TOGETHER, "warmup": 0.2},
    "together, lr 0.05": {**TOGETHER, "lr": 0.05},
    "together, lr 0.2": {**TOGETHER, "lr": 0.2},
    "together, batch 32": {**TOGETHER, "batch": 32},
    "together, batch 128": {**TOGETHER, "batch": 128},
    "together, no smoothing": {**TOGETHER, "label_smoothing": 0.0},
    "together, no flip": {**TOGETHER, "flip": False},
    "together, ema": {**TOGETHER, "average": "ema", "ema_decay": 0.95},
    "adamw, linear, crop": {**TOGETHER, "optimizer": "adamw", "lr": 0.003, "weight_decay": 0.05},
}
IMAGE, CLASSES = (1, 28, 28), 10


class Ran(NamedTuple):
    """The result of one training."""

    seconds: float
    valid: float
    test: float


class Race(NamedTuple):
    """What all trainings have in common."""

    data: Data
    folder: Path
    seeds: tuple[int, ...]


def networks(genomes: int, macs: int) -> list[Named]:
    """Return small networks of the zoo, and genomes drawn from the space of `studies/fashion-mnist.yaml`."""
    published = [
        Named("LeNet", zoo.lenet(IMAGE, CLASSES)),
        Named("ResNet-20", zoo.resnet(20, IMAGE, CLASSES)),
        Named("PyramidNet-20", zoo.pyramidnet(20, 24, input=IMAGE, classes=CLASSES)),
        Named("MobileNet, width 0.25", zoo.mobilenet_v1(0.25, IMAGE, CLASSES)),
    ]
    return [*published, *drawn("fashion-mnist", genomes, 0, macs)]


def few(data: Data, images: int) -> Data:
    """Return the data with the first `images` train images and 2,000 valid images."""
    train = Split(data.train.x[:images], data.train.y[:images])
    return replace(data, train=train, valid=Split(data.valid.x[:2000], data.valid.y[:2000]))


def recipe_of(way: str, epochs: int, seed: int) -> Recipe:
    return Recipe.parse({**({} if way == "new" else EARLIER), **WAYS[way], "epochs": epochs, "seed": seed})


def fitted(one: Named, data: Data, recipe: Recipe) -> Ran:
    """Train a network, and score its best weights on the test images."""
    network = genome.build(one.genome, seed=recipe.seed)
    report = trainer.fit(network, data, recipe=recipe)
    if report.outcome != "done" or report.best_weights is None or report.valid_accuracy is None:
        raise RuntimeError(f"{one.name}: {report.reason}")
    network.load_state_dict(report.best_weights)
    return Ran(report.seconds, report.valid_accuracy, trainer.evaluate(network, data.test, data).accuracy)


def by_tutorial(one: Named, data: Data, recipe: Recipe) -> Ran:
    """Train a network by the tutorial's loop, which scores no test images."""
    network = genome.build(one.genome, seed=recipe.seed)
    start = time.process_time()
    accuracy = _tutorial.train(network, data, recipe, workers=0)
    return Ran(time.process_time() - start, accuracy, float("nan"))


def ran(one: Named, way: str, epochs: int, seed: int, race: Race) -> Ran:
    """Do one training, or read its stored result."""
    kept = race.folder / f"{one.name}, {way}, {epochs} epochs, seed {seed}.json"
    if kept.exists():
        return Ran(**json.loads(kept.read_text()))
    if way == "tutorial":
        found = by_tutorial(one, race.data, recipe_of("earlier", epochs, seed))
    else:
        found = fitted(one, race.data, recipe_of(way, epochs, seed))
    part = kept.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(found._asdict()))
    part.replace(kept)
    return found


def mean(results: Iterable[Ran]) -> Ran:
    return Ran(*(statistics.mean(column) for column in zip(*results, strict=True)))


def seconds_to(accuracy: float, points: Sequence[Ran]) -> float:
    """Return the seconds at which trainings of rising lengths reach an accuracy, linear between two of them.

    The shortest training counts whole where it reaches the accuracy; infinity where none does.
    """
    before: Ran | None = None
    for point in sorted(points):
        if point.valid >= accuracy:
            if before is None:
                return point.seconds
            share = (accuracy - before.valid) / (point.valid - before.valid)
            return before.seconds + share * (point.seconds - before.seconds)
        before = point
    return float("inf")


def line(one: Named, ways: dict[str, list[int]], whole: int, tutorial: bool, race: Race) -> list[float]:
    """Train a network all ways, print its line, and return the ratio of each way, then that to the tutorial."""
    jobs = [("earlier", whole), *((way, length) for way in ways for length in ways[way])]
    jobs += [("tutorial", whole)] if tutorial else []
    rows: dict[tuple[str, int], list[Ran]] = {job: [] for job in jobs}
    for seed in race.seeds:
        for job in jobs:
            rows[job].append(ran(one, *job, seed, race))
    goal = mean(rows["earlier", whole])
    words, ratios = [f"{goal.seconds:6.1f} s {goal.valid:.4f} {goal.test:.4f}"], []
    for way, lengths in ways.items():
        points = [mean(rows[way, length]) for length in lengths]
        ratios.append(seconds_to(goal.valid, points) / goal.seconds)
        words.append(f"{ratios[-1]:6.2f}  " + "  ".join(f"{p.valid:.4f} {p.test:.4f}" for p in points))
    if tutorial:
        other = mean(rows["tutorial", whole])
        points = [mean(rows[next(iter(ways)), length]) for length in next(iter(ways.values()))]
        ratios.append(seconds_to(other.valid, points) / other.seconds)
        words.append(f"{other.seconds:6.1f} s {other.valid:.4f}  {ratios[-1]:6.2f}")
    print(f"{one.name:22}  " + " | ".join(words), flush=True)
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", default=os.environ.get("GENOME_DATA"))
    parser.add_argument("--folder", type=Path, default=Path("runs/recipe"))
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=["new"])
    parser.add_argument("--images", type=int, default=2000, help="train images")
    parser.add_argument("--epochs", type=int, default=12, help="epochs of the earlier recipe")
    parser.add_argument("--lengths", type=int, nargs="+", default=[3, 5], help="epochs of the other ways")
    parser.add_argument("--genomes", type=int, default=10)
    parser.add_argument("--macs", type=int, default=6_000_000, help="limit of a drawn genome")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--networks", nargs="+", help="names, or the beginnings of names")
    parser.add_argument("--tutorial", action="store_true", help="also train by a tutorial's loop")
    parser.add_argument("--quick", action="store_true", help="LeNet and one genome, one seed")
    given = parser.parse_args()
    if given.quick:
        given.networks, given.seeds = ["LeNet", "drawn 1 "], [0]
    prepare()
    trainer.keep_pages()
    print(setting(0))
    data = few(trainer.load("fashion-mnist", given.data_root), given.images)
    folder = given.folder / f"{given.images}-{given.macs}"
    folder.mkdir(parents=True, exist_ok=True)
    race = Race(data, folder, tuple(given.seeds))
    ways = dict.fromkeys(given.ways, given.lengths)
    print(
        f"earlier: {given.epochs} epochs, seconds, valid and test accuracy; each way, {given.lengths} epochs: "
        f"ratio of seconds to that accuracy, then valid and test accuracy at each length: {', '.join(ways)}"
    )
    wanted = tuple(given.networks or [""])
    chosen = [one for one in networks(given.genomes, given.macs) if one.name.startswith(wanted)]
    columns = zip(*(line(one, ways, given.epochs, given.tutorial, race) for one in chosen), strict=True)
    for name, column in zip([*ways, "tutorial"], columns, strict=False):
        print(f"{name}: median {statistics.median(column):.2f}, largest {max(column):.2f}")


if __name__ == "__main__":
    main()
