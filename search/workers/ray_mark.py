"""The mark of a coordinator in the folder of its study, by which a node of a Ray cluster knows that it sees the folder.

Its name has the owner, so that the mark of a coordinator that was killed is told from that of one that is alive.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote
from uuid import uuid4

PREFIX = ".cluster-"


def new_mark(folder: Path, owner: str) -> Path:
    """Make a mark in the folder of a study. owner: the name of the coordinator."""
    mark = folder.absolute() / f"{PREFIX}{quote(owner, safe='')}-{uuid4().hex}"
    mark.touch()
    return mark


def marks(folder: Path) -> dict[Path, str]:
    """Return the marks in the folder of a study with their owners, empty for those of earlier versions."""
    return {
        mark: unquote(mark.name.removeprefix(PREFIX).rpartition("-")[0]) for mark in folder.glob(f"{PREFIX}*")
    }
