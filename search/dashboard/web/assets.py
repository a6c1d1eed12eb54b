"""The style sheets and the scripts, read once; an address is looked up among them."""

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
    """A file that pages need."""

    content: bytes
    type: str
    digest: str

    @cached_property
    def packed(self) -> bytes:
        """The content by gzip. It holds no secret, so that its length tells nothing (BREACH)."""
        return gzip.compress(self.content, 6, mtime=0)


def assets() -> Mapping[str, Asset]:
    """Return every asset by its name, those of others as `vendor/NAME`; `picture.css` has the colours of the pictures
    that stand in a page."""
    files = [file for file in sorted(FOLDER.rglob("*")) if file.suffix in TYPES]
    made = {file.relative_to(FOLDER).as_posix(): _asset(file.read_bytes(), file.suffix) for file in files}
    return {**made, "picture.css": _asset(style(picture_words()).encode(), ".css")}


def _asset(content: bytes, suffix: str) -> Asset:
    return Asset(content, TYPES[suffix], hashlib.sha256(content).hexdigest()[:16])
