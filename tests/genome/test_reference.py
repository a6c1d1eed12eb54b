"""docs/genomes.md equals the text that the registry gives."""

from __future__ import annotations

from pathlib import Path

import pytest

import genome
from genome.reference import BEGIN, END, main, written

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "genomes.md").read_text(encoding="utf-8")


def test_the_reference_is_generated_from_the_registry() -> None:
    assert written(TEXT) == TEXT, "write it again: python -m genome.reference docs/genomes.md"


@pytest.mark.parametrize("word", genome.words())
def test_every_node_type_is_there_with_its_genes_and_picture(word: str) -> None:
    _, _, section = TEXT.partition(f"\n#### {word}\n")
    section, _, _ = section.partition("\n#### ")
    assert all(f"\n| `{gene.name}` |" in section for gene in genome.lookup(word).genes)
    assert f"[`{word}`](#{word})" in TEXT and f'<img src="nodes/{word}.svg"' in TEXT
    assert (DOCS / "nodes" / f"{word}.svg").exists()


def test_only_the_text_between_the_markers_changes(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    main(str(file))
    text = file.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\n### Node types") and text.endswith(f"\n\n{END}\nafter\n")
    assert written(text) == text


def test_a_text_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="the text must hold <!-- generated"):
        written("nothing")


def test_the_example_is_the_genome_of_the_picture() -> None:
    _, _, example = TEXT.partition("```yaml\n")
    assert genome.loads(example.partition("```")[0]) == genome.load(DOCS / "genome.yaml")
