"""The charge file: device seconds charged to a running trial so far, eight bytes in the folder of the trial.

A row of the database takes some milliseconds to write and is written once a second. This file takes some microseconds
and is written at every turn of the loop, so that a kill loses 0.2 s of the charge and not a second.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

CHARGE_FILE = "charged"
_SECONDS = struct.Struct("<d")


def write_charge(folder: Path, seconds: float) -> None:
    """Store the device seconds of the trial of this folder, by one write of eight bytes, which is never partial."""
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / CHARGE_FILE, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    try:
        os.write(file, _SECONDS.pack(seconds))
    finally:
        os.close(file)


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
