"""The register of samplers: every name that `sampler:` of a study file may be, and what each of them can do.

A sampler is one file in `search/samplers/`: a class or function under `@sampler`. All these files are imported to list
the names, so that a file imports what is slow to load (torch, Optuna, SciPy) inside its functions alone. What files of
samplers share stands in packages below, which are not searched.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from genome.domain import Domain
    from search.samplers.base import Proposer
    from search.space.space import Space

    # of the number of objectives and the holes of the space: why the sampler cannot work there, None where it can
    Complaint = Callable[[int, Mapping[str, Domain]], str | None]

Made = TypeVar("Made", bound=Callable[..., Any])


def _fits(objectives: int, holes: Mapping[str, Domain]) -> str | None:
    return None


@dataclass(frozen=True)
class Entry:
    """A sampler that a study may name."""

    name: str
    # makes it: of (space, seed, objectives) a Proposer, of (seed, drawn) a sampler of Optuna
    make: Callable[..., Any]
    # it reads and proposes whole genomes (`search.samplers.base.Proposer`); Optuna's are asked hole by hole
    proposes: bool
    # its genomes are made from those of trials, which it names: weights can be inherited
    names_parents: bool
    # it takes `experience`: what earlier studies found on other images
    learns: bool
    # it sees only the holes that every trial was asked for: a study asks for all, also those without effect
    joint: bool
    # it can be told that a network is over a limit, or cannot be trained
    takes_constraints: bool
    # names it had in earlier versions
    former: tuple[str, ...]
    complaint: Complaint


_ENTRIES: dict[str, Entry] = {}


def sampler(
    name: str,
    *,
    proposes: bool = False,
    names_parents: bool = False,
    learns: bool = False,
    joint: bool = False,
    takes_constraints: bool = True,
    former: tuple[str, ...] = (),
    complaint: Complaint = _fits,
) -> Callable[[Made], Made]:
    """Register a class or function under the name that study files give it; `Entry` explains the flags."""

    def register(make: Made) -> Made:
        _ENTRIES[name] = Entry(
            name, make, proposes, names_parents, learns, joint, takes_constraints, former, complaint
        )
        return make

    return register


@cache
def _import_files() -> None:
    package = importlib.import_module("search.samplers")
    for module in pkgutil.iter_modules(package.__path__):
        if not module.ispkg:
            importlib.import_module(f"{package.__name__}.{module.name}")


def _entries() -> dict[str, Entry]:
    """Every sampler by name: those that propose genomes first, each kind in the order of the files."""
    _import_files()
    return dict(sorted(_ENTRIES.items(), key=lambda pair: (not pair[1].proposes, pair[1].make.__module__)))


def names() -> tuple[str, ...]:
    """Return the names of all samplers."""
    return tuple(_entries())


def proposing() -> tuple[str, ...]:
    """Return the names of the samplers that propose genomes."""
    return tuple(name for name, entry in _entries().items() if entry.proposes)


def entry(name: str) -> Entry:
    """Return the sampler of that name. Raises KeyError where there is none."""
    return _entries()[name]


def current(name: str) -> str:
    """Return the name of today of a sampler that had another one in earlier versions; any other word as it is."""
    return next((found.name for found in _entries().values() if name in found.former), name)


def maker(name: str) -> Callable[[Space, int, int], Proposer]:
    """Return what makes the sampler of that name, one that proposes genomes, of (space, seed, objectives)."""
    found = entry(current(name))
    if not found.proposes:
        raise ValueError(f"sampler {name} proposes no genomes; it may be {', '.join(proposing())}")
    return found.make


def proposer(name: str, space: Space, seed: int, objectives: int, experience: str | None = None) -> Proposer:
    """Make the sampler of that name, one that proposes genomes. experience: for those that learn of other studies."""
    make = maker(name)
    if experience is None or not entry(current(name)).learns:
        return make(space, seed, objectives)
    return make(space, seed, objectives, experience=experience)  # type: ignore[call-arg]


def optuna_sampler(name: str, seed: int, drawn: int = 0) -> BaseSampler:
    """Make Optuna's sampler of that name, for a study that has `drawn` trials already."""
    found = entry(name)
    if found.proposes:
        raise ValueError(f"sampler {name} is none of Optuna's")
    made: BaseSampler = found.make(seed, drawn)
    return made
