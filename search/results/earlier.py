"""An earlier export in the folder that a new one is written to: what of it is replaced, and what stays."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from search.errors import StudyError
from search.results.exported import USAGE_FILE, read_report
from search.storage.trial_files import REPORT_FILE
from trainer import files


def check_free(to: Path) -> bool:
    """Return whether something is in a folder that is to be written. Raises StudyError for what is no folder."""
    nearest = next((one for one in (to, *to.parents) if one.exists()), to)
    if nearest.exists() and not nearest.is_dir():
        raise StudyError(f"{nearest} is a file; name a folder that is new, empty or an earlier export")
    return to.is_dir() and any(to.iterdir())


def others_in(to: Path) -> list[str]:
    """Return what an earlier export holds beside its own files. Raises StudyError for what is no export of ours."""
    if not check_free(to):
        return []
    try:
        own = {*read_report(to)["files"], REPORT_FILE, USAGE_FILE}
    except StudyError:
        raise StudyError(
            f"{to} holds other things; name a folder that is new, empty or an earlier export"
        ) from None
    return sorted(one.name for one in to.iterdir() if one.name not in own)


def own_files(to: Path) -> set[str]:
    """Return the files of an earlier export that are there; none where there is no earlier one."""
    if not check_free(to):
        return set()
    return {name for name in read_report(to)["files"] if (to / name).exists()} - {USAGE_FILE}


def edited(to: Path, others: Collection[str], new: Collection[str]) -> dict[str, bytes]:
    """Return the files that a person wrote or changed and that new ones of the same name replace.

    They are by the name that they stay under, such as `README.md.before`.
    others: what the earlier export holds beside its own files.  new: the names of the new files.
    """
    if not check_free(to):
        return {}
    sums, found = read_report(to)["files"], dict[str, bytes]()
    for name in sorted({*sums, *others} & set(new)):
        path = to / name
        if path.is_file() and files.sha256(stored := path.read_bytes()) != sums.get(name):
            found[_free(to, f"{name}.before")] = stored
    return found


def _free(to: Path, name: str) -> str:
    """The name, with a number where it is taken."""
    numbered = (f"{name}{number}" for number in range(2, 10_000))
    return name if not (to / name).exists() else next(one for one in numbered if not (to / one).exists())
