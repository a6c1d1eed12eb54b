"""docs/architecture.md names every package, and no file that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, inline
from tests.structure import LINES

PAGE = ROOT / "docs" / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("package", LINES)
def test_the_packages_stand_in_the_order_of_their_imports(package: str) -> None:
    part = TEXT[TEXT.index(f"\n## {package}\n") :].split("\n## ")[1]
    firsts = [row.split("|")[1] for row in part.splitlines() if row.startswith("| `")]
    named = [name for first in firsts for name in re.findall(r"`(\w+)(?:/|\.py)`", first)]
    line = [room for room in LINES[package].split() if not room.startswith("__")]
    assert named == line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    code = [found for text in inline(page) for found in text.split()]
    paths = [
        path for path in code if re.fullmatch(r"(genome|search|trainer|tests|docs)/[\w/-]+(\.\w+)?", path)
    ]
    example = "genome/ops/shuffle.py"  # CONTRIBUTING.md writes it
    assert [path for path in paths if path != example and not (ROOT / path).exists()] == []


def test_the_tests_that_run_with_the_oldest_releases_are_there() -> None:
    """pytest with processes says `no tests ran` of a file that is not there, not which."""
    named = re.findall(r"\btests/[\w/]+\.py", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    assert len(named) > 10 and [path for path in named if not (ROOT / path).is_file()] == []
