"""Encoded: an image file that lies inside another file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, NamedTuple


class Encoded(NamedTuple):
    """The bytes of an image file, with what a message calls it."""

    name: str
    content: bytes

    def open(self, mode: str = "rb") -> IO[bytes]:
        """Open it as a file."""
        return io.BytesIO(self.content)

    def __str__(self) -> str:
        return self.name


File = Path | Encoded
