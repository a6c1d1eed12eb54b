"""Builds the experience of the package: networks drawn from a preset, each trained alike, with what they came to.

The networks are of the space that `genome init` writes for the images and limits; two in three are as wide as the
limits allow, as `bayes` draws them. Beside them are the networks of `_designs.py`. Each of the `--rounds` adds those
that the experience so far holds for the best: what it holds too good is corrected. Their accuracy is that on the test
images of the archive: let these be images that no benchmark is judged by. A data set that is in the file already gets
the rounds alone. `--folder` stores each result; a command that was stopped continues with the missing ones.
A benchmark on images of this data set must run without experience of it.

    python -m benchmarks.experience --name NAME --archive FILE.npz --folder runs/experience [--rounds 8] [--cores 2]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
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
from search.samplers.base import Origin, Proposal
from search.samplers.offspring import offspring
from search.samplers.surrogate.experience import FILE, Experience, Trained, read, written
from search.samplers.surrogate.model import Surrogate
from search.space.filled import filled
from search.space.limits import is_inside
from search.space.point import digest_of
from search.space.space import Space
from trainer import files

PRESET = "stages"
UNFILLED = 3  # one network in so many is drawn evenly
ROUND = 8  # networks found, after which experience learns of them
DRAWS = 60  # whose offspring a network is


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


def best_foretold(drawn_from: Space, so_far: Trained, seeds: Iterable[int]) -> Iterator[str]:
    """Yield the networks that experience holds for the best, one for each seed, none of them trained so far."""
    model = Surrogate(drawn_from, 0, Experience([so_far]))
    known = {digest_of(genome.digest(genome.resolve(genome.loads(text))), {}) for text in so_far.genomes}
    for seed in seeds:
        rng = Random(f"exp/found/{seed}")
        draws = [Proposal.of(drawn_from.draw(rng), Origin("random")) for _ in range(DRAWS)]
        best = offspring(drawn_from, model, draws, known, lambda made, _: wide(drawn_from, made), rng)[0]
        known.add(digest_of(genome.digest(genome.resolve(best.proposal.genome)), {}))
        yield genome.dump(best.proposal.genome)


def wide(drawn_from: Space, made: Proposal) -> Proposal:
    """Return a network as wide as the limits allow."""
    point = filled(drawn_from, made.point)
    return made if point is None else made._replace(genome=point.genome)


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
    parser.add_argument("--rounds", type=int, default=0, help=f"of {ROUND} networks that are added")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--params", type=int, default=150_000, help="limit of a network")
    parser.add_argument("--macs", type=int, default=4_000_000, help="limit of a network")
    parser.add_argument("--cores", type=int, default=1)
    given = parser.parse_args()
    folder = given.folder / f"{given.name}-{given.epochs}"
    folder.mkdir(parents=True, exist_ok=True)
    whole = space(given.archive, {"params": given.params, "macs": given.macs})
    with side_by_side(given.cores) as pool:

        def accuracies(texts: Sequence[str], first: int) -> tuple[float, ...]:
            paths = [folder / f"{first + number:03d}.json" for number in range(len(texts))]
            jobs = [
                pool.submit(trained, text, given.archive, given.epochs, path)
                for text, path in zip(texts, paths, strict=True)
            ]
            for job in jobs:
                job.result()
            return tuple(float(json.loads(path.read_text())["accuracy"]) for path in paths)

        so_far = stored(given.name)
        if so_far is None:
            drawn = [genome.dump(one) for one in islice(networks(whole), given.networks)]
            others = [genome.dump(one) for one in designs(whole.input, whole.classes, whole.limits)]
            texts = (*drawn, *others)
            are_drawn = (True,) * len(drawn) + (False,) * len(others)
            so_far = Trained(given.name, *Surrogate(whole, 0).units, texts, accuracies(texts, 0), are_drawn)
            store(so_far)
        for _ in range(given.rounds):
            first = len(so_far.genomes)
            best = tuple(best_foretold(whole, so_far, range(first, first + ROUND)))
            so_far = so_far._replace(
                genomes=so_far.genomes + best,
                accuracies=so_far.accuracies + accuracies(best, first),
                are_drawn=so_far.are_drawn + (False,) * ROUND,
            )
            store(so_far)


def stored(name: str) -> Trained | None:
    """Return what the file has of a data set."""
    return next((one for one in read(FILE.read_bytes()) if one.data == name), None)


def store(trained: Trained) -> None:
    """Write the file, with this in place of what it had of the data set."""
    others = [one for one in read(FILE.read_bytes()) if one.data != trained.data]
    files.write(Path(str(FILE)), written([*others, trained]))


if __name__ == "__main__":
    main()
