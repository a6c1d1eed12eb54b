"""Optuna's samplers, seeded so that a study that is resumed does not draw the same again."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genome.domain import Domain, OneOf
from search.samplers.registry import sampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def _cmaes_complaint(objectives: int, holes: Mapping[str, Domain]) -> str | None:
    if objectives > 1:
        return f"cmaes, for one objective only, and the study has {objectives}; use nsga2, tpe or gp"
    numbers = sum(not isinstance(domain, OneOf) for domain in holes.values())
    if numbers < 2:
        return f"cmaes, for two int or float holes and more, and the space has {numbers}; use tpe"
    return None


@sampler("tpe")
def tpe(seed: int, drawn: int) -> BaseSampler:
    """Tree-structured Parzen estimators; multivariate, which is Optuna's default for one objective."""
    from optuna.samplers import TPESampler

    with _experimental():
        return TPESampler(seed=_stirred(seed, drawn), constant_liar=True)  # the liar keeps workers apart


@sampler("nsga2")
def nsga2(seed: int, drawn: int) -> BaseSampler:
    """The genetic algorithm NSGA-II."""
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(seed=_stirred(seed, drawn))


@sampler("gp", joint=True)
def gp(seed: int, drawn: int) -> BaseSampler:
    """Bayesian optimisation with a Gaussian process on the answers."""
    from optuna.samplers import GPSampler

    with _experimental():
        return GPSampler(seed=_stirred(seed, drawn), warn_independent_sampling=False)


# it would only warn that it cannot use constraints
@sampler("cmaes", joint=True, takes_constraints=False, complaint=_cmaes_complaint)
def cmaes(seed: int, drawn: int) -> BaseSampler:
    """The evolution strategy CMA-ES."""
    from optuna.samplers import CmaEsSampler

    with _experimental():
        return CmaEsSampler(seed=_stirred(seed, drawn), warn_independent_sampling=False)


@sampler("qmc", joint=True)
def qmc(seed: int, drawn: int) -> BaseSampler:
    """A scrambled Sobol sequence. It keeps its seed: Optuna stores how far it has come."""
    from optuna.samplers import QMCSampler

    with _experimental():
        return QMCSampler(
            seed=seed, scramble=True, warn_asynchronous_seeding=False, warn_independent_sampling=False
        )


@contextmanager
def _experimental() -> Iterator[None]:
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _stirred(seed: int, drawn: int) -> int:
    """Return another seed for each number of trials that a study has: the same would repeat the first draws."""
    if drawn == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/{drawn}".encode()).digest()[:4], "big")
