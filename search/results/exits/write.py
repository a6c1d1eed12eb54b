"""Writing exits.json into an export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.errors import StudyError
from search.results.card.exits import with_exits
from search.results.exits.file import EXITS_FILE, FORMAT, PREFIX, to_bytes
from search.results.exported import CARD_FILE, read_report
from search.storage.trial_files import REPORT_FILE
from trainer import files


def write_beside(folder: Path, about: Mapping[str, Any]) -> None:
    """Write exits.json, with the sha256 of itself, beside the weights of a trial; the dashboard shows it."""
    files.write(folder / EXITS_FILE, files.sealed({"format": FORMAT, **about}))


def write_exits(folder: Path, about: Mapping[str, Any], files_beside: Mapping[str, bytes]) -> bool:
    """Write exits.json and files beside it into an export, whose report lists their sha256, and tell of it in the card.

    Those of an earlier call are replaced, all of them. A card that a person changed stays as it is; returns
    whether there is one.

    The folder is replaced as a whole, so that a crash leaves the export as it was or with all of it. Files that a
    person put there stay. Raises StudyError where the report lists a file outside it.
    """
    info = read_report(folder)
    if odd := [name for name in info["files"] if Path(name).name != name]:
        raise StudyError(
            f"{folder / REPORT_FILE} lists {odd[0]!r}, which is no file of the export; export again"
        )
    earlier = [name for name in info["files"] if name.startswith(PREFIX)]
    listed = {name: sha for name, sha in info["files"].items() if name not in earlier}
    # a file that a person changed, such as the card, stays as it is, and the report goes on telling that
    content = {name: (folder / name).read_bytes() for name in listed if (folder / name).is_file()}
    made = {EXITS_FILE: to_bytes({"format": FORMAT, **about}), **files_beside}
    card = content.get(CARD_FILE)
    is_changed = card is not None and files.sha256(card) != listed[CARD_FILE]
    if card is not None and not is_changed:
        made[CARD_FILE] = with_exits(card.decode(), about, made).encode()
    info["files"] = listed | {name: files.sha256(stored) for name, stored in made.items()}
    content |= made
    content[REPORT_FILE] = to_bytes(info)
    place = folder.resolve()  # not the link that leads there
    others = sorted(one.name for one in place.iterdir() if one.name not in (*content, *earlier))
    files.write_folder(place, content, others)
    return is_changed
