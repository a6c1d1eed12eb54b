"""The arrows between the rooms point one way, and heavy libraries stay where they are needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"genome": set(), "trainer": set(), "search": {"genome", "trainer"}}  # what each may import of ours
HEAVY = ("torch", "torchvision", "optuna", "sklearn", "scipy", "networkx", "pydantic", "pygraphviz")


def imported(file: Path) -> set[str]:
    """Every module that a file imports anywhere in it, absolute or relative, as its full dotted name."""
    package = file.relative_to(ROOT).with_suffix("").parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            assert above or not node.level, f"{file}:{node.lineno} leaves its room by dots"
            names.add(".".join((*above, *filter(None, [node.module]))))
    return names


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
        if library in {name.split(".")[0] for name in imported(file)}
    }


def test_optuna_is_known_to_search_only() -> None:
    assert {path.split("/")[0] for path in users_of("optuna")} == {"search"}


def test_torch_in_genome_only_where_modules_are_built() -> None:
    inside = {path for path in users_of("torch") | users_of("torchvision") if path.startswith("genome/")}
    assert "genome/build.py" in inside
    assert {path for path in inside if not path.startswith("genome/ops/")} == {"genome/build.py"}


def test_the_reader_of_imports_sees_relative_and_inner_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "genome" / "ops").mkdir(parents=True)
    file = tmp_path / "genome" / "ops" / "conv.py"
    file.write_text("from ..op import op\nfrom . import pool\ndef f():\n    import search.study\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert imported(file) == {"genome.op", "genome.ops", "search.study"}


@pytest.mark.parametrize("module", ["genome", "trainer", "search", "search.cli"])
def test_import_is_light(module: str) -> None:
    """A fresh interpreter has none of the heavy libraries after `import module`."""
    code = f"import sys, {module}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_reading_yaml_is_light() -> None:
    code = "import sys, genome.source; genome.source.parse('a: 1'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
