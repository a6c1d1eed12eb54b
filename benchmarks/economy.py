"""Device seconds until a study is as good as random search was with the whole budget, Fashion-MNIST subset.

For each seed random search, without pruning, spends the budget; what its best network reached in validation is the
target. Each other way then runs on the same space, data, recipe, budget and seed until one of its networks, trained
to the end, reaches that. A way that does not within the budget counts with the whole of it, and is marked.

    python benchmarks/economy.py --data-root FOLDER [--seconds 120] [--seeds 5] [--images 2400] [--epochs 9]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._races import Watch, raced, study_of, subset

WAYS: dict[str, dict[str, Any]] = {
    "auto, halving": {"sampler": "auto", "pruner": "halving"},
    "auto": {"sampler": "auto", "pruner": "none"},
    "kernel, halving": {"sampler": "kernel", "pruner": "halving"},
    "evolve, halving": {"sampler": "evolve", "pruner": "halving"},
    "tpe, halving": {"sampler": "tpe", "pruner": "halving"},
    "tpe": {"sampler": "tpe", "pruner": "none"},
    "nsga2, halving": {"sampler": "nsga2", "pruner": "halving"},
    "nsga2": {"sampler": "nsga2", "pruner": "none"},
}


def needed(
    way: dict[str, Any], seed: int, target: float, given: Any, data: Path, folder: Path
) -> tuple[float, bool]:
    """The device seconds that a way needs, and whether it got there."""
    settings = {**way, "sampler": {"name": way["sampler"], "seed": seed}}
    watch = Watch(target)
    result = raced(study_of("race", data, given.seconds, seed, given.epochs, **settings), folder, watch)
    return (watch.best[-1][0], True) if watch.is_reached else (result.spent_seconds, False)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", required=True)
    parser.add_argument("--seconds", type=float, default=120.0, help="of device time, for each study")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=2400)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    given = parser.parse_args()
    found: dict[str, list[tuple[float, bool]]] = {name: [] for name in given.ways}
    with tempfile.TemporaryDirectory() as scratch:
        data = subset(given.data_root, given.images, 500, Path(scratch))
        for seed in range(given.seeds):
            watch = Watch()
            study = study_of("random", data, given.seconds, seed, given.epochs, pruner="none")
            whole = raced(study, Path(scratch, f"{seed}-random"), watch)
            when, target = watch.best[-1]
            count = sum(record.is_counted for record in whole.records)
            print(f"seed {seed}: random {target:.4f} after {when:.0f} s, {count} networks", flush=True)
            for name in given.ways:
                one = needed(WAYS[name], seed, target, given, data, Path(scratch, f"{seed}-{name}"))
                found[name].append(one)
                print(f"  {name}: {one[0]:.0f} s{'' if one[1] else ', not reached'}", flush=True)
    print(
        f"\n| way | median seconds | times fewer than {given.seconds:g} | reached |\n| --- | --- | --- | --- |"
    )
    for name, ones in found.items():
        middle = statistics.median(seconds for seconds, _ in ones)
        reached = sum(is_reached for _, is_reached in ones)
        print(f"| {name} | {middle:.0f} | {given.seconds / middle:.1f}x | {reached} of {len(ones)} |")


if __name__ == "__main__":
    main()
