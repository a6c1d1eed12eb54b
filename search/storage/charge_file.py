"""The charge file of earlier versions: device seconds charged to a running trial, eight bytes in its folder.

This version meters running trials in the ledger (`search.storage.ledger`). A trial that a version before it left
running has the file.
"""

from __future__ import annotations

import struct
from pathlib import Path

CHARGE_FILE = "charged"
_SECONDS = struct.Struct("<d")


def read_charge(folder: Path) -> float:
    """Return the stored device seconds, 0 where none are stored."""
    try:
        stored = (folder / CHARGE_FILE).read_bytes()
    except OSError:
        return 0.0
    return float(_SECONDS.unpack(stored)[0]) if len(stored) == _SECONDS.size else 0.0


def delete_charge(folder: Path) -> None:
    """Delete the file of a trial that has ended."""
    (folder / CHARGE_FILE).unlink(missing_ok=True)
