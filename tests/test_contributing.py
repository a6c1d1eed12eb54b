"""The example of CONTRIBUTING.md is a node type like any other, in this package or in another package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import genome
from genome.graph import Genome, Node, Shape
from genome.op import unregister
from genome.testing.measure import check_plan

ROOT = Path(__file__).parents[1]
(EXAMPLE,) = re.findall(
    r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), flags=re.DOTALL
)
NAME = "genome.ops.shuffle"


@pytest.fixture
def example() -> Iterator[type[genome.Op]]:
    """The node type of the text, registered while a test runs."""
    module = types.ModuleType(NAME)
    sys.modules[NAME] = module
    try:
        exec(compile(EXAMPLE, "CONTRIBUTING.md", "exec"), module.__dict__)
        yield genome.lookup("shuffle")
    finally:
        unregister("shuffle")
        del sys.modules[NAME]


@pytest.mark.parametrize("width", [6, 7, 8])
def test_the_example_is_planned_and_built_as_written(example: type[genome.Op], width: int) -> None:
    conv, leave = genome.lookup("conv"), genome.lookup("exit")
    nodes = (
        Node("a", conv(), ("image",), width),
        Node("mix", example(groups=4), ("a",)),
        Node("out", leave(), ("mix",)),
    )
    plan = genome.resolve(Genome("example", Shape(3, 8, 8), 5, nodes))
    assert plan.steps[1].info.out == Shape(width, 8, 8)
    check_plan(plan)


# --- another package

WRONG = EXAMPLE.replace("return Cost()", "return Cost(macs=out.size)")
GENOME = """\
genome: mixed
input: [3, 8, 8]
classes: 5
nodes:
  a:   {op: conv, in: [image], width: 8}
  mix: {op: shuffle, in: [a], groups: 4}
  out: {op: exit, in: [mix]}
"""


def package(folder: Path, code: str) -> Path:
    """Write a package `lab` with a node type, as pip installs it: a module, and metadata with the entry point."""
    (folder / "lab").mkdir()
    (folder / "lab" / "__init__.py").touch()
    (folder / "lab" / "shuffle.py").write_text(code)
    meta = folder / "lab-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("[genome.node_types]\nshuffle = lab.shuffle\n")
    return folder


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a fresh interpreter that finds this project and the package."""
    path = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=folder, env=path, capture_output=True, text=True, check=False)


def test_a_node_type_of_another_package_passes_the_suite(tmp_path: Path) -> None:
    lab = package(tmp_path, EXAMPLE)
    (lab / "test_lab.py").write_text(
        "import pytest\nimport lab.shuffle\nfrom genome.testing import cases\n\n\n"
        '@pytest.mark.parametrize("case", cases(lab.shuffle.Shuffle), ids=str)\n'
        "def test_shuffle(case):\n    case.run()\n"
    )
    done = python(lab, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_lab.py")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout and "skipped" not in done.stdout


def test_a_wrong_cost_of_another_package_fails_the_suite(tmp_path: Path) -> None:
    lab = package(tmp_path, WRONG)
    done = python(lab, "-c", "import lab.shuffle, genome.testing; genome.testing.check_node_type('shuffle')")
    assert done.returncode == 1
    assert "costs: shuffle: macs: the plan says " in done.stderr


def test_an_installed_package_is_found_without_an_import(tmp_path: Path) -> None:
    lab = package(tmp_path, EXAMPLE)
    (lab / "mixed.yaml").write_text(GENOME)
    done = python(lab, "-c", "import genome; print(genome.load('mixed.yaml').nodes[1].op, genome.words())")
    assert done.returncode == 0, done.stderr
    assert "Shuffle(groups=4)" in done.stdout and "'shuffle'" in done.stdout
    checked = python(lab, "-m", "search", "check", "mixed.yaml")
    assert checked.returncode == 0, checked.stderr


def test_a_package_that_cannot_be_imported_is_named_where_its_word_is_missing(tmp_path: Path) -> None:
    lab = package(tmp_path, "import absent_module\n")
    (lab / "mixed.yaml").write_text(GENOME)
    plain = GENOME.replace("op: shuffle, in: [a], groups: 4", "op: zero, in: [a]")
    (lab / "plain.yaml").write_text(plain.replace("in: [mix]", "in: [a]"))
    checked = python(lab, "-m", "search", "check", "mixed.yaml", "plain.yaml")
    assert checked.returncode == 2 and "Traceback" not in checked.stderr
    assert (
        "lab.shuffle cannot be imported: ModuleNotFoundError: No module named 'absent_module'"
        in checked.stderr
    )
    assert "plain.yaml" in checked.stdout


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("conv", "belongs to genome.ops.conv; choose another"),
        ("no word", "is no name; choose letters and digits"),
    ],
)
def test_a_word_that_is_taken_or_no_name_is_refused(word: str, message: str) -> None:
    class Mine(genome.Op):
        """A node type."""

    with pytest.raises(ValueError, match=re.escape(message)):
        genome.op.op(word=word)(Mine)


def test_a_word_may_be_given(example: type[genome.Op]) -> None:
    class Mine(example):  # type: ignore[misc,valid-type]
        """The same node type under another word."""

    try:
        made = genome.op.op(word="mine-too")(Mine)
        assert genome.lookup("mine-too") is made and "mine-too" in genome.words()
    finally:
        unregister("mine-too")
    assert "mine-too" not in genome.words()
