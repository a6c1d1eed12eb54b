"""The style sheets and the scripts, read once; an address is looked up among them."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FOLDER = Path(__file__).with_name("static")
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
    """Return every asset by its name, those of others as `vendor/NAME`."""
    files = [file for file in sorted(FOLDER.rglob("*")) if file.suffix in TYPES]
    return {file.relative_to(FOLDER).as_posix(): _asset(file) for file in files}


def _asset(file: Path) -> Asset:
    content = file.read_bytes()
    return Asset(content, TYPES[file.suffix], hashlib.sha256(content).hexdigest()[:16])
