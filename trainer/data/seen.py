"""Seen: what a reader understood of a data set, in words, so that nothing is read wrong without a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Skipped(NamedTuple):
    """Files or arrays that were left out for one reason."""

    why: str
    files: int
    example: str


class Seen(NamedTuple):
    """What a reader understood."""

    layout: str = "named data set"
    # of train, valid and test: a folder, arrays, rows of a table, or a share that was drawn
    origins: tuple[str, ...] = ("", "", "")
    # of the pixels as they are stored, such as "8 bits" or "uint16 0..4031, of which 0..4095 becomes 0..255"
    pixels: str = "8 bits"
    skipped: tuple[Skipped, ...] = ()
    # the values, as they are stored, that are black and white
    scale: tuple[float, float] = (0.0, 255.0)
    # what is doubtful and the reader alone can know
    notes: tuple[str, ...] = ()
    # JPEG images so large that `draft` decodes them, or would decode them, at a fraction of their size
    reducible: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self._asdict(), "skipped": [one._asdict() for one in self.skipped]}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Seen:
        """Return what `to_json` gave."""
        skipped = tuple(Skipped(**one) for one in stored["skipped"])
        texts = {key: tuple(stored[key]) for key in ("origins", "notes", "scale")}
        return cls(**{**stored, **texts, "skipped": skipped})


def counted(found: Iterable[tuple[str, str]]) -> tuple[Skipped, ...]:
    """Return (why, what) pairs by reason, the most frequent first."""
    by_reason: dict[str, list[str]] = {}
    for why, what in found:
        by_reason.setdefault(why, []).append(what)
    groups = (Skipped(why, len(each), each[0]) for why, each in by_reason.items())
    return tuple(sorted(groups, key=lambda one: (-one.files, one.why)))
