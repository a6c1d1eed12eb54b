"""The picture of a genome. Drawing takes a moment, so pictures are cached and drawn one at a time."""

from __future__ import annotations

import html
from collections.abc import Collection
from functools import lru_cache
from threading import Lock

import genome
from genome.draw import draw_unfolded
from genome.yaml.source import SourceError
from search.dashboard.genomes.unfolding import query_of, unfolded

TALLEST = 900.0  # pixels of a picture in one column on a wide page
NARROW = 1e6  # pixels: a narrow page has one column
KEPT = 256  # cached pictures
MOST_NODES = 300  # more boxes are hard to read, and take Graphviz many seconds to place
one_at_a_time = Lock()

EMPTY = (
    '<svg xmlns="http://www.w3.org/2000/svg" role="img" width="640" height="40" viewBox="0 0 640 40">'
    '<text x="8" y="25" font-family="sans-serif" font-size="14" fill="#888888">{}</text></svg>\n'
)


@lru_cache(maxsize=KEPT)
def genome_picture(
    text: str,
    names: frozenset[str] = frozenset(),
    is_narrow: bool = False,
    show: frozenset[str] = frozenset(),
) -> str:
    """Return the picture of a genome with the motifs of these names unfolded, as an SVG document.

    A tall picture is set in columns, unless the page is narrow. show: of `DETAILS`, what it tells beside the usual.

    A genome that cannot be drawn yields a picture of the reason. Raises QueryError for a name that is no motif.
    """
    try:
        nodes = len(unfolded(text, names).genome.nodes)
        if names and nodes > MOST_NODES:
            return _message(
                f"{nodes} nodes are too many for one picture (at most {MOST_NODES}); fold some motifs"
            )
        with one_at_a_time:
            tallest = NARROW if is_narrow else TALLEST
            return draw_unfolded(genome.loads(text), names, _address, tallest, show)
    except (genome.GenomeError, SourceError) as error:
        return _message(str(error))


def _address(names: Collection[str]) -> str:
    """The address of another picture, relative to this one; an empty address would lead to the page around it."""
    return query_of(names) or "?open="


def _message(text: str) -> str:
    return EMPTY.format(html.escape("".join(c if c.isprintable() else " " for c in text)))
