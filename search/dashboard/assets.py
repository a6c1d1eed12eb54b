"""The style sheet and the script, read once; an address is looked up among them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from genome.draw import picture_words
from genome.picture.colours import style

FOLDER = Path(__file__).with_name("static")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Asset(NamedTuple):
    """A file that pages need."""

    content: bytes
    type: str
    digest: str


def assets() -> Mapping[str, Asset]:
    """Return every asset by its name; `picture.css` has the colours of the pictures that stand in a page."""
    files = sorted(file for file in FOLDER.iterdir() if file.suffix in TYPES)
    colours = _asset(style(picture_words()).encode(), ".css")
    return {**{file.name: _asset(file.read_bytes(), file.suffix) for file in files}, "picture.css": colours}


def _asset(content: bytes, suffix: str) -> Asset:
    return Asset(content, TYPES[suffix], hashlib.sha256(content).hexdigest()[:16])
