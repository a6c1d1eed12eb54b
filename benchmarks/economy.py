"""Device seconds until a study is as good as random search was with the whole budget, Fashion-MNIST subset.

Random search without pruning spends the whole budget with every seed. The target is the mean over the seeds of the
best validation accuracy of a network that was trained to the end; `--target` takes the target from an earlier run.
Every other way then runs on the same space, data, recipe and budget until one of its networks, trained to the end,
reaches the target. A way that does not reach the target within the budget counts with the whole budget, and is
marked.

Each study has one worker. `--cores` studies run side by side, seed by seed, so that all ways run in the same hours
of the machine. `--folder` holds the result of each study: the same command continues with the missing studies, and
restarts a study that was killed.

    python -m benchmarks.economy [--data-root FOLDER] [--folder runs/economy] [--seconds 240] [--cores 1]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
from concurrent.futures import Future, ProcessPoolExecutor
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
    "auto, median": {"sampler": "auto", "pruner": "median"},
    "auto": {"sampler": "auto", "pruner": "none"},
    "bayes, halving": {"sampler": "bayes", "pruner": "halving"},
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
    seconds: float  # budget of device time
    epochs: int
    macs: int  # limit of a network
    folder: Path  # of the stored results


class Ran(NamedTuple):
    """The result of one study."""

    accuracy: float  # the best
    seconds: float  # device seconds spent when the study stopped
    is_reached: bool  # whether the target was reached
    networks: int  # trained networks


def ran(race: Race, name: str, way: dict[str, Any], seed: int, target: float = float("inf")) -> Ran:
    """Run one study until the target or the end of its budget, or read its stored result."""
    kept = race.folder / f"{name}-{seed}-{target:.4f}.json"
    if kept.exists():
        return Ran(**json.loads(kept.read_text()))
    folder = kept.with_name(kept.stem)
    # of a killed study: nobody recorded when it reached its accuracies
    shutil.rmtree(folder, ignore_errors=True)
    watch = Watch(target)
    settings = {**way, "sampler": {"name": way["sampler"], "seed": seed}}
    study = study_of("race", race.data, race.seconds, seed, race.epochs, macs=race.macs, **settings)
    result = raced(study, folder, watch)
    when, accuracy = watch.best[-1] if watch.best else (result.spent_seconds, 0.0)
    trained = sum(record.epochs is not None and record.reused is None for record in result.records)
    found = Ran(accuracy, when if watch.is_reached else result.spent_seconds, watch.is_reached, trained)
    part = kept.with_name(f"{kept.name}.part")
    part.write_text(json.dumps(found._asdict()))
    part.replace(kept)
    print(f"{name}, seed {seed}: {found}", flush=True)
    return found


def aim(given: argparse.Namespace, race: Race, pool: ProcessPoolExecutor) -> float:
    """Return the accuracy that random search reached with the whole budget, and print it."""
    plain = [pool.submit(ran, race, "plain", PLAIN, seed) for seed in given.seeds]
    bests = [one.result() for one in plain]
    if not all(one.accuracy for one in bests):
        raise SystemExit(f"random search finished no network in {race.seconds:g} s; give it more --seconds")
    target = statistics.mean(one.accuracy for one in bests)
    shown = ", ".join(f"{one.accuracy:.4f} ({one.networks} networks)" for one in bests)
    print(f"random, {race.seconds:g} s a seed: {shown}; target {target:.4f}", flush=True)
    return target


def compared(given: argparse.Namespace, race: Race, pool: ProcessPoolExecutor) -> None:
    """Print the device seconds that each way needs to reach the target."""
    target = given.target or aim(given, race, pool)
    runs: dict[str, list[Future[Ran]]] = {name: [] for name in given.ways}
    for seed in given.seeds:
        for name, studies in runs.items():
            studies.append(pool.submit(ran, race, name, WAYS[name], seed, target))
    found = {name: [one.result() for one in studies] for name, studies in runs.items()}
    print("\n| way | seconds, each seed | median | mean | times fewer than random | reached |")
    print("| --- " * 6 + "|")
    for name, results in found.items():
        print(line(name, results, race.seconds), flush=True)


def line(name: str, results: list[Ran], whole: float) -> str:
    """Return a way's line of the table: the factor by the median and by the mean, with its standard error."""
    seconds = [one.seconds for one in results]
    each = ", ".join(f"{one.seconds:.0f}{'' if one.is_reached else ' (not)'}" for one in results)
    middle, mean = statistics.median(seconds), statistics.mean(seconds)
    error = statistics.stdev(seconds) / len(seconds) ** 0.5 if len(seconds) > 1 else float("nan")
    reached = f"{sum(one.is_reached for one in results)} of {len(results)}"
    times = f"{whole / middle:.1f}x, {whole / mean:.1f}x"
    return f"| {name} | {each} | {middle:.0f} | {mean:.0f} ± {error:.0f} | {times} | {reached} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", default=os.environ.get("GENOME_DATA"))
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/economy"), help="holds the studies and their results"
    )
    parser.add_argument("--seconds", type=float, default=240.0, help="device time of each study")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--macs", type=int, default=1_000_000, help="limit of a network")
    parser.add_argument("--cores", type=int, default=1, help="number of studies that run side by side")
    parser.add_argument("--target", type=float, help="accuracy; the benchmark then leaves out random search")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    given = parser.parse_args()
    folder = given.folder / f"{given.images}-{given.epochs}-{given.macs}-{given.seconds:g}"
    folder.mkdir(parents=True, exist_ok=True)
    data = subset(given.data_root, given.images, 500, folder)
    with side_by_side(given.cores) as pool:
        compared(given, Race(data, given.seconds, given.epochs, given.macs, folder), pool)


if __name__ == "__main__":
    main()
