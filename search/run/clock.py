"""Clock: what a trial was charged so far, in eight bytes of its folder, so that a kill costs a moment of the budget.

A row of the storage costs some milliseconds and is written once a second; this takes some microseconds each time.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

CLOCK_FILE = "charged"
_SECONDS = struct.Struct("<d")


def note(folder: Path, seconds: float) -> None:
    """Keep the device seconds of the trial of this folder. A single write of eight bytes is whole or is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / CLOCK_FILE, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(file, _SECONDS.pack(seconds), 0)
    finally:
        os.close(file)


def noted(folder: Path) -> float:
    """Return what was kept last, 0 where nothing was."""
    try:
        kept = (folder / CLOCK_FILE).read_bytes()
    except OSError:
        return 0.0
    return float(_SECONDS.unpack(kept)[0]) if len(kept) == _SECONDS.size else 0.0


def stop(folder: Path) -> None:
    """Forget it: the trial has ended and was charged."""
    (folder / CLOCK_FILE).unlink(missing_ok=True)
