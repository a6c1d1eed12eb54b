"""Exits: networks that stop early against the same networks run whole, and thresholds against the paper's screening.

For each network the thresholds lose at most 0.3 points on the validation images. Both forms run the same images on one
CPU thread, in mirrored rounds; the speed-up is compared with the ratio of the mean multiply-adds of these images, all
heads counted: 0.9 of it is wanted for images alone, 0.75 for batches of 64. Where no image leaves, stopping may cost
5 %. The paper's screening (every combination of its base list of entropies) is done on the same scores; for every
accuracy that it reaches, the thresholds solved here must need no more multiply-adds.

    python benchmarks/exits.py [EXPORT...] [--data NAME] [--data-root FOLDER] [--epochs 6]

EXPORT is what `genome train` or `genome export` wrote, of a network with several exits: `zoo:branchy-lenet` on
Fashion-MNIST, `zoo:branchy-alexnet` on CIFAR-10. Without any, a network of three exits is trained on digits.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks._early import DROP, Speed, scored, screening, speed
from benchmarks._rounds import prepare, setting
from genome.exits.curve import Seen, curve
from genome.exits.rules import Threshold
from genome.exits.shares import levels_of_shares
from genome.exits.table import table_of
from genome.exits.thresholds import thresholds
from search.results.exits.solved import _evenly, _normalised
from search.results.trained import Trained, images_of, trained
from search.train.progress import PlainEpochs
from search.train.request import TrainOptions, read_request
from search.train.train import train
from trainer import Data
from trainer.data.reading import Reading

IMAGES = 64
# of the images that reach an exit, in the paper's table: LeNet's first exit, and the first two of AlexNet
SHARES = {2: (0.943,), 3: (0.656, 0.733)}
DIGITS = """\
genome: three-exits
input: [1, 8, 8]
classes: 10
nodes:
  stem: {op: conv, in: [image], width: 8, stride: 2}
  early: {op: exit, in: [stem]}
  s1: {op: conv, in: [stem], width: 32}
  mid: {op: exit, in: [s1], pool: flatten}
  s2: {op: stack, in: [s1], depth: 3, width: 64, body: {op: residual}}
  out: {op: exit, in: [s2], pool: flatten}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("exports", nargs="*", metavar="EXPORT")
    parser.add_argument("--data", help="name or path, where an export does not tell it")
    parser.add_argument("--data-root", default=os.environ.get("GENOME_DATA"))
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args()
    prepare()
    print(setting(0))
    with tempfile.TemporaryDirectory() as folder:
        for ref in given.exports or [_digits(Path(folder), given.epochs)]:
            # on tiny images the calls of layers take longer than the layers, so that there is no goal
            one = trained(ref, Path("runs"), given.data_root)
            _network(one, images_of(one, given.data, given.data_root, Reading()), bool(given.exports))
    _solving()


def _digits(folder: Path, epochs: int) -> str:
    """Train the network on digits; return its export."""
    (folder / "three.yaml").write_text(DIGITS)
    options = TrainOptions(
        str(folder / "three.yaml"), "digits", epochs, 1, (), folder / "out", "cpu", Reading(), folder, None
    )
    train(read_request(options), PlainEpochs(), lambda: False)
    return str(folder / "out" / "seed-0")


def _network(one: Trained, data: Data, has_goals: bool) -> None:
    found = scored(one, data)
    rule = found.at(DROP).rule
    on_test = found.on_test(rule)
    shares = ", ".join(f"{share:.1%}" for share in on_test.shares)
    print(
        f"\n{one.plan.genome.name} on {data.name}: {one.plan.macs:,} macs; test accuracy {on_test.accuracy:.4f}, the "
        f"last exit alone {found.test.accuracies()[-1]:.4f}; leave {shares}; {one.plan.macs / on_test.cost:.2f} times "
        "fewer multiply-adds"
    )
    least, median, at_drop = screening(found)
    print(
        f"  the paper's screening needs {least:.3f} times the multiply-adds or more, median {median:.3f}; "
        f"for 0.3 points {at_drop:.3f}; goal 1.000 or more"
    )
    sample = _evenly(_normalised(one, data.test.x), IMAGES)
    rules = {"solved thresholds": rule, "as many leave as in the paper": _as_in_paper(one, sample)}
    for (word, each), (size, share) in product(rules.items(), ((1, 0.9), (IMAGES, 0.75))):
        print(f"  {word}, batch {size}")
        _speed(speed(one, each, sample, size, share if has_goals else None), size)


def _as_in_paper(one: Trained, sample: Tensor) -> Threshold:
    """Return the thresholds of entropy at which as many of the images leave at each exit as in the paper's table."""
    with torch.inference_mode():
        logits = [z.numpy() for z in one.network(sample)]
    table = table_of("entropy", logits, np.zeros(len(sample), np.int64), range(len(logits)))
    shares = SHARES.get(len(logits), (0.5,) * (len(logits) - 1))
    return Threshold("entropy", thresholds("entropy", levels_of_shares(table, "entropy", shares)))


def _speed(found: Speed, size: int) -> None:
    print(f"    these images have    {found.macs:7.3f} times fewer multiply-adds")
    print(f"    whole / early        {found.whole}")
    cost, goal = found.nobody, "  goal 1.05 or less" if size == 1 else ""
    print(f"    nobody stops / whole {cost.ratio:7.3f}x ({cost.low:.2f}..{cost.high:.2f}){goal}")


def _solving(exits: int = 5, images: int = 10_000, rounds: int = 5) -> None:
    """Print the seconds in which the thresholds of synthetic exits are solved."""
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=images)
    ease = 2.0 / (0.3 + rng.gamma(1.5, size=images))
    logits = []
    for exit in range(exits):
        z = rng.normal(size=(images, 10))
        z[np.arange(images), labels] += (2.0 + exit) * ease
        logits.append(z.astype(np.float32))
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        curve("entropy", Seen(tuple(logits), labels), range(1, exits + 1))
        spent.append(time.process_time() - start)
    print(f"\nsolving {exits} exits on {images:,} images: {np.median(spent):.2f} s  goal 0.50 s or less")


if __name__ == "__main__":
    main()
