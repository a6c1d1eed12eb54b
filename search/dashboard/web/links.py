"""The addresses of pages. A name is quoted whole; it never becomes part of a path on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote


def study(name: str) -> str | None:
    """Return the address of a study; None for a name that no address can hold, such as `..`."""
    return None if "/" in name or name in ("", ".", "..") else f"/study/{quote(name, safe='')}"


def trial(name: str, number: int) -> str | None:
    """Return the address of a trial, None where its study has none."""
    above = study(name)
    return f"{above}/trial/{number}" if above else None


def compare(name: str, numbers: Sequence[int]) -> str | None:
    """Return the address that holds trials against each other, None where their study has none."""
    above = study(name)
    asked = "&".join(f"trial={number}" for number in numbers)
    return f"{above}/compare{'?' if asked else ''}{asked}" if above else None
