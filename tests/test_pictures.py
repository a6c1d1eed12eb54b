"""The pictures of the node types in docs/genomes.md are those that `genome show --expand --svg` draws today."""

from __future__ import annotations

from pathlib import Path

import pytest

import genome

ROOT = Path(__file__).parents[1]
NODES = ROOT / "docs" / "nodes"


@pytest.mark.parametrize("word", genome.words())
def test_every_node_type_has_its_picture(word: str) -> None:
    shown = genome.load(NODES / f"{word}.yaml")
    assert word in {node.op.word for node in shown.nodes}
    drawn = genome.draw(genome.expand(shown))
    assert (NODES / f"{word}.svg").read_text() == drawn, "draw it again: make pictures"
    assert f"nodes/{word}.svg" in (ROOT / "docs" / "genomes.md").read_text()


def test_the_picture_at_the_top_is_drawn_from_the_genome_beside_it() -> None:
    docs = ROOT / "docs"
    assert (docs / "genome.svg").read_text() == genome.draw(genome.load(docs / "genome.yaml"))


def test_no_picture_is_left_over() -> None:
    assert {path.stem for path in NODES.iterdir()} == set(genome.words())
