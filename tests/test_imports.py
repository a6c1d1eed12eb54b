"""The arrows between the rooms point one way, and heavy libraries stay where they are needed."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.structure import LINES, calls_up, imported, journeys, largest, structure

ROOT = Path(__file__).parents[1]
ROOMS = {"genome": set(), "trainer": set(), "search": {"genome", "trainer"}}  # what each may import of ours
HEAVY = (
    *("torch", "torchvision", "optuna", "sklearn", "scipy", "networkx", "pydantic", "pygraphviz"),
    *("jinja2", "starlette", "uvicorn"),
)


MAKES_MODULES = {
    "genome/tensor_axes.py",
    "genome/build.py",
    "genome/exits/module.py",
    "genome/module_names.py",
    "genome/network.py",
    "genome/slots.py",
    "genome/testing/measure.py",
    "genome/testing/module_checks.py",
    "genome/morphism.py",
    "genome/transfer.py",
}  # and genome/ops/ and genome/plain/, which may import torch


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node below `tree`, except the code under `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from running(node)


def files(room: str) -> list[Path]:
    found = sorted((ROOT / room).rglob("*.py"))
    assert found, f"the room {room} is empty"
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_point_one_way(room: str) -> None:
    forbidden = set(ROOMS) - ROOMS[room] - {room}
    back = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files(room)
        for name in imported(file, ROOT)
        if name.split(".")[0] in forbidden
    }
    assert not back


def users_of(library: str) -> set[str]:
    return {
        file.relative_to(ROOT).as_posix()
        for room in ROOMS
        for file in files(room)
        if library in {name.split(".")[0] for name in imported(file, ROOT, running)}
    }


def test_optuna_is_known_to_search_only() -> None:
    assert {path.split("/")[0] for path in users_of("optuna")} == {"search"}


def test_torch_in_genome_only_where_modules_are_built_or_filled() -> None:
    inside = {path for path in users_of("torch") | users_of("torchvision") if path.startswith("genome/")}
    assert "genome/build.py" in inside
    rooms = ("genome/ops/", "genome/plain/")
    assert {path for path in inside if not path.startswith(rooms)} <= MAKES_MODULES


MOST_ROOMS = {"search": 20, "trainer": 12}
MOST_FLOORS = {"search": 11, "trainer": 6}


@pytest.mark.parametrize("package", LINES)
def test_the_rooms_of_a_package_form_one_line(package: str) -> None:
    found = structure(package)
    assert not found.circles
    assert not [line for who in found.upward(LINES[package]).values() for line in who]
    assert len(found.rooms) <= MOST_ROOMS[package] and found.floors <= MOST_FLOORS[package]


def test_an_arrow_up_and_a_circle_are_found(tmp_path: Path) -> None:
    for room, text in {
        "low": "import p.high",
        "high": "from p.low.part import x",
        "top": "import p.high",
    }.items():
        (tmp_path / "p" / room).mkdir(parents=True)
        (tmp_path / "p" / room / "part.py").write_text(text + "\n")
    found = structure("p", tmp_path)
    assert found.circles == (("high", "low"),) and found.floors == 0
    assert list(found.upward("low high top")) == [("low", "high")]
    with pytest.raises(ValueError, match="top: in no line"):
        found.upward("low high")


@pytest.mark.parametrize("package", ROOMS)
def test_classes_and_files_stay_small(package: str) -> None:
    (lines, name), (length, file) = largest(package)
    assert lines <= 150, f"{name} has {lines} lines"
    assert length <= 300, f"{file} has {length} lines"


def test_a_study_is_loaded_and_run_down_the_line(tmp_path: Path) -> None:
    for name, calls in journeys(tmp_path).items():
        assert len(calls) <= 4, f"{name}: {calls}"


def test_a_call_up_the_line_is_found() -> None:
    high, low = f"{ROOT}/search/cli/high.py", f"{ROOT}/genome/low.py"
    names: dict[str, Any] = {}
    exec(compile("def asked():\n    pass", high, "exec"), names)
    exec(compile("def visit(ask):\n    return sorted([0], key=lambda _: ask())", low, "exec"), names)
    exec(compile("def start():\n    visit(asked)", high, "exec"), names)
    assert list(calls_up(names["start"])) == [("genome/low.py", "search/cli/high.py")]


def test_private_names_of_optuna_stand_in_the_storage_alone() -> None:
    private = re.compile(r"\._(storage|study_id|trial_id|backend|scoped_session)\b(?!\()")
    users = {
        file.relative_to(ROOT).parts[1]
        for file in files("search")
        if private.search(file.read_text(encoding="utf-8"))
    }
    assert users <= {"storage"}


def test_the_reader_of_imports_sees_relative_and_inner_imports(tmp_path: Path) -> None:
    (tmp_path / "genome" / "ops").mkdir(parents=True)
    file = tmp_path / "genome" / "ops" / "conv.py"
    file.write_text(
        "from ..op import op\nfrom . import pool\ndef f():\n    import search.study\n"
        + "if TYPE_CHECKING:\n    import torch\n"
    )
    assert imported(file, tmp_path) == {"genome.op", "genome.ops", "search.study", "torch"}
    assert imported(file, tmp_path, running) == {"genome.op", "genome.ops", "search.study"}


def loaded(code: str) -> list[str]:
    """Return the heavy libraries that a fresh interpreter holds after running `code`, with warnings as errors."""
    code += f"; import sys; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("module", ["genome", "trainer", "search", "search.cli.app", "genome.testing"])
def test_importing_is_light(module: str) -> None:
    assert loaded(f"import {module}") == []


def test_listing_samplers_and_pruners_is_light() -> None:
    assert loaded("from search.samplers import registry; registry.names()") == []
    assert loaded("from search.pruners import registry; registry.names()") == []


def test_planning_a_genome_is_light() -> None:
    text = "genome: g\ninput: [3, 8, 8]\nclasses: 2\nwidths: {rule: constant, base: 8}\nnodes:\n"
    text += "  stem: {op: conv, in: [image], kernel: 3}\n  out: {op: exit, in: [stem]}\n"
    assert loaded(f"import genome; genome.resolve(genome.expand(genome.loads({text!r})))") == []


def test_the_lists_of_heavy_libraries_can_fail() -> None:
    assert loaded("import yaml, networkx") == ["networkx"]
