"""Builds the experience of the package: networks drawn from a preset, each trained alike, with what they came to.

The networks are of the space that `genome init` writes for the images and limits; two in three are as wide as the
limits allow, as `bayes` draws them. Beside them are the networks of `_designs.py`. Their accuracy is that on the test
images of the archive: let these be images that no benchmark is judged by. A data set that is in the file already is
replaced. `--folder` stores the results; the same command continues with the missing ones. A benchmark on images of this
data set must run without experience.

    python -m benchmarks.experience --name NAME --archive FILE.npz --folder runs/experience [--networks 40] [--cores 2]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from random import Random

import genome
import trainer
from benchmarks._designs import designs
from benchmarks._races import side_by_side
from genome import Genome, GenomeError, Shape
from genome.zoo.scale import usage
from search.config.init.room import suited
from search.samplers.surrogate.experience import FILE, Trained, read, written
from search.space.filled import filled
from search.space.limits import is_inside
from search.space.space import Space
from trainer import files

PRESET = "stages"
UNFILLED = 3  # one network in so many is drawn evenly


def space(archive: Path, limits: dict[str, int]) -> Space:
    """Return the space that `genome init` writes for these images and limits."""
    images = trainer.load(str(archive))
    shape, classes = Shape(*images.input), len(images.classes)
    room = suited(PRESET, shape, classes, lambda plan: usage(plan, limits) <= 1.0)
    return replace(room.space(shape, classes), limits=limits)


def networks(drawn_from: Space) -> Iterator[Genome]:
    """Draw networks inside the limits."""
    for number in count(1):
        point = drawn_from.draw(Random(f"exp/{number}"))
        wide = filled(drawn_from, point) if number % UNFILLED else point
        try:
            if wide is not None and is_inside(drawn_from, genome.resolve(wide.genome)):
                yield wide.genome
        except GenomeError:
            continue


def trained(text: str, archive: Path, epochs: int, kept: Path) -> None:
    """Train one network, and store what it came to."""
    if kept.exists() and json.loads(kept.read_text())["genome"] == text:
        return
    images = trainer.load(str(archive))
    network = genome.build(genome.resolve(genome.loads(text)), seed=0)
    report = trainer.fit(network, images, recipe=trainer.Recipe(epochs=epochs))
    assert report.best_weights is not None, report.reason
    network.load_state_dict(report.best_weights)
    accuracy = trainer.evaluate(network, images.test, images).accuracy
    files.write(kept, json.dumps({"genome": text, "accuracy": accuracy}).encode())
    print(kept.stem, accuracy, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", required=True, help="of the data set, in the file")
    parser.add_argument("--archive", type=Path, required=True, help="an .npz of images")
    parser.add_argument("--folder", type=Path, default=Path("runs/experience"))
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--params", type=int, default=150_000, help="limit of a network")
    parser.add_argument("--macs", type=int, default=4_000_000, help="limit of a network")
    parser.add_argument("--cores", type=int, default=1)
    given = parser.parse_args()
    folder = given.folder / f"{given.name}-{given.epochs}"
    folder.mkdir(parents=True, exist_ok=True)
    whole = space(given.archive, {"params": given.params, "macs": given.macs})
    drawn = list(islice(networks(whole), given.networks))
    others = list(designs(whole.input, whole.classes, whole.limits))
    texts = [genome.dump(one) for one in (*drawn, *others)]
    with side_by_side(given.cores) as pool:
        paths = [folder / f"{number:03d}.json" for number in range(len(texts))]
        jobs = [
            pool.submit(trained, text, given.archive, given.epochs, path)
            for text, path in zip(texts, paths, strict=True)
        ]
        for job in jobs:
            job.result()
    found = [json.loads(path.read_text()) for path in paths]
    new = Trained(
        given.name,
        tuple(one["genome"] for one in found),
        tuple(one["accuracy"] for one in found),
        (True,) * len(drawn) + (False,) * len(others),
    )
    file = Path(str(FILE))
    kept = [one for one in read(file.read_bytes()) if one.data != given.name] if file.exists() else []
    files.write(file, written([*kept, new]))
    print(f"{file}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
