"""Which motifs of a genome a page shows unfolded, as its address says: `open=s1,s1.1`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

import genome
from genome.expand import Unfolded, unfold
from genome.graph import check_name
from search.dashboard.studies.trial_query import LONGEST, QueryError

OPEN = "open"
MOST_OPEN = 64  # motifs
KEPT = 64  # genomes that were read


def parse_open(given: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Read the parameters of an address that takes `open` alone. Raises QueryError."""
    asked: str | None = None
    for name, text in given:
        if name != OPEN:
            raise QueryError(f"{name[:LONGEST]!r} is nothing that this page knows; it knows {OPEN}")
        if asked is not None:
            raise QueryError(f"{OPEN} is given twice; give it once")
        asked = text
    return _names(asked) if asked else frozenset()


def _names(text: str) -> frozenset[str]:
    names = frozenset(text.split(","))
    if len(names) > MOST_OPEN:
        raise QueryError(f"{OPEN} has {len(names)} names; at most {MOST_OPEN} motifs are unfolded at once")
    if wrong := next((name for name in sorted(names) if check_name(name)), None):
        raise QueryError(f"{OPEN} has {wrong[:LONGEST]!r}; it may be names of motifs, such as s1,s1.1")
    return names


def query_of(names: Collection[str]) -> str:
    """Return what stands behind the path of a page that shows these motifs unfolded; names need no quoting."""
    return f"?{OPEN}={','.join(sorted(names))}" if names else ""


@lru_cache(maxsize=KEPT)
def unfolded(text: str, names: frozenset[str]) -> Unfolded:
    """Return a genome with these motifs unfolded.

    Raises GenomeError or SourceError for a text that is no genome, QueryError for a name that is no motif of it.
    """
    shown = unfold(genome.loads(text), names)
    if missing := names.difference(shown.motifs):
        raise QueryError(f"{OPEN} has {min(missing)[:LONGEST]!r}, which is no motif that is shown there")
    return shown
