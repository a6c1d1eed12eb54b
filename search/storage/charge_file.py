"""The charge file: device seconds charged to a running trial so far, eight bytes in the folder of the trial.

Writing a row of the database takes some milliseconds and is done once a second; writing this file takes some
microseconds and is done at every turn, so that a kill loses a moment of the budget and not a second.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

CHARGE_FILE = "charged"
_SECONDS = struct.Struct("<d")


def write_charge(folder: Path, seconds: float) -> None:
    """Store the device seconds of the trial of this folder. A single write of eight bytes is never half done."""
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / CHARGE_FILE, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(file, _SECONDS.pack(seconds), 0)
    finally:
        os.close(file)


def read_charge(folder: Path) -> float:
    """Return the device seconds that were stored last, 0 where there are none."""
    try:
        kept = (folder / CHARGE_FILE).read_bytes()
    except OSError:
        return 0.0
    return float(_SECONDS.unpack(kept)[0]) if len(kept) == _SECONDS.size else 0.0


def delete_charge(folder: Path) -> None:
    """Delete the file of a trial that has ended."""
    (folder / CHARGE_FILE).unlink(missing_ok=True)
