"""Layout of source: lines of at most `WIDTH` characters, broken at brackets as formatters do."""

from __future__ import annotations

WIDTH = 88
PAIRS = {"(": ")", "[": "]"}


def laid_out(text: str, indent: int, comment: str = "", end: str = "") -> list[str]:
    """Return a statement as lines; the comment stands behind it, or above where there is no room.

    end: what stands behind its last bracket, such as ` -> Tensor:`.
    """
    lines = _broken(text, indent, end)
    behind = f"{lines[-1]}  # {comment}"
    if not comment:
        return lines
    if len(behind) <= WIDTH:
        return [*lines[:-1], behind]
    return [f"{' ' * indent}# {comment}", *lines]


def _broken(text: str, indent: int, end: str) -> list[str]:
    space = " " * indent
    if indent + len(text) + len(end) <= WIDTH:
        return [f"{space}{text}{end}"]
    at = _last_bracket(text)
    if at is None:
        return [f"{space}{text}{end}"]
    head, inner, tail = text[: at + 1], text[at + 1 : -1], text[-1]
    if indent + 4 + len(inner) <= WIDTH:
        return [f"{space}{head}", f"{space}    {inner}", f"{space}{tail}{end}"]
    parts = _parts(inner)
    lines = [line for part in parts for line in _broken(part, indent + 4, "," if len(parts) > 1 else "")]
    return [f"{space}{head}", *lines, f"{space}{tail}{end}"]


def _last_bracket(text: str) -> int | None:
    """Return where the bracket opens that closes at the end of the text, None where none does."""
    if not text or text[-1] not in PAIRS.values():
        return None
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        depth += (text[at] in PAIRS.values()) - (text[at] in PAIRS)
        if depth == 0:
            return at if at + 1 < len(text) - 1 else None
    return None


def _parts(text: str) -> list[str]:
    """Split at the commas that stand in no bracket."""
    parts, depth, start = list[str](), 0, 0
    for at, char in enumerate(text):
        depth += (char in PAIRS) - (char in PAIRS.values())
        if char == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]
