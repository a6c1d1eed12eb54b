"""How well an early evaluation ranks networks, by the running statistics of batch norms and by new ones.

Genomes are drawn from the space of `studies/digits.yaml` and trained by its recipe, with two seeds each. Every epoch is
evaluated twice: by the statistics that training left behind, and by those of `trainer.loop.norm_statistics`, which a
training uses. The rank correlation (Spearman) is that of the losses of an epoch with the mean loss of the network after
the last epoch, by both kinds alike.

    python -m benchmarks.norm_statistics [--genomes 20] [--seeds 2]    # five minutes
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import torch
from scipy.stats import spearmanr
from torch import nn

import genome
import trainer
from benchmarks._rounds import setting
from benchmarks.training import drawn
from search.config.read import read_study
from trainer.loop.evaluation import Scores
from trainer.loop.norm_statistics import NormStatistics

STUDY = "digits"
STUDIES = Path(__file__).parents[1] / "studies"


class Seen(NamedTuple):
    """One epoch of a network."""

    network: str
    epoch: int
    running: tuple[float, float]  # accuracy, loss
    new: tuple[float, float]


class Watched(NormStatistics):
    """Evaluates the module once more before its statistics are renewed."""

    data: trainer.Data
    running: list[Scores]

    def renew(self, module: nn.Module, batch: int) -> None:
        precision, layout = self._form
        found = trainer.evaluate(
            module, self.data.valid, self.data, batch=batch, precision=precision, layout=layout
        )
        self.running.append(found)
        super().renew(module, batch)


def seen(named: str, written: genome.Genome, data: trainer.Data, recipe: trainer.Recipe) -> list[Seen]:
    """Train a network and return its epochs."""
    Watched.data, Watched.running = data, []
    network = genome.build(genome.resolve(written), seed=recipe.seed)
    curve = trainer.fit(network, data, recipe=recipe).curve
    return [
        Seen(named, row.epoch, (one.accuracy, one.loss), (row.valid_accuracy, row.valid_loss or float("inf")))
        for row, one in zip(curve, Watched.running, strict=True)
    ]


def table(found: list[Seen]) -> None:
    last = max(one.epoch for one in found)
    losses = defaultdict[str, list[float]](list)
    for one in found:
        if one.epoch == last:
            losses[one.network] += [one.running[1], one.new[1]]
    print("| epoch | accuracy, running | accuracy, new | correlation, running | correlation, new |")
    print("| --- | --- | --- | --- | --- |")
    for epoch in range(1, last + 1):
        rows = [one for one in found if one.epoch == epoch]
        ends = [statistics.mean(losses[one.network]) for one in rows]
        kinds = [one.running for one in rows], [one.new for one in rows]
        means = [statistics.mean(accuracy for accuracy, _ in kind) for kind in kinds]
        ranks = [spearmanr([loss for _, loss in kind], ends).statistic for kind in kinds]
        print(f"| {epoch} | {means[0]:.3f} | {means[1]:.3f} | {ranks[0]:.2f} | {ranks[1]:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--genomes", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(setting())
    trainer.loop.evaluation.NormStatistics = Watched  # type: ignore[attr-defined]
    study, data = read_study(STUDIES / f"{STUDY}.yaml"), trainer.load(STUDY)
    recipes = [trainer.Recipe(**{**vars(study.recipe), "seed": seed}) for seed in range(given.seeds)]
    found = [
        one
        for name, written in drawn(STUDY, given.genomes, 5, study.limits["macs"])
        for recipe in recipes
        for one in seen(name, written, data, recipe)
    ]
    table(found)


if __name__ == "__main__":
    main()
