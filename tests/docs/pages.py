"""The pages that a person reads, and the blocks of code in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")


class Block(NamedTuple):
    """One fenced block: its language, its code, and the line of the page on which the code begins."""

    page: Path
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(language: str, pages: tuple[Path, ...] = PAGES) -> list[Block]:
    """Return the fenced blocks of one language, page by page."""
    found = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            block = Block(page, text.count("\n", 0, match.start(2)) + 1, match[1], match[2])
            if block.language == language:
                found.append(block)
    return found


def inline(page: Path) -> list[str]:
    """Return the inline code of a page, fenced blocks left out, each in one line."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(match.split()) for match in _INLINE.findall(text)]
