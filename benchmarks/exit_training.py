"""Ways of training the exits of one network, for equal epochs: what each exit reaches, and what stopping early saves.

BranchyNet's LeNet on Fashion-MNIST, and a small network of three exits on scikit-learn's digits, each trained jointly,
with distillation from the last exit into the others, and in two stages, the heads on a frozen trunk. Accuracies are
those of the best epoch on the validation images. Mean multiply-adds are of thresholds solved on these images, at most
0.5 points below the last exit, as a share of the whole network's.

    python -m benchmarks.exit_training [--data-root FOLDER] [--images 12000] [--epochs 12] [--seeds 0 1 2]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import genome
import trainer
from benchmarks._races import subset
from benchmarks._rounds import setting
from genome import Genome, zoo
from genome.exits.curve import Seen
from genome.exits.segments import costs, segments
from search.results.exits.expected import calibrated, stopped

DROP = 0.005
WAYS: tuple[dict[str, float], ...] = (
    {},
    {"distil": 0.25},
    {"distil": 0.5},
    {"freeze": 0.33},
    {"freeze": 0.33, "distil": 0.5},
    {"freeze": 0.5},
)
DIGITS = """\
genome: three-exits
input: [1, 8, 8]
classes: 10
nodes:
  a: {op: conv, in: [image], width: 8}
  first: {op: exit, in: [a]}
  b: {op: conv, in: [a], width: 16, stride: 2}
  second: {op: exit, in: [b]}
  c: {op: residual, in: [b], width: 32, stride: 2}
  d: {op: residual, in: [c], width: 32}
  last: {op: exit, in: [d]}
"""


class Found(NamedTuple):
    """What one training came to."""

    exits: tuple[float, ...]  # accuracy of each
    stopping: float  # accuracy of the network that stops early
    cost: float  # its mean multiply-adds, as a share of the whole


def found(network: Genome, data: trainer.Data, way: Mapping[str, float], epochs: int, seed: int) -> Found:
    """Train once."""
    module = genome.build(network, seed=seed)
    report = trainer.fit(module, data, recipe=trainer.Recipe(epochs=epochs, seed=seed, **way))  # type: ignore[arg-type]
    module.load_state_dict(report.best_weights or {})
    logits = [one.numpy() for one in trainer.exit_logits(module, data.valid, data)]
    seen = calibrated(Seen(tuple(logits), data.valid.y.numpy()))
    one = stopped(seen, costs(segments(module.plan_steps, module.exits)), DROP)
    return Found(report.exits, one.accuracy, one.cost / module.macs)


def rows(name: str, network: Genome, data: trainer.Data, epochs: int, seeds: Sequence[int]) -> None:
    """Print mean and deviation over the seeds for every way."""
    for way in WAYS:
        each = [found(network, data, way, epochs, seed) for seed in seeds]
        exits = ", ".join(map(spread, zip(*[one.exits for one in each], strict=True)))
        said = ", ".join(f"`{key}: {value}`" for key, value in way.items()) or "jointly"
        stopping, cost = (spread(column) for column in zip(*[one[1:] for one in each], strict=True))
        print(f"| {name} | {said} | {exits} | {stopping} | {cost} |", flush=True)


def spread(values: Sequence[float]) -> str:
    """Return mean and deviation."""
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values) if len(values) > 1 else 0.0:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", help="folder of Fashion-MNIST; without it, digits alone")
    parser.add_argument(
        "--images", type=int, default=12_000, help="of Fashion-MNIST to train and validate on"
    )
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    print(f"{setting()}, {given.epochs} epochs\n")
    print("| network | training | accuracy of each exit | accuracy stopping | multiply-adds |")
    print("| --- | --- | --- | --- | --- |")
    rows("three exits, digits", genome.loads(DIGITS), trainer.load("digits"), given.epochs, given.seeds)
    if given.data_root:
        with tempfile.TemporaryDirectory() as folder:
            images = trainer.load(str(subset(given.data_root, given.images, 1, Path(folder))))
            rows("branchy-lenet, Fashion-MNIST", zoo.get("branchy-lenet"), images, given.epochs, given.seeds)


if __name__ == "__main__":
    main()
