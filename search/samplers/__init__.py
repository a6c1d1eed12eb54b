"""Samplers by name: ours, and Optuna's seeded so that a study that is resumed does not draw the same again."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from genome.domain import Domain, OneOf

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from search.samplers.base import Proposer
    from search.space.space import Space

OURS = ("auto", "kernel", "evolve", "random")  # read and propose genomes
SAMPLERS = (*OURS, "tpe", "nsga2", "gp", "cmaes", "qmc")
JOINT = frozenset({"gp", "cmaes", "qmc"})  # see only names that every trial answered: ask them all


def complaint(name: str, objectives: int, holes: Mapping[str, Domain]) -> str | None:
    """Say in one sentence why this sampler cannot work on this study, or None when it can."""
    if name != "cmaes":
        return None
    if objectives > 1:
        return f"cmaes, for one objective only, and the study has {objectives}; use nsga2, tpe or gp"
    numbers = sum(not isinstance(domain, OneOf) for domain in holes.values())
    if numbers < 2:
        return f"cmaes, for two int or float holes and more, and the space has {numbers}; use tpe"
    return None


def proposer(name: str, space: Space, seed: int, objectives: int) -> Proposer:
    """Return the sampler of ours of that name."""
    from search.samplers.auto import Auto
    from search.samplers.bayes import Kernel
    from search.samplers.evolve import Evolve
    from search.samplers.random_search import Even

    match name:
        case "auto":
            return Auto(space, seed, objectives)
        case "random":
            return Even(space, seed, objectives)
        case "evolve":
            return Evolve(space, seed, objectives)
        case "kernel":
            return Kernel(space, seed, objectives)
    raise ValueError(f"no sampler of ours is called {name}")


def sampler(name: str, seed: int, drawn: int = 0) -> BaseSampler:
    """Return Optuna's sampler of that name.

    `drawn` is the number of trials the study already has: it stirs the seed, as the same seed would
    repeat the first draws. The Sobol sequence keeps its seed; Optuna stores how far it has come.
    """
    from optuna import samplers
    from optuna.exceptions import ExperimentalWarning

    stirred = _stir(seed, drawn)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        match name:
            case "tpe":
                # multivariate for one objective is Optuna's default; the liar keeps slots apart
                return samplers.TPESampler(seed=stirred, constant_liar=True)
            case "nsga2":
                return samplers.NSGAIISampler(seed=stirred)
            case "gp":
                return samplers.GPSampler(seed=stirred, warn_independent_sampling=False)
            case "cmaes":
                return samplers.CmaEsSampler(seed=stirred, warn_independent_sampling=False)
            case "qmc":
                return samplers.QMCSampler(
                    seed=seed, scramble=True, warn_asynchronous_seeding=False, warn_independent_sampling=False
                )
    raise ValueError(f"no sampler is called {name}")


def _stir(seed: int, drawn: int) -> int:
    if drawn == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/{drawn}".encode()).digest()[:4], "big")


NAMING_PARENTS = ("auto", "kernel", "evolve")  # samplers that make genomes from those of trials
