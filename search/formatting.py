"""Numbers and text tables in the form that people read."""

from __future__ import annotations

from collections.abc import Sequence

from genome.picture.figure import short

__all__ = ["duplicates", "milliseconds", "seconds", "seconds_in_ms", "short", "size", "some", "table"]


def seconds(value: float) -> str:
    """Return a time as 8.1 s, 3m 20s or 1h 05m."""
    if value < 100:
        return f"{round(value, 1) + 0.0:.1f} s"  # plus nothing: a purse overdrawn by a hair has 0.0 s, not -0.0 s
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    return f"{minutes // 60}h {minutes % 60:02d}m"


def size(count_bytes: float) -> str:
    """Return bytes as 512 B, 1.5 KiB or 2.0 GiB."""
    value, unit = float(count_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def seconds_in_ms(value: float) -> str:
    """Return a short time, such as 1.25 ms or 0.0176 ms."""
    return f"{milliseconds(value)} ms"


def milliseconds(value: float) -> str:
    """Return seconds as milliseconds in three digits."""
    found = value * 1000
    return f"{found:.2f}" if found >= 1 else f"{found:.3g}"


def some(count: int, noun: str) -> str:
    """Return a count with its noun, such as 1 trial or 3 trials."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def duplicates(count: int) -> str:
    """Return the sentence about trials whose network was a duplicate of a trained one."""
    return f"{some(count, 'duplicate network')} skipped (results reused)"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table: text aligned to the left, columns of numbers to the right."""
    columns = list(zip(head, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    is_number = [all(cell[:1] in "-0123456789" for cell in column[1:]) and bool(rows) for column in columns]
    lines = []
    for row in (head, *rows):
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_number, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
