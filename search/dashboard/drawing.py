"""The picture of a trial's genome, drawn once: Graphviz takes a moment, and one at a time is enough."""

from __future__ import annotations

import html
from functools import lru_cache
from threading import Lock

import genome
from genome.source import SourceError

KEPT = 256  # pictures
one_at_a_time = Lock()

EMPTY = (
    '<svg xmlns="http://www.w3.org/2000/svg" role="img" width="640" height="40" viewBox="0 0 640 40">'
    '<text x="8" y="25" font-family="sans-serif" font-size="14" fill="#888888">{}</text></svg>\n'
)


@lru_cache(maxsize=KEPT)
def drawing(text: str) -> str:
    """Return the picture of a genome as an SVG document; where it cannot be drawn, one that says why."""
    try:
        with one_at_a_time:
            return genome.draw(genome.loads(text))
    except (genome.GenomeError, SourceError) as error:
        said = "".join(c if c.isprintable() else " " for c in str(error))
        return EMPTY.format(html.escape(said))
