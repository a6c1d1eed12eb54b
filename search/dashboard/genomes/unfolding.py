"""The motifs of a genome that a page shows unfolded, given in its address as `open=s1,s1.1`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

import genome
from genome.expand import Unfolded, unfold
from genome.graph import check_name
from search.dashboard.studies.trial_query import LONGEST, QueryError

OPEN = "open"  # parameter of the address
MOST_OPEN = 64  # motifs unfolded at once
KEPT = 64  # cached genomes


def parse_open(given: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Read the parameters of an address whose only parameter is `open`. Raises QueryError."""
    asked: str | None = None
    for name, text in given:
        if name != OPEN:
            raise QueryError(f"{name[:LONGEST]!r} is no parameter of this page; the parameter is {OPEN}")
        if asked is not None:
            raise QueryError(f"{OPEN} is given twice; give it once")
        asked = text
    return _names(asked) if asked else frozenset()


def _names(text: str) -> frozenset[str]:
    names = frozenset(text.split(","))
    if len(names) > MOST_OPEN:
        raise QueryError(f"{OPEN} has {len(names)} names; at most {MOST_OPEN} motifs can be unfolded at once")
    if wrong := next((name for name in sorted(names) if check_name(name)), None):
        raise QueryError(f"{OPEN} has {wrong[:LONGEST]!r}; it may be names of motifs, such as s1,s1.1")
    return names


def query_of(names: Collection[str]) -> str:
    """Return the query of an address that shows these motifs unfolded; the names of motifs need no quoting."""
    return f"?{OPEN}={','.join(sorted(names))}" if names else ""


@lru_cache(maxsize=KEPT)
def unfolded(text: str, names: frozenset[str]) -> Unfolded:
    """Return a genome with these motifs unfolded.

    Raises GenomeError or SourceError for a text that is no genome, QueryError for a name that is no motif.
    """
    shown = unfold(genome.loads(text), names)
    if missing := names.difference(shown.motifs):
        raise QueryError(f"{OPEN} has {min(missing)[:LONGEST]!r}, which is no motif of the genome as shown")
    return shown
