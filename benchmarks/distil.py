"""Distillation between the exits of one network: the accuracy of every exit with and without, for equal epochs.

BranchyNet's LeNet on Fashion-MNIST, and a small network of three exits on scikit-learn's digits, each trained with
several shares of `distil` and several seeds. Accuracies are those of the best epoch on the validation images.

    python -m benchmarks.distil [--data-root FOLDER] [--images 12000] [--epochs 12] [--seeds 0 1 2]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import genome
import trainer
from benchmarks._races import subset
from benchmarks._rounds import setting
from genome import Genome, zoo

SHARES = (0.0, 0.25, 0.5)
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


def accuracies(
    network: Genome, data: trainer.Data, distil: float, epochs: int, seed: int
) -> tuple[float, ...]:
    """Return the accuracy of every exit after one training."""
    module = genome.build(network, seed=seed)
    recipe = trainer.Recipe(epochs=epochs, distil=distil, seed=seed)
    return trainer.fit(module, data, recipe=recipe).exits


def rows(name: str, network: Genome, data: trainer.Data, epochs: int, seeds: list[int]) -> None:
    """Print the mean and the deviation of every exit for every share."""
    for distil in SHARES:
        found = [accuracies(network, data, distil, epochs, seed) for seed in seeds]
        cells = [
            f"{statistics.mean(each):.4f} ± {statistics.stdev(each) if len(each) > 1 else 0.0:.4f}"
            for each in zip(*found, strict=True)
        ]
        print(f"| {name} | {distil} | {', '.join(cells)} |", flush=True)


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
    print(
        f"{setting()}, {given.epochs} epochs\n\n| network | distil | accuracy of each exit |\n| --- | --- | --- |"
    )
    rows("three exits, digits", genome.loads(DIGITS), trainer.load("digits"), given.epochs, given.seeds)
    if given.data_root:
        with tempfile.TemporaryDirectory() as folder:
            images = trainer.load(str(subset(given.data_root, given.images, 1, Path(folder))))
            rows("branchy-lenet, Fashion-MNIST", zoo.get("branchy-lenet"), images, given.epochs, given.seeds)


if __name__ == "__main__":
    main()
