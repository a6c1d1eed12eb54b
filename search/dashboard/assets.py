"""The style sheet and the script, read once; an address is looked up among them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).with_name("static")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Asset(NamedTuple):
    """A file that pages need."""

    content: bytes
    type: str
    digest: str


def assets() -> Mapping[str, Asset]:
    """Return every asset by its name."""
    return {file.name: _asset(file) for file in sorted(FOLDER.iterdir()) if file.suffix in TYPES}


def _asset(file: Path) -> Asset:
    content = file.read_bytes()
    return Asset(content, TYPES[file.suffix], hashlib.sha256(content).hexdigest()[:16])
