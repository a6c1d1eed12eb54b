"""The motifs of a genome that a page shows unfolded, its zoom and details: `open=s1,s1.1&zoom=1.5&show=defaults`."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import genome
from genome.expand import Unfolded, unfold
from genome.graph import check_name
from genome.picture.figure import DETAILS
from search.dashboard.studies.trial_query import LONGEST, QueryError

OPEN, ZOOM, SHOW = "open", "zoom", "show"  # parameters of the address; the last once for each detail
LEAST_ZOOM, MOST_ZOOM = 0.1, 6.0
MOST_OPEN = 64  # motifs unfolded at once
KEPT = 64  # cached genomes


class View(NamedTuple):
    """How a page shows a genome."""

    motifs: frozenset[str] = frozenset()  # unfolded
    zoom: float = 1.0
    show: frozenset[str] = frozenset()  # of `DETAILS`


def parse_view(given: Iterable[tuple[str, str]]) -> View:
    """Read the parameters of the address of a page that shows a genome. Raises QueryError."""
    pairs = list(given)
    zooms = [text for name, text in pairs if name == ZOOM]
    if len(zooms) > 1:
        raise QueryError(f"{ZOOM} is given twice; give it once")
    motifs = parse_open([pair for pair in pairs if pair[0] not in (ZOOM, SHOW)], (OPEN, ZOOM, SHOW))
    return View(motifs, _zoom(zooms[0]) if zooms else 1.0, parse_show(pairs))


def parse_show(given: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return the details that an address asks for. Raises QueryError."""
    show = frozenset(text for name, text in given if name == SHOW)
    if wrong := sorted(show - set(DETAILS)):
        raise QueryError(f"{SHOW} is {wrong[0][:LONGEST]!r}; it may be {', '.join(DETAILS)}")
    return show


def _zoom(text: str) -> float:
    try:
        zoom = float(text)
    except ValueError:
        zoom = math.nan
    if not LEAST_ZOOM <= zoom <= MOST_ZOOM:
        raise QueryError(f"{ZOOM} is {text[:LONGEST]!r}; it may be {LEAST_ZOOM} to {MOST_ZOOM:.0f}")
    return zoom


def parse_open(given: Iterable[tuple[str, str]], known: Sequence[str] = (OPEN,)) -> frozenset[str]:
    """Read the parameter `open`, where no other is left. known: parameters that a message names. Raises QueryError."""
    asked: str | None = None
    for name, text in given:
        if name != OPEN:
            words = f"parameter is {OPEN}" if len(known) == 1 else f"parameters are {', '.join(known)}"
            raise QueryError(f"{name[:LONGEST]!r} is no parameter of this page; the {words}")
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
