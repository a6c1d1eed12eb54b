"""Markdown: text of people inside it, and tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

ACTIVE = re.compile(r"([\\`*_{}\[\]<>|#~$&])")


def plain(text: str) -> str:
    """Return a text, such as the name of a class, so that Markdown shows it as it is, on one line."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return ACTIVE.sub(r"\\\1", " ".join(shown.split()))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table: text aligned to the left, columns of numbers to the right."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(head)
    rule = ["--:" if column and all(map(_is_number, column)) else ":--" for column in columns]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def _is_number(cell: str) -> bool:
    return not cell or cell[0] in "-0123456789"
