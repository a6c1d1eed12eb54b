"""Networks of the races' space: each is trained briefly, and its result is stored on disk."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

import genome
import trainer
from benchmarks._races import study_of
from benchmarks._searchers import Told
from genome import Genome, GenomeError
from genome.domain import DomainError
from search.config.candidate import candidate, measured
from search.config.read import parse_study
from search.config.study import StudyConfig
from search.space.point import Point
from trainer import Data, Recipe, Split


@dataclass
class Trained:
    """Returns the result of a genome: stored under its digest, or trained now by the study's recipe.

    A network that is illegal or over the study's limits is refused. A training without a measured accuracy counts
    as accuracy 0.
    """

    file: StudyConfig  # limits and recipe
    data: Data
    path: Path  # of the stored results
    known: dict[str, Told] = field(default_factory=dict)  # stored results by digest

    def __call__(self, written: Genome) -> Told:
        try:
            network = candidate(Point(written), self.file.train)
        except (GenomeError, DomainError):
            return Told("", 0.0, violation=1.0)
        over = sum(max(0.0, excess.over) for excess in measured(network, self.file))
        if over > 0:
            return Told(network.digest, 0.0, violation=over)
        if network.digest not in self.known:
            self._read()  # another process may have trained the same network
        if network.digest not in self.known:
            self._train(written, network.digest)
        return self.known[network.digest]

    def _train(self, written: Genome, digest: str) -> None:
        began = time.process_time()
        report = trainer.fit(genome.build(written, seed=0), self.data, recipe=self.recipe)
        told = Told(digest, 100 * (report.valid_accuracy or 0.0), seconds=time.process_time() - began)
        self.known[digest] = told
        kept = {"digest": digest, "valid": told.valid, "seconds": told.seconds}
        with self.path.open("a") as file:
            file.write(json.dumps(kept) + "\n")

    def _read(self) -> None:
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                told = Told(**json.loads(line))
                self.known.setdefault(told.digest, told)

    @property
    def recipe(self) -> Recipe:
        """The study's recipe with a fixed precision and layout; a probe would choose them by the clock."""
        return replace(self.file.recipe, precision="fp32", layout="channels_last", compile="never")


def trained(root: str, images: int, valid: int, epochs: int, folder: Path) -> Trained:
    """Return the objective on that many images of Fashion-MNIST; `folder` holds the stored results."""
    study = study_of("others", folder, 60, 0, epochs, budget={"device_time": "60s"})
    study["data"] = "fashion-mnist"
    whole = trainer.load("fashion-mnist", root)
    data = replace(whole, train=_first(whole.train, images), valid=_first(whole.valid, valid))
    path = folder / f"trained-{images}-{valid}-{epochs}.jsonl"
    return Trained(parse_study(yaml.safe_dump(study, sort_keys=False), "<study>"), data, path)


def _first(split: Split, count: int) -> Split:
    return Split(split.x[:count], split.y[:count])
