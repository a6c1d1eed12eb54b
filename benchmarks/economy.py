"""Device seconds until a study is as good as random search was with the whole budget, Fashion-MNIST subset.

Random search, without pruning, spends the whole budget with every seed; the mean over the seeds of the best
validation accuracy of a network trained to the end is the target; `--target` takes it from an earlier run. Each
other way then runs on the same space, data, recipe and budget until one of its networks, trained to the end,
reaches that. A way that does not within the budget counts with the whole of it, and is marked. One worker for each
study; `--cores` studies run side by side.

    python -m benchmarks.economy [--data-root FOLDER] [--seconds 240] [--seeds 5] [--cores 1]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._races import Watch, raced, side_by_side, study_of, subset

WAYS: dict[str, dict[str, Any]] = {
    "auto, halving": {"sampler": "auto", "pruner": "halving"},
    "auto, halving, screened": {
        "sampler": "auto",
        "pruner": "halving",
        "screen": {"proxies": ["params", "snip", "grad_norm", "synflow"], "keep": 0.25},
    },
    "auto, halving, proxies as features": {
        "sampler": "auto",
        "pruner": "halving",
        "screen": {"proxies": ["params", "snip", "grad_norm", "synflow"], "keep": 0.25, "features": True},
    },
    "auto, median": {"sampler": "auto", "pruner": "median"},
    "auto": {"sampler": "auto", "pruner": "none"},
    "kernel, halving": {"sampler": "kernel", "pruner": "halving"},
    "evolve, halving": {"sampler": "evolve", "pruner": "halving"},
    "random, halving": {"sampler": "random", "pruner": "halving"},
    "tpe, halving": {"sampler": "tpe", "pruner": "halving"},
    "tpe": {"sampler": "tpe", "pruner": "none"},
    "nsga2, halving": {"sampler": "nsga2", "pruner": "halving"},
    "nsga2": {"sampler": "nsga2", "pruner": "none"},
}
PLAIN = {"sampler": "random", "pruner": "none"}


class Race(NamedTuple):
    """What every study of the comparison has in common."""

    data: Path
    seconds: float
    epochs: int
    macs: int
    scratch: Path


class Ran(NamedTuple):
    """What one study came to: its best accuracy, the device seconds spent when it stopped, and trained networks."""

    accuracy: float
    seconds: float
    is_reached: bool
    networks: int


def ran(race: Race, name: str, way: dict[str, Any], seed: int, target: float = float("inf")) -> Ran:
    """Run one study until it reaches the target, or the end of its budget."""
    watch = Watch(target)
    settings = {**way, "sampler": {"name": way["sampler"], "seed": seed}}
    study = study_of("race", race.data, race.seconds, seed, race.epochs, macs=race.macs, **settings)
    result = raced(study, race.scratch / f"{name}-{seed}", watch)
    when, accuracy = watch.best[-1] if watch.best else (result.spent_seconds, 0.0)
    trained = sum(record.epochs is not None and record.reused is None for record in result.records)
    return Ran(accuracy, when if watch.is_reached else result.spent_seconds, watch.is_reached, trained)


def aim(given: argparse.Namespace, race: Race, pool: ProcessPoolExecutor) -> float:
    """Return what random search reached with the whole budget, and print it."""
    plain = [pool.submit(ran, race, "plain", PLAIN, seed) for seed in range(given.seeds)]
    bests = [one.result() for one in plain]
    if not all(one.accuracy for one in bests):
        raise SystemExit(f"random search finished no network in {race.seconds:g} s; give it more --seconds")
    target = statistics.mean(one.accuracy for one in bests)
    shown = ", ".join(f"{one.accuracy:.4f} ({one.networks} networks)" for one in bests)
    print(f"random, {race.seconds:g} s a seed: {shown}; target {target:.4f}", flush=True)
    return target


def compared(given: argparse.Namespace, race: Race, pool: ProcessPoolExecutor) -> None:
    """Print what each way needs to reach the target."""
    target = given.target or aim(given, race, pool)
    print(
        "\n| way | seconds, each seed | median | times fewer than random | reached |\n" + "| --- " * 5 + "|"
    )
    runs = {
        name: [pool.submit(ran, race, name, WAYS[name], seed, target) for seed in range(given.seeds)]
        for name in given.ways
    }
    for name, studies in runs.items():
        found = [one.result() for one in studies]
        middle = statistics.median(one.seconds for one in found)
        each = ", ".join(f"{one.seconds:.0f}{'' if one.is_reached else ' (not)'}" for one in found)
        reached = sum(one.is_reached for one in found)
        times = f"{race.seconds / middle:.1f}x"
        print(f"| {name} | {each} | {middle:.0f} | {times} | {reached} of {len(found)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", default=os.environ.get("GENOME_DATA"))
    parser.add_argument("--seconds", type=float, default=240.0, help="of device time, for each study")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--macs", type=int, default=1_000_000, help="limit")
    parser.add_argument("--cores", type=int, default=1, help="how many studies run side by side")
    parser.add_argument("--target", type=float, help="accuracy; random search is left out then")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, side_by_side(given.cores) as pool:
        data = subset(given.data_root, given.images, 500, Path(folder))
        compared(given, Race(data, given.seconds, given.epochs, given.macs, Path(folder)), pool)


if __name__ == "__main__":
    main()
