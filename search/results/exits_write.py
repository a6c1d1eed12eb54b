"""Writing exits.json into an export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.results.exits_file import CURVE_FILE, EXITS_FILE, FORMAT, to_bytes
from search.results.exported import checked_bytes, read_report
from search.storage.trial_files import REPORT_FILE
from trainer import files


def write_exits(folder: Path, about: Mapping[str, Any], svg: str) -> None:
    """Write exits.json and the picture of its curve into an export, whose report lists their sha256.

    The folder is replaced as a whole, so that a crash leaves the export as it was or with all of it. Files that a
    person put there stay. Raises StudyError where a file of the export was changed.
    """
    info = read_report(folder)
    own = [name for name in info["files"] if name not in (EXITS_FILE, CURVE_FILE)]
    content = {name: checked_bytes(folder, name, info) for name in own}
    content |= {EXITS_FILE: to_bytes({"format": FORMAT, **about}), CURVE_FILE: svg.encode()}
    info["files"] = {name: files.sha256(stored) for name, stored in content.items()}
    content[REPORT_FILE] = to_bytes(info)
    place = folder.resolve()  # not the link that leads there
    others = sorted(one.name for one in place.iterdir() if one.name not in content)
    files.write_folder(place, content, others)
