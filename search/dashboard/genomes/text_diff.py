"""The difference of two texts: line by line, and word by word within a changed line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

AROUND = 3  # equal lines shown before and after a change
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_KEY = re.compile(r"\s*([\w./]+):")


class TextPiece(NamedTuple):
    """A part of a line."""

    text: str
    differs: bool  # whether the other line lacks this part


class DiffLine(NamedTuple):
    """A line of the difference."""

    kind: str  # same, added, dropped, or skipped, which stands for several equal lines
    pieces: tuple[TextPiece, ...]


def text_diff(before: str, after: str) -> list[DiffLine]:
    """Return the lines of the difference, with only the ends of long equal runs; empty for equal texts."""
    old, new = before.splitlines(), after.splitlines()
    if old == new:
        return []
    made: list[DiffLine] = []
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for place, (tag, a, b, c, d) in enumerate(codes):
        if tag == "equal":
            made += _equal(old[a:b], place == 0, place == len(codes) - 1)
        else:
            made += _changed(old[a:b], new[c:d])
    return made


def _equal(lines: Sequence[str], is_first: bool, is_last: bool) -> list[DiffLine]:
    head, tail = 0 if is_first else AROUND, 0 if is_last else AROUND
    skipped = len(lines) - head - tail
    if skipped < 2:
        return [_whole("same", line) for line in lines]
    gap = DiffLine("skipped", (TextPiece(f"{skipped} equal lines", False),))
    shown = [_whole("same", line) for line in lines]
    return [*shown[:head], gap, *shown[len(lines) - tail :]]


def _changed(old: Sequence[str], new: Sequence[str]) -> Iterator[DiffLine]:
    """The lines of one change; two lines that begin with the same name, such as a node's, are compared by words."""
    names = {name: line for line in new if (name := _name(line))}
    paired = {name: line for line in old if (name := _name(line)) in names}
    for line in old:
        if (name := _name(line)) in paired:
            dropped, added = _words(line, names[name])
            yield DiffLine("dropped", dropped)
            yield DiffLine("added", added)
        else:
            yield _whole("dropped", line)
    for line in new:
        if _name(line) not in paired:
            yield _whole("added", line)


def _name(line: str) -> str:
    match = _KEY.match(line)
    return match[1] if match else ""


def _words(old: str, new: str) -> tuple[tuple[TextPiece, ...], tuple[TextPiece, ...]]:
    ours, theirs = _WORD.findall(old), _WORD.findall(new)
    dropped, added = list[TextPiece](), list[TextPiece]()
    for tag, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        differs = tag != "equal"
        dropped += [TextPiece("".join(ours[a:b]), differs)] if a < b else []
        added += [TextPiece("".join(theirs[c:d]), differs)] if c < d else []
    return tuple(dropped), tuple(added)


def _whole(kind: str, line: str) -> DiffLine:
    return DiffLine(kind, (TextPiece(line, False),))
