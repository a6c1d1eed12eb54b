"""A search for networks that stop early beside the equal search without early exits: what each front reaches.

The study is `studies/early.yaml`; the other one is the same without the exits before the last, so that its mean
multiply-adds are those of the whole network. Both have one worker on one core, the same budget of device seconds for
each seed, and no finale. Every network that was trained to the end is measured as it runs: by its last exit where it
has one exit, else with the thresholds that its study solved. Accuracies of validation images choose; the table has
those of the test images beside them. The images are those of the study, or 6,000 train and 4,000 test images of
Fashion-MNIST, shrunk to half the side.

    python -m benchmarks.early [--folder runs/early] [--seconds 180] [--seeds 0 1 2] [--cores 2]
    python -m benchmarks.early --data-root FOLDER --folder runs/early-fashion
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

import trainer
from benchmarks._races import raced, side_by_side, subset
from benchmarks._rounds import setting
from genome.exits.curve import Target, curve, outcome, picked
from genome.exits.segments import costs, segments
from search.config.exits import share_of
from search.results.exits.expected import calibrated
from search.results.exits.solved import seen_of
from search.results.trained import Trained, trained
from search.run.progress import Silent

STUDY = Path(__file__).parents[1] / "studies" / "early.yaml"
WAYS = ("early", "single")
IMAGES, TEST_IMAGES = 6_000, 4_000  # of Fashion-MNIST
LEVELS = 6  # of mean multiply-adds, in the second table


class Network(NamedTuple):
    """A trained network as it runs. Accuracies are shares, costs are mean multiply-adds of an image."""

    trial: int
    exits: int
    whole: int  # multiply-adds of all of it
    cost: float
    accuracy: float
    test_cost: float
    test_accuracy: float


def shrunk(root: str, folder: Path) -> Path:
    """Write images of Fashion-MNIST of 14x14 pixels, each the mean of four, and return the path."""
    path = folder / "fashion-14.npz"
    if not path.exists():
        whole = np.load(subset(root, IMAGES, TEST_IMAGES, folder))
        halves = {name: whole[name] for name in whole.files}
        for name in ("train_x", "test_x"):
            count, *_, height, width = whole[name].shape
            pixels = whole[name].reshape(count, height // 2, 2, width // 2, 2).mean((2, 4))
            halves[name] = pixels.round().astype(np.uint8)
        np.savez(path, **halves)
    return path


def study_of(way: str, seconds: float, seed: int, images: Path | None) -> dict[str, Any]:
    """Return the study of the file, for `single` without its early exits. images: in place of its own."""
    study = yaml.safe_load(STUDY.read_text())
    nodes = study["space"]["nodes"]
    if way == "single":
        early = [name for name, node in nodes.items() if node["op"] == "exit"][:-1]
        study["space"]["nodes"] = {name: node for name, node in nodes.items() if name not in early}
    budget = {**study["budget"], "device_time": f"{seconds:g}s"}
    own = {"study": f"{way}-{seed}", "budget": budget, "sampler": {**study["sampler"], "seed": seed}}
    if images is not None:
        study["data"] = {"path": str(images.resolve())}
    return {**study, **own, "workers": 1, "finale": "none", "device": "cpu", "references": "none"}


def searched(way: str, seed: int, given: argparse.Namespace, images: Path | None) -> None:
    """Run or resume one study, and store its networks."""
    kept = given.folder / f"{way}-{seed}.json"
    if kept.exists():
        return
    study = study_of(way, given.seconds, seed, images)
    folder = given.folder / study["study"]
    result = raced(study, folder, Silent())
    if result.is_interrupted:
        raise SystemExit(f"{study['study']} was interrupted; the same command resumes it")
    done = [one for one in result.records if one.outcome == "done" and one.reused is None]
    data, drop = trainer.load(str(images or study["data"])), share_of(study["exits"]["drop"])
    found = [measured(one.number, folder, study["study"], data, drop) for one in done]
    kept.write_text(json.dumps({"trials": len(result.records), "networks": [one._asdict() for one in found]}))


def measured(trial: int, folder: Path, study: str, data: trainer.Data, drop: float) -> Network:
    """Return a trained network as it runs."""
    one = trained(f"{folder / study}.yaml#{trial}", folder / "runs", None)
    exits, whole = len(one.plan.exits), one.plan.macs
    if exits == 1:
        accuracies = [seen_of(one.network, one, split).accuracies()[0] for split in (data.valid, data.test)]
        return Network(trial, 1, whole, whole, accuracies[0], whole, accuracies[1])
    return _stopping(trial, one, data, drop)


def _stopping(trial: int, one: Trained, data: trainer.Data, drop: float) -> Network:
    prices = costs(segments(one.plan.steps, one.plan.exits))
    valid = calibrated(seen_of(one.network, one, data.valid))
    point = picked(curve("entropy", valid, prices), Target("drop", drop), valid.accuracies()[-1])
    test = outcome(point.rule, seen_of(one.network, one, data.test), prices)
    exits = len(one.plan.exits)
    return Network(trial, exits, one.plan.macs, point.cost, point.accuracy, test.cost, test.accuracy)


def front(networks: Sequence[Network]) -> list[Network]:
    """Return the networks that no other beats in cost and accuracy on the validation images, the cheapest first."""
    found: list[Network] = []
    for one in sorted(networks, key=lambda n: (n.cost, -n.accuracy)):
        if not found or one.accuracy > found[-1].accuracy:
            found.append(one)
    return found


def is_reached(one: Network, others: Sequence[Network]) -> bool:
    """Whether another network is as accurate for as many multiply-adds or fewer."""
    return any(other.cost <= one.cost and other.accuracy >= one.accuracy for other in others)


def print_fronts(seed: int, found: dict[str, list[Network]]) -> None:
    """Print the front of each study with what the other one does not reach."""
    print(
        f"\nseed {seed}\n\n| study | exits | whole | mean on valid | valid | mean on test | test | the other study |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for way, other in (WAYS, WAYS[::-1]):
        for n in front(found[way]):
            said = "reaches it" if is_reached(n, found[other]) else "does not"
            print(
                f"| {way} | {n.exits} | {n.whole:,} | {n.cost:,.0f} | {n.accuracy:.4f} | {n.test_cost:,.0f} | "
                f"{n.test_accuracy:.4f} | {said} |"
            )


def print_levels(by_seed: Sequence[dict[str, list[Network]]]) -> None:
    """Print the accuracy of the best network at each level of cost, the mean over the seeds."""
    print("\n| multiply-adds at most | early: valid | test | single: valid | test |")
    print("| --- | --- | --- | --- | --- |")
    costs = [one.cost for found in by_seed for way in WAYS for one in front(found[way])]
    for level in np.geomspace(min(costs), max(costs), LEVELS + 1)[1:]:
        cells = [cell for way in WAYS for cell in _at(level, [found[way] for found in by_seed])]
        print(f"| {level:,.0f} | {' | '.join(cells)} |")


def _at(level: float, networks: Sequence[Sequence[Network]]) -> tuple[str, str]:
    best = [[one for one in front(each) if one.cost <= level][-1:] for each in networks]
    if not all(best):
        return "-", "-"
    return _mean([one.accuracy for (one,) in best]), _mean([one.test_accuracy for (one,) in best])


def _mean(values: Sequence[float]) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.4f} ± {spread:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("runs/early"), help="stores the studies")
    parser.add_argument("--seconds", type=float, default=180.0, help="device seconds of each study")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cores", type=int, default=2, help="studies that run at the same time")
    parser.add_argument("--data-root", help="folder of Fashion-MNIST, whose images are then searched on")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    images = shrunk(given.data_root, given.folder) if given.data_root else None
    with side_by_side(given.cores) as pool:
        jobs = [pool.submit(searched, way, seed, given, images) for seed in given.seeds for way in WAYS]
        for job in jobs:
            job.result()
    by_seed = []
    for seed in given.seeds:
        kept = {way: json.loads((given.folder / f"{way}-{seed}.json").read_text()) for way in WAYS}
        by_seed.append({way: [Network(**n) for n in one["networks"]] for way, one in kept.items()})
        print_fronts(seed, by_seed[-1])
    print(f"\n{setting()}, {given.seconds:g} device seconds, {len(given.seeds)} seeds")
    print_levels(by_seed)


if __name__ == "__main__":
    main()
