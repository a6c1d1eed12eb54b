"""Which genome next, and how a person sees it: studies, their storage, pruning, export and the command.

Importing this package is cheap; torch and Optuna are loaded by the first name that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.errors import StudyError
    from search.study import Result, Study

    from .results.export import load_export
    from .samplers.optuna_sampler import GenomeSampler
    from .space.space import Space
    from .storage.record import Record

_HOME = {
    "GenomeSampler": "samplers.genome_sampler",
    "Record": "record",
    "Result": "study",
    "Space": "space",
    "Study": "study",
    "StudyError": "errors",
    "load_export": "export",
}

__all__ = ["GenomeSampler", "Record", "Result", "Space", "Study", "StudyError", "load_export"]


def __getattr__(name: str) -> Any:
    """Import the file that holds a public name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'search' has no attribute {name!r}")
    value = getattr(import_module(f"search.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
