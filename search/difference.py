"""A study file that changed under its study: what may grow, and what would make it another study."""

from __future__ import annotations

import difflib
from typing import Any

from .dataset import SHAPES
from .errors import StudyError
from .study_file import StudyFile

FREE = ("workers", "device")  # how, not what
# may grow, and be lifted altogether by leaving them out
GROWING = (
    ("budget", "device_time"),
    ("budget", "per_trial"),
    ("budget", "memory"),
    ("trials",),
    ("train", "epochs"),
)
LONGEST = 12  # lines of the difference that are shown


def check_same(stored: StudyFile, now: StudyFile) -> None:
    """Raise StudyError, with the difference, unless `now` is `stored` with more budget or other workers."""
    before, after = stored.plain(), now.plain()
    if stored.data.name not in SHAPES and now.data.name not in SHAPES:
        del before["data"], after["data"]  # images of one's own may move: their digest tells them apart
    for key in FREE:
        before.pop(key, None), after.pop(key, None)
    for address in GROWING:
        old, new = _taken(before, address), _taken(after, address)
        if new is not None and (old is None or new < old):
            name = ".".join(address)
            raise StudyError(
                f"{name} of study {now.name} was {_said(old)} and is {new} now; it may only grow. "
                "Put it back, or give the study another name"
            )
    if before != after:
        raise StudyError(
            f"{now.source.path} is no longer the study {now.name} that was begun; put it back, or give it another "
            f"name (only budget, trials, epochs, workers and device may change):\n{_shown(stored, now)}"
        )


def _taken(plain: dict[str, Any], address: tuple[str, ...]) -> Any:
    """Take a value out of nested mappings; None where it is not there."""
    for key in address[:-1]:
        plain = plain.get(key, {})
    return plain.pop(address[-1], None)


def _said(value: Any) -> str:
    return "without limit" if value is None else str(value)


def _shown(stored: StudyFile, now: StudyFile) -> str:
    lines = difflib.unified_diff(
        stored.text().splitlines(), now.text().splitlines(), "begun", "now", n=0, lineterm=""
    )
    changed = [line for line in lines if not line.startswith("@@")]
    more = [f"... {len(changed) - LONGEST} more lines"] if len(changed) > LONGEST else []
    return "\n".join(changed[:LONGEST] + more)
