"""What people did to a study by hand: trials that they starred or wrote a note to, and a stop that they asked for.

Optuna lets nobody write to a finished trial, so each star and each note is one attribute of the study, under the number
of its trial, written as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from search.run.launch import Begun
from search.run.stop import STOP

if TYPE_CHECKING:
    from search.storage.store import Store

KEY = re.compile(r"(star|note):(\d{1,9})", re.ASCII)
LONGEST_NOTE = 2000  # characters


@dataclass(frozen=True)
class StudyAttrs:
    """By number of the trial. `stop_at`: unix seconds of the last stop that was asked for.  begun: its last run."""

    stars: frozenset[int] = frozenset()
    notes: Mapping[int, str] = field(default_factory=dict)
    stop_at: float | None = None
    begun: Begun | None = None

    @staticmethod
    def of_attrs(attrs: Mapping[str, Any]) -> StudyAttrs:
        """Read a study's attributes; what has not the form that is written here is left out."""
        stars, notes = set[int](), dict[int, str]()
        for name, kept in attrs.items():
            match = KEY.fullmatch(name)
            if match and match[1] == "star" and kept is True:
                stars.add(int(match[2]))
            if match and match[1] == "note" and isinstance(kept, str) and kept:
                notes[int(match[2])] = kept[:LONGEST_NOTE]
        at = attrs.get(STOP)
        stop_at = float(at) if isinstance(at, int | float) else None
        return StudyAttrs(frozenset(stars), notes, stop_at, Begun.of_attrs(attrs))


def set_star(store: Store, number: int, is_starred: bool) -> None:
    """Star a trial, or take its star away."""
    store.study.set_user_attr(f"star:{number}", is_starred)


def set_note(store: Store, number: int, text: str) -> None:
    """Keep a note to a trial in place of what was there; an empty one is none."""
    store.study.set_user_attr(f"note:{number}", text)
