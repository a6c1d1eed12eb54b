"""Beside: files and folders that name another part of the set that is read, and are not read with it."""

from __future__ import annotations

import re
from pathlib import Path

from trainer.data.words import split_of, split_within

COUNTED = re.compile(r".*\d+[_\-]of[_\-](\d+)", re.IGNORECASE)  # train-00000-of-00002
SHOWN = 3  # names in a sentence


def not_read(path: Path) -> str | None:
    """Return a sentence where a path is one part of a set whose other parts lie beside it; else None.

    The owner may mean this part alone, so that nothing is refused.
    """
    whole = path.absolute()
    part = _part(whole)
    counted = COUNTED.fullmatch(whole.stem)
    is_piece = counted is not None and int(counted[1]) > 1
    if part is None and not is_piece:
        return None
    try:
        entries = sorted(whole.parent.iterdir())
    except OSError:  # the folder above may be closed to this user
        return None
    others = [
        entry.name
        for entry in entries
        if entry.name != whole.name
        and (entry.is_dir(), entry.suffix.lower()) == (whole.is_dir(), whole.suffix.lower())
        and (_part(entry) not in (None, part) or (is_piece and COUNTED.fullmatch(entry.stem)))
    ]
    if not others:
        return None
    names = ", ".join(others[:SHOWN]) + (f" and {len(others) - SHOWN} more" if len(others) > SHOWN else "")
    lies = "lies beside it and is" if len(others) == 1 else "lie beside it and are"
    return f"{names} {lies} not read; give the folder {path.parent} to read them as parts of one set"


def _part(path: Path) -> str | None:
    return split_of(path.name) if path.is_dir() else split_within(path.stem)
