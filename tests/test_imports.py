"""The arrows between the rooms point one way, and heavy libraries stay where they are needed."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"genome": set(), "trainer": set(), "search": {"genome", "trainer"}}  # what each may import of ours
HEAVY = (
    *("torch", "torchvision", "optuna", "sklearn", "scipy", "networkx", "pydantic", "pygraphviz"),
    *("jinja2", "starlette", "uvicorn"),
)


MAKES_MODULES = {
    "genome/anatomy.py",
    "genome/build.py",
    "genome/network.py",
    "genome/starts.py",
    "genome/transfer.py",
}  # with genome/ops/: torch is theirs


def imported(file: Path, walk: Callable[[ast.AST], Iterator[ast.AST]] = ast.walk) -> set[str]:
    """Every module that a file imports, at its top or inside, as its full dotted name."""
    package = file.relative_to(ROOT).with_suffix("").parts[:-1]
    names = set()
    for node in walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            assert above or not node.level, f"{file}:{node.lineno} leaves its room by dots"
            names.add(".".join((*above, *filter(None, [node.module]))))
    return names


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node below `tree`, save what stands under `if TYPE_CHECKING:`."""
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
        for name in imported(file)
        if name.split(".")[0] in forbidden
    }
    assert not back


def users_of(library: str) -> set[str]:
    return {
        file.relative_to(ROOT).as_posix()
        for room in ROOMS
        for file in files(room)
        if library in {name.split(".")[0] for name in imported(file, running)}
    }


def test_optuna_is_known_to_search_only() -> None:
    assert {path.split("/")[0] for path in users_of("optuna")} == {"search"}


def test_torch_in_genome_only_where_modules_are_built_or_filled() -> None:
    inside = {path for path in users_of("torch") | users_of("torchvision") if path.startswith("genome/")}
    assert "genome/build.py" in inside
    assert {path for path in inside if not path.startswith("genome/ops/")} <= MAKES_MODULES


def test_the_reader_of_imports_sees_relative_and_inner_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "genome" / "ops").mkdir(parents=True)
    file = tmp_path / "genome" / "ops" / "conv.py"
    file.write_text(
        "from ..op import op\nfrom . import pool\ndef f():\n    import search.study\n"
        + "if TYPE_CHECKING:\n    import torch\n"
    )
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert imported(file) == {"genome.op", "genome.ops", "search.study", "torch"}
    assert imported(file, running) == {"genome.op", "genome.ops", "search.study"}


def loaded(code: str) -> list[str]:
    """The heavy libraries that a fresh interpreter holds after running `code`, with warnings as errors."""
    code += f"; import sys; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("module", ["genome", "trainer", "search", "search.cli.app"])
def test_importing_is_light(module: str) -> None:
    assert loaded(f"import {module}") == []


def test_planning_a_genome_is_light() -> None:
    text = "genome: g\ninput: [3, 8, 8]\nclasses: 2\nwidths: {rule: constant, base: 8}\nnodes:\n"
    text += "  stem: {op: conv, in: [image], kernel: 3}\n  out: {op: exit, in: [stem]}\n"
    assert loaded(f"import genome; genome.resolve(genome.expand(genome.loads({text!r})))") == []


def test_the_lists_of_heavy_libraries_can_fail() -> None:
    assert loaded("import yaml, networkx") == ["networkx"]
