"""What each sampler's winner is worth: real images, equal device seconds, then equal full training and test images.

Every way searches the same space, that of `genome init` for these images and limits, on the same images with the same
short trainings, pruner and finale. It has one worker on one core, and the same budget of device seconds for
each seed. The default sampler also has the references that a study has by default, which are charged to it. The
winners, and published networks scaled to the same limits, are then trained alike and longer, and scored on the test
images: what a person has who picks one of them, and how far a search is beyond it. The package has experience of
CIFAR-10: on images of it give `--experience none`, or a file without these. The images are 12,000 of
Fashion-MNIST, or those of an archive. `--folder` stores the results; the same command continues with the missing ones.

    python -m benchmarks.real [--data-root FOLDER] [--folder runs/real] [--seconds 600] [--seeds 0 1 2] [--cores 1]
    python -m benchmarks.real --archive FILE.npz --params 300000 --macs 12000000 --folder runs/real-mine
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from pathlib import Path
from typing import Any

import genome
import trainer
from benchmarks._races import raced, side_by_side, study_of, subset
from genome import Genome, Shape
from genome.zoo import resnet
from genome.zoo.scale import FAMILIES, fitted, usage, widest
from search.config.init.room import suited
from search.run.progress import Silent

WAYS = ("auto", "random", "tpe", "nsga2", "evolve")
OURS = "auto"
PRESET = "stages"


def searched(way: str, seed: int, given: argparse.Namespace, data: Path) -> None:
    """Run or resume one study, and store its winner."""
    kept = given.folder / f"{way}-{seed}.json"
    if kept.exists():
        return
    study = study_of(
        way,
        data,
        given.seconds,
        seed,
        given.epochs,
        budget={
            "device_time": f"{given.seconds:g}s",
            "per_trial": "120s",
            "rungs": list(range(1, given.epochs)),
        },
        limits=limits(given),
        train={"epochs": given.epochs, "batch": 64},
        sampler={"name": way, "seed": seed},
        pruner="forecast",
        references="auto" if way == OURS else "none",
        experience=given.experience,
        space=space(given, data),
        finale={"share": 0.2, "top": 3, "seeds": 3},
    )
    result = raced(study, given.folder / f"study-{way}-{seed}", Silent())
    assert result.exported is not None, f"{way}, seed {seed}: {result.stop}"
    found = {
        "genome": (result.exported / "genome.yaml").read_text(),
        "networks": sum(record.is_counted for record in result.records),
        "seconds": result.spent_seconds,
        "valid": json.loads((result.exported / "report.json").read_text())["accuracy"]["valid"],
    }
    _write(kept, found)


def in_full(name: str, written: Genome, seed: int, given: argparse.Namespace, data: Path) -> None:
    """Train a network on many images, score it on all test images, and store the scores."""
    kept = given.folder / f"{name}-full.json"
    if kept.exists():
        return
    plan = genome.resolve(written)
    images = trainer.load(str(data))
    network = genome.build(plan, seed=seed)
    report = trainer.fit(network, images, recipe=trainer.Recipe(epochs=given.full_epochs, seed=seed))
    assert report.best_weights is not None, report.reason
    network.load_state_dict(report.best_weights)
    scores = trainer.evaluate(network, images.test, images)
    _write(
        kept,
        {
            "test": scores.accuracy,
            "valid": report.valid_accuracy,
            "params": plan.params,
            "macs": plan.macs,
            "seconds": report.seconds,
        },
    )


def limits(given: argparse.Namespace) -> dict[str, int]:
    return {"params": given.params, "macs": given.macs}


def space(given: argparse.Namespace, data: Path) -> dict[str, Any]:
    """Return the space that `genome init` writes for these images and limits."""
    images, allowed = trainer.load(str(data)), limits(given)
    room = suited(PRESET, Shape(*images.input), len(images.classes), lambda plan: usage(plan, allowed) <= 1.0)
    return {"preset": room.preset, "stages": room.stages, "widths": room.widths}


def published(given: argparse.Namespace, data: Path) -> dict[str, Genome]:
    """Return published networks, each scaled to the limits of the studies."""
    images, allowed = trainer.load(str(data)), limits(given)
    shape, classes = images.input, len(images.classes)
    resnets = {f"resnet-{depth}": widest(resnet(depth, shape, classes), allowed) for depth in (8, 14, 20)}
    others = {family: fitted(family, shape, classes, allowed) for family in FAMILIES if family != "resnet"}
    found = {name: one.genome for name, one in resnets.items() if one}
    return found | {name: one for name, one in others.items() if one}


def winner(way: str, seed: int, given: argparse.Namespace) -> Genome:
    return genome.loads(_read(given.folder / f"{way}-{seed}.json")["genome"])


def contest(given: argparse.Namespace, data: Path) -> list[tuple[str, Genome, int]]:
    """Return the networks to train in full with their seeds: each way's winners, and the published networks."""
    winners = [
        (f"{way}-{seed}", winner(way, seed, given), seed) for seed in given.seeds for way in given.ways
    ]
    networks = published(given, data).items()
    return winners + [
        (f"{name}-{seed}", one, seed) for name, one in networks for seed in range(given.full_seeds)
    ]


def table(given: argparse.Namespace, data: Path) -> None:
    """Print the results."""
    print("\n| way | test accuracy, each seed | mean | params | multiply-adds | networks tried |")
    print("| --- | --- | --- | --- | --- | --- |")
    for way in (*given.ways, *(published(given, data) if given.full_seeds else ())):
        seeds = given.seeds if way in given.ways else range(given.full_seeds)
        ones = [_read(given.folder / f"{way}-{seed}-full.json") for seed in seeds]
        tests = [one["test"] for one in ones]
        counts, sizes = [one["params"] for one in ones], [one["macs"] for one in ones]
        tried = "-"
        if way in given.ways:
            tried = ", ".join(
                str(_read(given.folder / f"{way}-{seed}.json")["networks"]) for seed in given.seeds
            )
        spread = f" ± {statistics.stdev(tests):.4f}" if len(tests) > 1 else ""
        print(
            f"| {way} | {', '.join(f'{one:.4f}' for one in tests)} | {statistics.mean(tests):.4f}{spread} "
            f"| {', '.join(f'{params:,}' for params in counts)} "
            f"| {', '.join(f'{macs / 1e6:.1f}M' for macs in sizes)} | {tried} |"
        )


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def _write(path: Path, found: dict[str, Any]) -> None:
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(found, indent=1))
    part.replace(path)
    print(path.stem, {key: value for key, value in found.items() if key != "genome"}, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", default=os.environ.get("GENOME_DATA"))
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/real"), help="holds the studies and their results"
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="device time of each study")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--ways", nargs="*", choices=[[], *WAYS], default=list(WAYS[:3]), help="none: no search"
    )
    parser.add_argument("--experience", default="auto", help="of the studies: auto, none, or a file")
    parser.add_argument("--archive", type=Path, help="an .npz of images in place of Fashion-MNIST")
    parser.add_argument("--images", type=int, default=12_000, help="of Fashion-MNIST to train and validate")
    parser.add_argument("--epochs", type=int, default=4, help="epochs of the search")
    parser.add_argument("--params", type=int, default=150_000, help="limit of a network")
    parser.add_argument("--macs", type=int, default=4_000_000, help="limit of a network")
    parser.add_argument("--full-seeds", type=int, default=3, help="trainings of each published network")
    parser.add_argument("--full-epochs", type=int, default=10)
    parser.add_argument("--cores", type=int, default=1, help="number of studies that run side by side")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    data = given.archive or subset(given.data_root, given.images, 10_000, given.folder)
    with side_by_side(given.cores) as pool:
        searches = [
            pool.submit(searched, way, seed, given, data) for seed in given.seeds for way in given.ways
        ]
        for search in searches:
            search.result()
        trainings = [
            pool.submit(in_full, name, written, seed, given, data)
            for name, written, seed in contest(given, data)
        ]
        for training in trainings:
            training.result()
    table(given, data)


if __name__ == "__main__":
    main()
