"""Files that are added to an export after it was written, whose report then lists their sha256."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from search.errors import StudyError
from search.results.exported import CARD_FILE, read_report
from search.results.packing import written_json
from search.storage.trial_files import REPORT_FILE
from trainer import files


def add_to_export(
    folder: Path, made: Mapping[str, bytes], prefix: str, card_of: Callable[[str], str] | None = None
) -> bool:
    """Write files into an export, whose report lists their sha256. Return whether a person changed the card.

    prefix: of the names of all files of this kind; those of an earlier call are replaced, all of them.
    card_of: the new text of the card from its text; a card that a person changed stays as it is.

    The folder is replaced as a whole, so that a crash leaves the export as it was or with all of it. Files that a
    person put there stay. Raises StudyError where the report lists a file outside it.
    """
    info = read_report(folder)
    if odd := [name for name in info["files"] if Path(name).name != name]:
        raise StudyError(
            f"{folder / REPORT_FILE} lists {odd[0]!r}, which is no file of the export; export again"
        )
    earlier = [name for name in info["files"] if name.startswith(prefix)]
    listed = {name: sha for name, sha in info["files"].items() if name not in earlier}
    # a file that a person changed, such as the card, stays as it is, and the report goes on telling that
    content = {name: (folder / name).read_bytes() for name in listed if (folder / name).is_file()}
    added, card = dict(made), content.get(CARD_FILE)
    is_changed = card is not None and files.sha256(card) != listed[CARD_FILE]
    if card is not None and card_of is not None and not is_changed:
        added[CARD_FILE] = card_of(card.decode()).encode()
    info["files"] = listed | {name: files.sha256(stored) for name, stored in added.items()}
    content |= added
    content[REPORT_FILE] = written_json(info)
    place = folder.resolve()  # not the link that leads there
    others = sorted(one.name for one in place.iterdir() if one.name not in (*content, *earlier))
    files.write_folder(place, content, others)
    return is_changed
