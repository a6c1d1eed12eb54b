"""The picture of a trial's genome, drawn once: Graphviz takes a moment, and one at a time is enough."""

from __future__ import annotations

import html
from collections.abc import Collection
from functools import lru_cache
from threading import Lock

import genome
from genome.draw import draw_unfolded
from genome.source import SourceError
from search.dashboard.genomes.unfolding import query_of, unfolded

KEPT = 256  # pictures
MOST_NODES = 300  # boxes that a person finds a way through, and that Graphviz places in seconds
one_at_a_time = Lock()

EMPTY = (
    '<svg xmlns="http://www.w3.org/2000/svg" role="img" width="640" height="40" viewBox="0 0 640 40">'
    '<text x="8" y="25" font-family="sans-serif" font-size="14" fill="#888888">{}</text></svg>\n'
)


@lru_cache(maxsize=KEPT)
def drawing(text: str, names: frozenset[str] = frozenset()) -> str:
    """Return the picture of a genome with the motifs of these names unfolded, as an SVG document; where it cannot be
    drawn, one that says why. Raises QueryError for a name that is no motif of it."""
    try:
        nodes = len(unfolded(text, names).genome.nodes)
        if names and nodes > MOST_NODES:
            return _said(
                f"{nodes} nodes are too many for one picture, which has at most {MOST_NODES}; fold some"
            )
        with one_at_a_time:
            return draw_unfolded(genome.loads(text), names, _address)
    except (genome.GenomeError, SourceError) as error:
        return _said(str(error))


def _address(names: Collection[str]) -> str:
    """From one picture to another; an address without a query would be the page that a picture stands in."""
    return query_of(names) or "?open="


def _said(text: str) -> str:
    return EMPTY.format(html.escape("".join(c if c.isprintable() else " " for c in text)))
