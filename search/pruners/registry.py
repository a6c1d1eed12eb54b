"""The register of pruners: every name that `pruner:` of a study file may be, and how each of them works.

A pruner is one function under `@pruner` in any file of `search/pruners/`; all of these are imported to list the names.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

# whether the trial stops: of its score at a rung and those of its peers there, higher is better; a pruner that reads
# climbs is given the rung, the epochs of a training, the climb of the trial, those of its peers, and the perfect score
Rule: TypeAlias = Callable[..., bool]


@dataclass(frozen=True)
class Entry:
    """A pruner that a study may name."""

    name: str
    stops: Rule
    # a trial waits at a rung with its checkpoint until it is promoted (`search.pruners.promotion`)
    pauses: bool
    # of pausing ones: trials enter at later rungs, too (`search.pruners.brackets`), where the budget pays for them
    has_brackets: bool
    # it is given whole climbs (`search.pruners.rules.Climb`), not scores at the rung
    reads_climbs: bool


_ENTRIES: dict[str, Entry] = {}


def pruner(
    name: str, *, pauses: bool = False, has_brackets: bool = False, reads_climbs: bool = False
) -> Callable[[Rule], Rule]:
    """Register a rule under the name that study files give it; `Entry` explains the flags."""

    def register(rule: Rule) -> Rule:
        _ENTRIES[name] = Entry(name, rule, pauses, has_brackets, reads_climbs)
        return rule

    return register


@cache
def _import_files() -> None:
    package = importlib.import_module("search.pruners")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def names() -> tuple[str, ...]:
    """Return the names of all pruners."""
    _import_files()
    return tuple(_ENTRIES)


def entry(name: str) -> Entry:
    """Return the pruner of that name. Raises KeyError where there is none."""
    _import_files()
    return _ENTRIES[name]


def default(has_rungs: bool) -> str:
    """Return the name of the pruner of a study that names none."""
    return "median" if has_rungs else "none"
