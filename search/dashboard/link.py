"""The addresses of pages. A name is quoted whole; it never becomes part of a path on the disk."""

from __future__ import annotations

from urllib.parse import quote


def study(name: str) -> str | None:
    """Return the address of a study; None for a name that no address can hold, such as `..`."""
    return None if "/" in name or name in ("", ".", "..") else f"/study/{quote(name, safe='')}"


def trial(name: str, number: int) -> str | None:
    """Return the address of a trial, None where its study has none."""
    above = study(name)
    return f"{above}/trial/{number}" if above else None
