"""The addresses of pages. The name of a study is quoted whole; it is never used as a path on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote


def study(name: str) -> str | None:
    """Return the address of a study; None for a name that no address can hold, such as `..`."""
    return None if "/" in name or name in ("", ".", "..") else f"/study/{quote(name, safe='')}"


def trial(name: str, number: int) -> str | None:
    """Return the address of a trial, None where the study has no address."""
    base = study(name)
    return f"{base}/trial/{number}" if base else None


def compare(name: str, numbers: Sequence[int]) -> str | None:
    """Return the address of the comparison of trials, None where the study has no address."""
    base = study(name)
    query = "&".join(f"trial={number}" for number in numbers)
    return f"{base}/compare{'?' if query else ''}{query}" if base else None
