"""The style sheets and scripts of the pages. All of them are read at the start; a request never opens a file."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from genome.draw import picture_words
from genome.picture.colours import style

FOLDER = Path(__file__).parents[1] / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """A style sheet or script."""

    content: bytes
    type: str  # media type
    digest: str  # of the content; part of the asset's address, so that a changed file has a new address

    @cached_property
    def packed(self) -> bytes:
        """The content, compressed by gzip. The content holds no secret, so its length reveals nothing (BREACH)."""
        return gzip.compress(self.content, 6, mtime=0)


def assets() -> Mapping[str, Asset]:
    """Return every asset by its name; the libraries of others are named `vendor/NAME`.

    `picture.css` is generated: it has the colours of the pictures of genomes.
    """
    files = [file for file in sorted(FOLDER.rglob("*")) if file.suffix in TYPES]
    made = {file.relative_to(FOLDER).as_posix(): _asset(file.read_bytes(), file.suffix) for file in files}
    return {**made, "picture.css": _asset(style(picture_words()).encode(), ".css")}


def _asset(content: bytes, suffix: str) -> Asset:
    return Asset(content, TYPES[suffix], hashlib.sha256(content).hexdigest()[:16])
