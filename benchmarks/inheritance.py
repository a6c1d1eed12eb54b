"""What inherited weights gain: children by one move, trained briefly with their parent's weights and without.

Parents are drawn from the space of studies/digits.yaml and trained in full; the better half has children. Each child
is trained for four epochs from its parent's weights, for four epochs from scratch, and twice in full from scratch with
two seeds.

The tables show the validation accuracies on the way, and Spearman's rank correlation between brief and full trainings.
If inherited weights only show how good the parent was, the brief training predicts no more than the parent's own
accuracy does. The second seed is the upper bound: no brief training can predict more. One thread; eight minutes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

from scipy.stats import spearmanr

import genome
import trainer
from benchmarks._rounds import prepare, setting
from genome import Genome, GenomeError
from genome.transfer import transfer
from search.config.read import read_study
from search.config.study import StudyConfig
from search.space.mutations import ALONE, apply
from search.space.point import Point
from search.space.space import Space

EPOCHS = 18  # of a training in full
STUDY = Path(__file__).parents[1] / "studies" / "digits.yaml"
BRIEF, SHOWN = 4, (1, 2, 4)  # epochs


class Trained(NamedTuple):
    """A network and the report of its full training."""

    written: Genome
    report: trainer.Report


class Pair(NamedTuple):
    """A child, trained in four ways."""

    move: str
    share: float  # of the child's parameters that are inherited
    cost: float  # time of the inheritance, as a multiple of the time that building takes
    parent: trainer.Report  # the parent's full training
    inherited: trainer.Report  # the child's brief training from its parent's weights
    scratch: trainer.Report  # the child's brief training from scratch
    full: trainer.Report  # the child's full training from scratch
    again: trainer.Report  # the child's full training with a second seed


class Bench(NamedTuple):
    """The study's space, recipe and data."""

    space: Space
    recipe: trainer.Recipe
    data: trainer.Data

    def fit(self, written: Genome, epochs: int, seed: int, parent: Trained | None = None) -> trainer.Report:
        """Train a network, from its parent's weights if a parent is given."""
        plan = genome.resolve(written)
        network = genome.build(plan, seed=seed)
        if parent is not None and parent.report.best_weights is not None:
            transfer(genome.resolve(parent.written), parent.report.best_weights, plan, network)
        return trainer.fit(network, self.data, recipe=replace(self.recipe, epochs=epochs, seed=seed))


def bench(study: StudyConfig) -> Bench:
    """Return what the study file says, with the plainest form of training."""
    how = {"precision": "fp32", "layout": "contiguous", "compile": "never"}
    recipe = trainer.Recipe.parse_earlier({"batch": 32, "epochs": EPOCHS, **how})
    return Bench(study.space, recipe, trainer.load("digits"))


def parents(on: Bench, count: int, rng: Random) -> list[Trained]:
    """Draw and train `count` networks that can be built, and return the better half."""
    found: list[Trained] = []
    while len(found) < count:
        written = on.space.sample(rng)
        if _is_small(written):
            found.append(Trained(written, on.fit(written, on.recipe.epochs, 0)))
    found.sort(key=lambda one: -(one.report.valid_accuracy or 0.0))
    return found[: count // 2]


def child(on: Bench, parent: Trained, rng: Random) -> tuple[str, Genome]:
    """Return the word of a move, and the genome that the move makes of a parent; it is new and can be built."""
    known = genome.digest(parent.written)
    while True:
        word = rng.choice(ALONE)
        moved = apply(on.space, word, Point(parent.written), rng)
        made = moved.point.genome if moved is not None else parent.written
        if _is_small(made) and genome.digest(made) != known:
            return word, made


def _is_small(written: Genome) -> bool:
    try:
        plan = genome.resolve(written)
    except GenomeError:
        return False
    return plan.params <= 200_000 and plan.macs <= 2_500_000


def pair(on: Bench, parent: Trained, rng: Random) -> Pair:
    """Return a child of a parent, and the reports of its trainings."""
    word, written = child(on, parent, rng)
    share, cost = taken(parent, written)
    return Pair(
        word,
        share,
        cost,
        parent.report,
        on.fit(written, BRIEF, 1, parent),
        on.fit(written, BRIEF, 1),
        on.fit(written, on.recipe.epochs, 1),
        on.fit(written, on.recipe.epochs, 2),
    )


def taken(parent: Trained, written: Genome) -> tuple[float, float]:
    """Return the share of the parameters that is inherited, and the time of that as a multiple of building."""
    assert parent.report.best_weights is not None
    plan, before = genome.resolve(written), genome.resolve(parent.written)
    start = time.process_time()
    network = genome.build(plan)
    built = time.process_time()
    found = transfer(before, parent.report.best_weights, plan, network)
    return found.share, (time.process_time() - built) / (built - start)


def correlated(briefs: Sequence[trainer.Report], fulls: Sequence[trainer.Report]) -> str:
    """Return Spearman's rank correlation of accuracies, and of losses."""
    by_accuracy = spearmanr([r.valid_accuracy for r in briefs], [r.valid_accuracy for r in fulls]).statistic
    by_loss = spearmanr([r.valid_loss for r in briefs], [r.valid_loss for r in fulls]).statistic
    return f"{by_accuracy:8.2f} {by_loss:8.2f}"


def shown(pairs: Sequence[Pair]) -> str:
    """Return the tables."""
    shares = statistics.quantiles([p.share for p in pairs], n=4)
    cost = statistics.median(p.cost for p in pairs)
    lines = [
        f"inherited: {shares[1]:.2f} of the parameters ({shares[0]:.2f}..{shares[2]:.2f}), in {cost:.1f} times the "
        "time of building",
        "",
        "valid accuracy (medians)     inherited  scratch  difference  children ahead",
    ]
    for epoch in SHOWN:
        mine = [p.inherited.curve[epoch - 1].valid_accuracy for p in pairs]
        theirs = [p.scratch.curve[epoch - 1].valid_accuracy for p in pairs]
        ahead = [a - b for a, b in zip(mine, theirs, strict=True)]
        before, after, gain = (statistics.median(column) for column in (mine, theirs, ahead))
        won = f"{sum(a > 0 for a in ahead):8d} of {len(ahead)}"
        lines.append(
            f"after epoch {epoch} of {BRIEF}            {before:9.3f} {after:8.3f} {gain:+11.3f} {won}"
        )
    full = statistics.median(p.full.valid_accuracy or 0.0 for p in pairs)
    lines += [f"after all epochs, from scratch         {full:8.3f}", ""]
    lines += ["Spearman with the full training  accuracy  loss"]
    fulls = [p.full for p in pairs]
    for name, reports in {
        f"{BRIEF} epochs, inherited": [p.inherited for p in pairs],
        f"{BRIEF} epochs, from scratch": [p.scratch for p in pairs],
        "the parent, in full": [p.parent for p in pairs],
        "another seed, in full": [p.again for p in pairs],
    }.items():
        lines.append(f"{name:30s} {correlated(reports, fulls)}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--parents", type=int, default=10, help="networks drawn; the better half has children"
    )
    parser.add_argument("--children", type=int, default=4, help="children of each parent")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    prepare(seed=asked.seed)
    print(setting(asked.seed), flush=True)
    on, rng = bench(read_study(STUDY)), Random(asked.seed)
    mothers = parents(on, asked.parents, rng)
    pairs = [pair(on, mother, rng) for mother in mothers for _ in range(asked.children)]
    print(shown(pairs))


if __name__ == "__main__":
    main()
