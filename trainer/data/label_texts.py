"""Label texts: the label of each image as a person or a program wrote it, and texts that are no one class."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

import numpy as np

from trainer.data.raw import Array
from trainer.errors import DataError

# What programs write for a value that is missing.
MISSING = frozenset({"nan", "<na>", "n/a", "#n/a", "null", "nat"})
# These may also be classes (Namibia, no tumour): they are missing where every other label is a number.
MAYBE_MISSING = frozenset({"na", "none"})
SEPARATORS = "|;,"
LIST = re.compile(r"\[.*\]|\{.*\}", re.DOTALL)
WHOLE = re.compile(r"([+-]?\d+)(\.0*)?")
CANONICAL = re.compile(r"-?[1-9]\d*|0")
HIGHEST = 2**53


def check_texts(
    texts: Sequence[str], name: str, at: Callable[[int], str], classes: Collection[str] | None = None
) -> None:
    """Raise DataError for texts that stand for no label or for several, with the first row.

    name: of the column.  at: the place of a row.  classes: texts that the user says are classes.
    """
    said, different = set(classes or ()), set(texts)
    missing = {text for text in different - said if _is_missing(text, different)}
    if missing:
        _refuse(texts, missing, at, f"has no {name}", "label or remove these rows")
    several = {text for text in different - said if _is_several(text, different)}
    if several:
        mend = "say multilabel: true, or give one class for each (or all by classes: [..] if these are names)"
        _refuse(texts, several, at, "has several labels", mend, name)


def _refuse(
    texts: Sequence[str], wrong: set[str], at: Callable[[int], str], what: str, mend: str, name: str = ""
) -> None:
    rows = [row for row, text in enumerate(texts) if text in wrong]
    written = f" in {name}" if name else ""
    shown = f" ({texts[rows[0]]})" if texts[rows[0]].strip() else ""
    joint = "," if name else ";"
    raise DataError(f"{at(rows[0])} {what}{written}{shown}, {len(rows)} rows in all{joint} {mend}")


def _is_missing(text: str, different: set[str]) -> bool:
    plain = text.strip().lower()
    if plain in MAYBE_MISSING:
        return all(WHOLE.fullmatch(other) for other in different - {text})
    return not plain or plain in MISSING


def _is_several(text: str, different: set[str]) -> bool:
    """Whether a text is a list, or has parts: between bars, or each of which is a label of other images."""
    if LIST.fullmatch(text) or ("|" in text and sum("|" in other for other in different) > 1):
        return True
    return any(
        separator in text and all(part.strip() in different for part in text.split(separator))
        for separator in SEPARATORS
    )


def whole_numbers(texts: Sequence[str], name: str, at: Callable[[int], str]) -> Array | None:
    """Return texts as whole numbers (N,), None where they are none or are written as names, such as 007.

    Raises DataError where two texts that differ would be one number.
    """
    first: dict[int, str] = {}
    for row, text in enumerate(texts):
        match = WHOLE.fullmatch(text)
        if match is None:
            return None
        if (before := first.setdefault(int(match[1]), match[1])) != match[1]:
            raise DataError(
                f"{at(row)} has {text} in {name}, and other rows {before}; write one class in one way, or classes "
                "that differ as names that are no numbers"
            )
    if not all(CANONICAL.fullmatch(text) and abs(number) <= HIGHEST for number, text in first.items()):
        return None
    return np.asarray([int(text.split(".")[0]) for text in texts], dtype=np.int64)
