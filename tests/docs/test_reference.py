"""The reference tables in docs/ are those that the code gives today, and no key goes without a meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import reference


@pytest.mark.parametrize("page", reference.pages(), ids=lambda page: page.name)
def test_a_page_has_the_tables_of_today(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == reference.filled(text), "write it anew: make reference"


def test_every_table_stands_on_one_page() -> None:
    texts = [page.read_text(encoding="utf-8") for page in reference.pages()]
    found = [match[2] for text in texts for match in reference.BLOCK.finditer(text)]
    assert sorted(found) == sorted(reference.TABLES)


def test_every_key_of_a_study_has_a_type_and_a_meaning() -> None:
    assert [key.name for key in reference.study_keys() if not (key.kind and key.meaning)] == []


def test_every_key_of_a_recipe_has_a_type_a_default_and_a_meaning() -> None:
    keys = reference.recipe_keys()
    assert [key.name for key in keys if not (key.kind and key.default and key.meaning)] == []


def test_every_field_of_a_report_has_a_meaning() -> None:
    assert [key.name for key in reference.report_fields() if not key.meaning] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a", "comes below."),
        ("b", "comes beside."),
        ("c", "comes above, over two lines."),
        ("d", "what follows a note to a tool."),
    ],
)
def test_a_meaning_stands_below_beside_or_above_its_field(name: str, said: str) -> None:
    class Told:
        a: int
        """comes below"""
        b: int  # comes beside
        # comes above,
        # over two lines
        c: int
        d: int = None  # type: ignore[assignment]  # what follows a note to a tool

    assert reference.field_docs(Told)[name] == said
