"""BranchyNet's three networks, trained here by their recipes, beside the table of the paper.

branchy-lenet on Fashion-MNIST, and on MNIST where it is there; branchy-alexnet and branchy-resnet-110 on the first
images of CIFAR-10. The thresholds lose at most 0.3 points on the validation images; everything that is printed is of
the test images. The whole network is the same one, whose last exit answers every image. Times are CPU time of one
thread, in mirrored rounds. The screening of the paper is done on the same scores of the validation images.

The first call takes hours on one core. `--folder` holds trainings and results: the same command continues a training
that was stopped, and measures no network twice unless `--again` says so.

    python -m benchmarks.branchy [NETWORK...] [--data-root FOLDER] [--cifar10 DATA] [--folder runs/branchy] [--again]
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import trainer
from benchmarks._early import DROP, scored, screening, speed
from benchmarks._rounds import prepare, setting
from genome.exits.rules import Rule, Threshold
from genome.exits.segments import costs, segments
from search import formatting
from search.results.exits.solved import _evenly, _normalised
from search.results.trained import Trained, trained
from search.train.progress import PlainEpochs
from search.train.request import TrainOptions, read_request
from search.train.train import train
from trainer import files
from trainer.data.reading import Reading

# as in the paper, Adam and the plain cross entropy, whose thresholds are not those of smoothed labels; compiling takes
# longer than it saves
COMMON = ("optimizer=adamw", "lr=0.002", "label_smoothing=0", "compile=never")


class Published(NamedTuple):
    """A row of the paper's table: percent, and milliseconds on a CPU. Its baseline has no branches."""

    accuracies: tuple[float, float]  # of the baseline and of the network that stops
    gain: float
    thresholds: tuple[float, ...]
    shares: tuple[float, ...]


LENET = Published((99.20, 99.25), 5.4, (0.025,), (94.3, 5.63))
ALEXNET = Published((78.38, 79.19), 1.5, (0.0001, 0.05), (65.6, 25.2, 9.2))
RESNET = Published((80.70, 79.17), 1.9, (0.3, 0.2), (41.5, 13.8, 44.7))


class Case(NamedTuple):
    """A network with its data and its recipe."""

    network: str  # of the zoo
    data: str
    images: int | None  # the first ones, to train and validate on; None: all
    epochs: int
    paper: Published
    settings: tuple[str, ...] = ()  # of the recipe, beside COMMON
    test: int | None = None  # the first test images; None: all
    timed: int = 64  # images

    @property
    def name(self) -> str:
        return f"{self.network}-{self.data}"


CASES = (
    Case("branchy-lenet", "fashion-mnist", None, 10, LENET),
    Case("branchy-lenet", "mnist", None, 10, LENET),
    Case("branchy-alexnet", "cifar10", 20_000, 10, ALEXNET),
    # 285 M multiply-adds: a pass over 5,000 images is a minute and a half of one core
    Case(
        "branchy-resnet-110",
        "cifar10",
        5_000,
        5,
        RESNET,
        ("precision=bf16", "layout=channels_last"),
        2_000,
        16,
    ),
)
COLUMNS = (
    *("network", "thresholds", "accuracy, whole", "accuracy, early", "leave at each exit, %"),
    *("faster, 1 image", "faster, a batch", "fewer multiply-adds", "than without branches"),
)


def export_of(case: Case, data: str, root: str | None, folder: Path) -> Path:
    """Train the network, or go on where an earlier call was stopped; return its export."""
    options = TrainOptions(
        ref=f"zoo:{case.network}",
        data=data,
        epochs=case.epochs,
        seeds=1,
        settings=(*COMMON, *case.settings),
        to=folder / case.name,
        device="cpu",
        reading=Reading(),
        runs=folder,
        data_root=root,
    )
    request = read_request(options)
    train(request, PlainEpochs(), lambda: False)
    return request.seed_folder(0)


def images_for(case: Case, data: str, root: str | None, folder: Path) -> str:
    """Write the first images, with all test images, as an archive; return its path, or the name of the whole set."""
    if case.images is None:
        return data
    path = folder / f"{case.data}-{case.images}.npz"
    if not path.exists():
        whole = trainer.load(data, root)
        x, y = (
            np.concatenate([np.asarray(getattr(part, key)) for part in (whole.train, whole.valid)])
            for key in "xy"
        )
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            train_x=x[: case.images],
            train_y=y[: case.images],
            test_x=np.asarray(whole.test.x)[: case.test],
            test_y=np.asarray(whole.test.y)[: case.test],
            classes=np.array(whole.classes),
        )
    return str(path)


def measured(case: Case, one: Trained, data: trainer.Data) -> dict[str, Any]:
    """Return the rows of a network, for solved thresholds and for those of the paper, and the screening."""
    found = scored(one, data)
    rules: dict[str, Rule] = {
        "solved, 0.3 points": found.at(DROP).rule,
        "the paper's": Threshold("entropy", case.paper.thresholds),
    }
    sample = _evenly(_normalised(one, data.test.x), case.timed)
    (bare,) = costs(segments(one.plan.steps, one.plan.exits[-1:]))  # without branches
    rows = []
    for word, rule in rules.items():
        on_test = found.on_test(rule)
        sizes = (1, case.timed) if not rows else ()  # the solved thresholds alone are timed
        times = [speed(one, rule, sample, size) for size in sizes]
        rows.append(
            {
                "thresholds": word,
                "whole": found.test.accuracies()[-1],
                "early": on_test.accuracy,
                "shares": on_test.shares,
                "speed": [time.whole.ratio for time in times],
                "goals": [share * time.macs for share, time in zip((0.9, 0.75), times, strict=False)],
                "macs": one.plan.macs / on_test.cost,
                "macs_bare": bare / on_test.cost,
            }
        )
    alone = found.test.accuracies()
    return {"weights": one.weights, "alone": alone, "rows": rows, "screening": screening(found)._asdict()}


def lines(case: Case, found: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a network in the table, the paper's last."""
    for row in found["rows"]:
        times = [f"{a:.2f} (goal {b:.2f})" for a, b in zip(row["speed"], row["goals"], strict=True)] or [
            "",
            "",
        ]
        yield (
            *(case.name, row["thresholds"], f"{100 * row['whole']:.2f}", f"{100 * row['early']:.2f}"),
            *(", ".join(f"{100 * one:.1f}" for one in row["shares"]), *times),
            *(f"{row['macs']:.2f}", f"{row['macs_bare']:.2f}"),
        )
    paper = case.paper
    limits = ", ".join(f"{one:g}" for one in paper.thresholds)
    shares = ", ".join(f"{one:g}" for one in paper.shares)
    accuracies = [f"{one:.2f}" for one in paper.accuracies]
    yield ("in the paper", limits, *accuracies, shares, f"{paper.gain:.1f}", "", "", "")


def result_of(case: Case, given: argparse.Namespace) -> dict[str, Any]:
    """Train and measure a network, as far as the folder has not its result."""
    name = given.cifar10 if case.data == "cifar10" else case.data
    where = images_for(case, name, given.data_root, given.folder)
    one = trained(str(export_of(case, where, given.data_root, given.folder)), given.folder, given.data_root)
    stored = given.folder / f"{case.name}.json"
    if stored.exists() and not given.again:
        found: dict[str, Any] = json.loads(stored.read_bytes())
        if found["weights"] == one.weights:
            return found
    files.write(stored, json.dumps(measured(case, one, trainer.load(where, given.data_root))).encode())
    return dict(json.loads(stored.read_bytes()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="of the zoo; by default all three")
    parser.add_argument("--data-root", default=os.environ.get("GENOME_DATA"))
    parser.add_argument("--cifar10", default="cifar10", metavar="DATA", help="CIFAR-10 by name or path")
    parser.add_argument("--folder", type=Path, default=Path("runs/branchy"))
    parser.add_argument("--again", action="store_true", help="measure again what the folder has")
    given = parser.parse_args()
    prepare()
    print(setting(0))
    found: list[tuple[Case, dict[str, Any]]] = []
    for case in CASES:
        if not given.networks or case.network in given.networks:
            try:
                found.append((case, result_of(case, given)))
            except trainer.DataError as error:
                print(f"{case.name} is left out: {error}")
    print(f"\n{formatting.table(COLUMNS, [line for each in found for line in lines(*each)])}\n")
    for case, one in found:
        alone = ", ".join(f"{accuracy:.4f}" for accuracy in one["alone"])
        least, median, at_drop = one["screening"].values()
        print(
            f"{case.name}: accuracy of each exit alone {alone}; the paper's screening needs {least:.3f} times the "
            f"multiply-adds or more, median {median:.3f}; for 0.3 points {at_drop:.3f}; goal 1.000 or more"
        )


if __name__ == "__main__":
    main()
