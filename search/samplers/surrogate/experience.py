"""Experience: networks that earlier studies trained on other images, and what a model learns from them.

A file of experience has the genomes and their accuracies by data set. That of the package is built by
`benchmarks/experience.py`, a person's own by `genome experience`. What is read of a network does not depend on its
space: its graph, and its sizes in units of what is usual there.
"""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np

import genome
from genome import GenomeError, Plan
from genome.yaml.source import SourceError
from search.samplers.base import AUTO, NONE
from search.samplers.surrogate import gp, graph_kernels, target_transform
from search.samplers.surrogate.errors import FitError
from search.samplers.surrogate.graph_kernels import SIZES, Features, Scale
from search.samplers.surrogate.wl import wiring

log = logging.getLogger("search")

FILE = files("search.samplers.surrogate") / "experience.json.gz"
VERSION = 2
NOWHERE = np.zeros(1)  # the answers of a network to the holes of a space that is not its own
FARTHEST = 1e6  # mean or deviation of a size
LEAST = 1e-6  # deviation, below which sizes are alike
BEST = 8  # networks of each data set, by which a search begins
FEWEST = 5  # networks that a data set needs


class ExperienceError(ValueError):
    """A file that is no experience of this version."""


class Trained(NamedTuple):
    """Networks of one space that were trained alike on one data set."""

    data: str
    # of the sizes (`graph_kernels.sizes`) of even draws of the space: their unit
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    genomes: tuple[str, ...]
    # share of right answers
    accuracies: tuple[float, ...]
    # whether each was drawn evenly from the space: these are the unit of cost, if they are enough
    are_drawn: tuple[bool, ...]

    @property
    def best(self) -> list[str]:
        """The genomes of the highest accuracies."""
        ranked = sorted(zip(self.accuracies, self.genomes, strict=True), reverse=True)
        return [text for _, text in ranked[:BEST]]


class Experience:
    """What networks of a space are expected to cost: a Gaussian process of what was trained elsewhere.

    Its units are those of a space (`target_transform`): 0 is the middle of even draws.
    """

    def __init__(self, trained: Sequence[Trained]) -> None:
        """Fit it.

        Raises:
            ExperienceError: a text that is no genome.
            FitError: accuracies that teach nothing.
        """
        known, targets = list[Features](), list[np.ndarray]()
        for one in trained:
            found = [features_of(_resolved(text)) for text in one.genomes]
            even = np.array(one.are_drawn, dtype=bool)
            known += _without_space(found, np.array(one.mean), np.maximum(one.deviation, LEAST))
            costs = -np.array(one.accuracies)
            targets.append(target_transform.scores(costs, even))
        # those of the highest accuracy of each data set
        self.best = tuple(genome.loads(text) for one in trained for text in one.best)
        self._known = graph_kernels.Basis.of(known, graph_kernels.scale(known))
        parts, noise = self._known.between(self._known.rows), np.ones(len(known))
        scores = np.concatenate(targets)
        self._posterior = gp.condition(gp.weigh(parts, scores, noise), parts, scores, noise)

    def costs(self, networks: Sequence[Features], by: Scale) -> np.ndarray:
        """Return what networks of a space are expected to cost. by: the scale of the space. (n,)"""
        foreign = _without_space(networks, by.mean, by.deviation)
        return self._posterior.mean(self._known.between(self._known.rows_of(foreign)))


@cache
def named(word: str) -> Experience | None:
    """Return the experience that a study names: auto for that of the package, none, or a file.

    A file that cannot be read is a line in the log, once, and None.
    """
    if word == NONE:
        return None
    file = FILE if word == AUTO else Path(word)
    try:
        return Experience(read(file.read_bytes()))
    except (ExperienceError, FitError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        log.warning("%s: %s; the study goes on without experience", file, why)
        return None


def read(stored: bytes) -> list[Trained]:
    """Return what a file of experience has. Raises ExperienceError, one sentence, for anything else."""
    try:
        content = json.loads(gzip.decompress(stored))
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise ExperienceError(f"is broken ({error})") from None
    if (
        not isinstance(content, dict)
        or type(content.get("version")) is not int
        or content["version"] != VERSION
    ):
        raise ExperienceError(
            f"is no file of experience of version {VERSION}; `genome experience` writes one"
        )
    try:
        found = [
            Trained(one["data"], *map(tuple, one["sizes"]), *zip(*one["trained"], strict=True))
            for one in content["sets"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ExperienceError(f"is broken ({error})") from None
    if not found or not all(map(_is_usable, found)):
        raise ExperienceError("is broken (it has other values than genomes and accuracies)")
    return found


def _is_usable(one: Trained) -> bool:
    kinds = (one.genomes, str), (one.accuracies, float), (one.are_drawn, bool), ((one.data,), str)
    return (
        all(type(value) is kind for values, kind in kinds for value in values)
        and all(0.0 <= value <= 1.0 for value in one.accuracies)
        and len(one.mean) == len(one.deviation) == SIZES
        and all(type(value) is float and abs(value) < FARTHEST for value in (*one.mean, *one.deviation))
        and min(one.deviation) > 0
        and len(one.genomes) >= FEWEST
    )


def _resolved(text: str) -> Plan:
    """Return the plan of a network. Raises ExperienceError for a text that is no genome."""
    try:
        return genome.resolve(genome.loads(text))
    except (GenomeError, SourceError) as error:
        first = str(error).splitlines()[0][:120]
        raise ExperienceError(f"is broken (it has a genome that is none: {first})") from None


def written(trained: Sequence[Trained]) -> bytes:
    """Return a file of experience."""
    sets = [
        {
            "data": one.data,
            "sizes": [one.mean, one.deviation],
            "trained": list(zip(one.genomes, one.accuracies, one.are_drawn, strict=True)),
        }
        for one in trained
    ]
    text = json.dumps({"version": VERSION, "sets": sets})
    return gzip.compress(text.encode(), mtime=0)


def features_of(plan: Plan) -> Features:
    """Return the features of a network that need not be of any space."""
    return Features(wiring(plan), NOWHERE, (), graph_kernels.sizes(plan))


def _without_space(networks: Sequence[Features], mean: np.ndarray, deviation: np.ndarray) -> list[Features]:
    """Features without the answers to the holes of their space, sizes as deviations from what is usual there."""
    return [Features(one.wiring, NOWHERE, (), (one.sizes - mean) / deviation) for one in networks]
