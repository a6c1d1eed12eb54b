"""Which genome next, and how a person sees it: studies, their storage, pruning, export and the command.

Importing this package is cheap; torch and Optuna are loaded by the first name that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.errors import StudyError
    from search.results.export import load_export
    from search.samplers.optuna_sampler import GenomeSampler
    from search.space.space import Space
    from search.storage.record import Record
    from search.study import Result, Study

_HOME = {
    "GenomeSampler": "samplers.optuna_sampler",
    "Record": "storage.record",
    "Result": "study",
    "Space": "space.space",
    "Study": "study",
    "StudyError": "errors",
    "load_export": "results.export",
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
