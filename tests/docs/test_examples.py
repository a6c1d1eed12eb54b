"""What the pages show can be run, typed and read: Python, commands, genomes and studies."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.core
import typer.main
import yaml

import genome
import search
from search.cli.app import app
from tests.docs.pages import PAGES, ROOT, Block, blocks, inline

# tests/test_contributing.py and tests/docs/test_weights.py run these
RUN = [page for page in PAGES if page.name not in ("CONTRIBUTING.md", "weights.md")]
BASE: dict[str, Any] = {
    "study": "base",
    "data": "digits",
    "space": {
        "nodes": {
            "stem": {"op": "conv", "in": ["image"], "width": {"int": [4, 8]}},
            "out": {"op": "exit", "in": ["stem"]},
        }
    },
}


@pytest.mark.parametrize(
    "page", [page for page in RUN if blocks("python", (page,))], ids=lambda page: page.name
)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: Path, here: Path, finished: Path) -> None:
    shutil.copytree(finished, here / "runs")
    names: dict[str, Any] = {"__name__": page.stem}
    for block in blocks("python", (page,)):
        code = "\n" * (block.line - 1) + block.code  # so that a traceback names the page's line
        exec(compile(code, str(page), "exec"), names)


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_yaml_block_is_a_genome_or_a_study(block: Block, here: Path) -> None:
    """A block that is neither holds some keys of a study, and is read among the others."""
    if "genome" in yaml.safe_load(block.code):
        genome.resolve(genome.loads(block.code))
        return
    text = block.code
    if "study" not in yaml.safe_load(text):
        text += yaml.safe_dump({k: v for k, v in BASE.items() if k not in yaml.safe_load(text)})
    file = here / "block.yaml"
    file.write_text(text)
    search.Study.load(file)


def commands(page: Path) -> Iterator[str]:
    """Yield each command that a page shows."""
    typed = [line for block in blocks("sh", (page,)) for line in block.code.splitlines()]
    for line in [*typed, *inline(page)]:
        command = re.split(r"\s+#\s|\s\.\.\.", line.strip())[0]
        if re.match(r"(genome|make|python) [\w.-]", command):
            yield command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_can_be_typed(page: Path) -> None:
    checks = {"genome": check_genome, "make": check_make, "python": check_python}
    for command in commands(page):
        first, *words = shlex.split(command)
        checks[first](words)


def check_genome(words: list[str]) -> None:
    """Check the verb and its options."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    if words[0].startswith("-"):
        verb: Any = group
    else:
        assert words[0] in group.commands
        verb = group.commands[words[0]]
    known = {option for param in verb.params for option in param.opts} | {"--help"}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


def check_make(words: list[str]) -> None:
    """Check the target."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert [word for word in words if "=" not in word and word not in targets] == []


def check_python(words: list[str]) -> None:
    """Check that the script or module is there."""
    place = words[1].replace(".", "/") + ".py" if words[0] == "-m" else words[0]
    assert (ROOT / place).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    inside = [at for at in re.findall(r"(?:\]\(|src=\")([^)\"\s]+)", text) if "://" not in at]
    assert [target for target in inside if not leads(page, target)] == []


def leads(page: Path, target: str) -> bool:
    """Whether a file is there, and has the heading that is named after #."""
    file, _, heading = target.partition("#")
    place = page.parent / file if file else page
    if not place.exists() or not heading:
        return place.exists()
    titles = re.findall(r"^#+ (.*)$", place.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
