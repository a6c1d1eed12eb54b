"""Which genome is next, and how a person sees it: studies, spaces, samplers, storage, export and the command.

Importing this package is cheap; torch and Optuna are loaded by the first name that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.config.read import load_space, read_study
    from search.config.study import StudyConfig
    from search.errors import StudyError
    from search.objective import Objective
    from search.proposals.optuna_sampler import GenomeSampler
    from search.results.exported import load_export
    from search.samplers.base import Individual, Origin, Proposal, Proposer
    from search.space.distributions import asker
    from search.space.point import Point
    from search.space.space import Space
    from search.storage.record import Record
    from search.study import Result, Study

# The module that holds each public name, below `search`.
_HOME = {
    "GenomeSampler": "proposals.optuna_sampler",
    "Individual": "samplers.base",
    "Objective": "objective",
    "Origin": "samplers.base",
    "Point": "space.point",
    "Proposal": "samplers.base",
    "Proposer": "samplers.base",
    "Record": "storage.record",
    "Result": "study",
    "Space": "space.space",
    "Study": "study",
    "StudyConfig": "config.study",
    "StudyError": "errors",
    "asker": "space.distributions",
    "load_export": "results.exported",
    "load_space": "config.read",
    "read_study": "config.read",
}

__all__ = [
    "GenomeSampler",
    "Individual",
    "Objective",
    "Origin",
    "Point",
    "Proposal",
    "Proposer",
    "Record",
    "Result",
    "Space",
    "Study",
    "StudyConfig",
    "StudyError",
    "asker",
    "load_export",
    "load_space",
    "read_study",
]


def __getattr__(name: str) -> Any:
    """Import the file that holds a public name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'search' has no attribute {name!r}")
    value = getattr(import_module(f"search.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
