"""How well zero-cost proxies rank networks, compared with their accuracy after training.

Genomes are drawn from the digits study, within its limits. Each genome is measured untrained and then trained for a
few epochs. The first column is Spearman's rank correlation of every proxy and of the vote with accuracy on the valid
images, with a standard error by bootstrap; the plain count of parameters is the baseline. The last vote is the vote of
a study: half of the networks choose the proxies, and the other half measures the vote. The other columns are
the mean accuracy of the share that each proxy would keep, and CPU time as a multiple of a training step.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean, stdev

import torch

import genome
from benchmarks._rounds import prepare, setting
from genome import Genome, GenomeError
from search.config.candidate import candidate, measured
from search.config.read import read_study
from search.config.study import StudyConfig
from search.samplers.proxy_vote import Evidence, Row, correlations, trusted, votes
from search.space.point import Point
from search.workers.proxies import spread
from trainer import Data, Recipe, fit, keep_pages, load
from trainer.data.batches import Batch, Normalise
from trainer.hardware.precision import usual
from trainer.proxies import PROXIES, proxies

STUDY = Path(__file__).parents[1] / "studies" / "digits.yaml"
VOTE = ("synflow", "jacob_cov", "snip")
RESAMPLED = 500  # bootstrap samples


@dataclass(frozen=True)
class Found:
    """One network."""

    row: Row  # its proxies
    seconds: Mapping[str, float]  # CPU seconds of each proxy
    step_seconds: float  # CPU seconds of a training step
    accuracy: float  # after training


def drawn(study: StudyConfig, count: int, seed: int) -> list[Genome]:
    """Return `count` genomes of the space that break no limit."""
    space, rng, found = study.space, Random(seed), []
    while len(found) < count:
        one = space.sample(rng)
        try:
            network = candidate(Point(one), study.train)
        except GenomeError:
            continue
        if all(excess.over <= 0 for excess in measured(network, study)):
            found.append(one)
    return found


def found(one: Genome, data: Data, recipe: Recipe, images: int) -> Found:
    module = genome.build(one, seed=recipe.seed)
    batch = first_batch(module, data, images)
    row, seconds = {}, {}
    for name in PROXIES:
        start = time.process_time()
        row |= proxies(module, batch.x, batch.y, [name])
        seconds[name] = time.process_time() - start
    start = time.process_time()
    report = fit(module, data, recipe=recipe)
    steps = recipe.epochs * -(-len(data.train) // recipe.batch)
    step_seconds = (time.process_time() - start) / steps
    assert report.valid_accuracy is not None, report.reason
    return Found(row, seconds, step_seconds, report.valid_accuracy)


def first_batch(module: torch.nn.Module, data: Data, images: int) -> Batch:
    """Return the images that a screening takes."""
    device = torch.device("cpu")
    form = usual(module, device, "fp32")
    form.lay_out(module)
    chosen = spread(len(data.train), images)
    return Batch(Normalise(data, device, form)(data.train.x[chosen]), data.train.y[chosen])


def table(networks: Sequence[Found], keep: float) -> str:
    """Return one line for each proxy, for the vote of all, and for the vote of those that the networks chose."""
    columns = {name: [one.row[name] for one in networks] for name in PROXIES}
    columns["vote of " + ", ".join(VOTE)] = votes([one.row for one in networks], VOTE)
    columns["vote of the proxies that are trusted"] = trusting(networks)
    head = f"{'':<34} Spearman        kept {keep:.0%}: accuracy   CPU, in training steps"
    return "\n".join([head, *(line(name, column, networks, keep) for name, column in columns.items())])


def trusting(networks: Sequence[Found]) -> list[float]:
    """Return the vote on each half of the networks by the proxies that the other half chose.

    The vote is 0 where the other half chose no proxy.
    """
    halves = networks[::2], networks[1::2]
    voted = [_vote(one, other) for one, other in zip(halves, reversed(halves), strict=True)]
    return [voted[i % 2][i // 2] for i in range(len(networks))]


def _vote(judged: Sequence[Found], known: Sequence[Found]) -> list[float]:
    rows = [{name: one.row[name] for name in VOTE} for one in known]
    names = trusted([Evidence(row, -one.accuracy) for row, one in zip(rows, known, strict=True)])
    return votes([one.row for one in judged], names) if names else [0.0] * len(judged)


def line(name: str, column: Sequence[float], networks: Sequence[Found], keep: float) -> str:
    accuracies = [one.accuracy for one in networks]
    best = sorted(range(len(column)), key=lambda i: -column[i])[: round(keep * len(column))]
    kept = fmean(accuracies[i] for i in best)
    parts = VOTE if name.startswith("vote") else (name,)
    steps = fmean(sum(one.seconds[part] for part in parts) / one.step_seconds for one in networks)
    error = bootstrap(column, accuracies)
    return f"{name:<34} {spearman(column, accuracies):+.2f} +- {error:.2f}   {kept:14.4f}   {steps:18.2f}"


def spearman(values: Sequence[float], accuracies: Sequence[float]) -> float:
    pairs = zip(values, accuracies, strict=True)
    return correlations([Evidence({"it": value}, -accuracy) for value, accuracy in pairs])["it"]


def bootstrap(values: Sequence[float], accuracies: Sequence[float]) -> float:
    """Return the standard error of the correlation, by drawing networks with replacement."""
    rng, count, drawn = Random(0), len(values), []
    for _ in range(RESAMPLED):
        chosen = rng.choices(range(count), k=count)
        drawn.append(spearman([values[i] for i in chosen], [accuracies[i] for i in chosen]))
    return stdev(drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--genomes", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--images", type=int, default=32, help="images in the batch of a proxy")
    parser.add_argument("--keep", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    prepare()
    keep_pages()  # as in the processes of a search
    print(setting())
    study, data = read_study(STUDY), load("digits")
    how = {"precision": "fp32", "layout": "channels_last"}
    recipe = Recipe.parse_earlier({"batch": study.recipe.batch, "epochs": options.epochs, **how})
    networks = [
        found(one, data, recipe, options.images) for one in drawn(study, options.genomes, options.seed)
    ]
    accuracies = [one.accuracy for one in networks]
    low, high = min(accuracies), max(accuracies)
    print(
        f"{len(networks)} genomes, {options.epochs} epochs, batches of {options.images} images for a proxy;",
        end=" ",
    )
    print(f"accuracy {low:.4f} to {high:.4f}, mean {fmean(accuracies):.4f}")
    print(table(networks, options.keep))


if __name__ == "__main__":
    main()
