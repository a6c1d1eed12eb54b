"""Writing exits.json into an export, or beside the weights of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.results.additions import add_to_export
from search.results.card.exits import with_exits
from search.results.exits.file import EXITS_FILE, FORMAT, PREFIX, to_bytes
from trainer import files


def write_beside(folder: Path, about: Mapping[str, Any]) -> None:
    """Write exits.json, with the sha256 of itself, beside the weights of a trial; the dashboard shows it."""
    files.write(folder / EXITS_FILE, files.sealed({"format": FORMAT, **about}))


def write_exits(folder: Path, about: Mapping[str, Any], files_beside: Mapping[str, bytes]) -> bool:
    """Write exits.json and files beside it into an export, and tell of it in the card, as `add_to_export` does."""
    made = {EXITS_FILE: to_bytes({"format": FORMAT, **about}), **files_beside}
    return add_to_export(folder, made, PREFIX, lambda card: with_exits(card, about, made))
