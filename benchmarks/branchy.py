"""BranchyNet's three networks, trained here, beside the table of the paper.

branchy-lenet on Fashion-MNIST, and on MNIST where it is there; branchy-alexnet and branchy-resnet on CIFAR-10.

    python -m benchmarks.branchy [NETWORK...] [--data-root FOLDER] [--cifar10 DATA] [--folder runs/branchy]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

import trainer
from search.train.progress import PlainEpochs
from search.train.request import TrainOptions, read_request
from search.train.train import train
from trainer.data.reading import Reading

# the paper's loss is the plain cross entropy, and its thresholds are those of an entropy without smoothed labels;
# compiling takes longer than it saves
COMMON = ("label_smoothing=0", "compile=never")
ADAM = ("optimizer=adamw", "lr=0.002")  # as in the paper, for networks without normalization


class Case(NamedTuple):
    """A network with its data and the length of its training."""

    network: str  # of the zoo
    data: str
    images: int | None  # the first ones, to train and validate on; None: all
    epochs: int
    settings: tuple[str, ...] = ()  # of the recipe, beside COMMON


CASES = (
    Case("branchy-lenet", "fashion-mnist", None, 10, ADAM),
    Case("branchy-lenet", "mnist", None, 10, ADAM),
    Case("branchy-alexnet", "cifar10", 20_000, 10, ADAM),
    Case("branchy-resnet-110", "cifar10", 5_000, 5, ("precision=bf16", "layout=channels_last")),
)


def trained_in(case: Case, data: str, root: str | None, folder: Path) -> Path:
    """Train the network, or go on where an earlier call was stopped; return its export."""
    where = data if case.images is None else str(_subset(case, data, root, folder))
    options = TrainOptions(
        ref=f"zoo:{case.network}",
        data=where,
        epochs=case.epochs,
        seeds=1,
        settings=(*COMMON, *case.settings),
        to=folder / f"{case.network}-{case.data}",
        device="cpu",
        reading=Reading(),
        runs=folder,
        data_root=root,
    )
    request = read_request(options)
    train(request, PlainEpochs(), lambda: False)
    return request.seed_folder(0)


def _subset(case: Case, data: str, root: str | None, folder: Path) -> Path:
    """Write the first images, with all test images, as an archive, and return its path."""
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
            test_x=np.asarray(whole.test.x),
            test_y=np.asarray(whole.test.y),
            classes=np.array(whole.classes),
        )
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--data-root", default=os.environ.get("GENOME_DATA"))
    parser.add_argument("--cifar10", default="cifar10", metavar="DATA", help="CIFAR-10 by name or path")
    parser.add_argument("--folder", type=Path, default=Path("runs/branchy"))
    given = parser.parse_args()
    for case in CASES:
        if not given.networks or case.network in given.networks:
            data = given.cifar10 if case.data == "cifar10" else case.data
            print(trained_in(case, data, given.data_root, given.folder))


if __name__ == "__main__":
    main()
