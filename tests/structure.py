"""The structure of the code in figures: rooms, floors, arrows and circles, counted from the imports.

`python -m tests.structure [FOLDER]` prints them for the checkout in FOLDER (default: this one). A room is a file or a
package directly below `search/` or `trainer/`. An arrow is an import from one room into another, wherever it stands in
a file; an arrow up points against `LINES`. A room's floor is one above the highest room that it imports.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

ROOT = Path(__file__).parents[1]
PACKAGES = ("genome", "trainer", "search")

# A room may import the rooms before it in its line, and none of those after it.
LINES: Mapping[str, str] = {
    "trainer": "errors system files budget recipe report hardware data outcome loop proxies __init__",
    "search": "errors formatting pareto objective space samplers pruners config storage results workers train "
    "proposals testing run study dashboard cli __init__ __main__",
}

Arrow = tuple[str, str]


@dataclass(frozen=True)
class Structure:
    """The figures of one package's imports."""

    rooms: tuple[str, ...]
    arrows: Mapping[Arrow, tuple[str, ...]]  # with the imports of each arrow, as "file imports module"
    floors: int  # 0 where there is a circle
    circles: tuple[tuple[str, ...], ...]

    def upward(self, line: str) -> dict[Arrow, tuple[str, ...]]:
        """Return the arrows that point against the order of `line`. Raises ValueError for a room outside it."""
        place = {room: number for number, room in enumerate(line.split())}
        if missing := set(self.rooms) - set(place):
            raise ValueError(f"{', '.join(sorted(missing))}: in no line of tests/structure.py")
        return {arrow: who for arrow, who in self.arrows.items() if place[arrow[0]] <= place[arrow[1]]}


def imported(
    file: Path, root: Path = ROOT, walk: Callable[[ast.AST], Iterator[ast.AST]] = ast.walk
) -> set[str]:
    """Return every module that a file imports, at its top or inside, as its full dotted name."""
    package = file.relative_to(root).with_suffix("").parts[:-1]
    names = set()
    for node in walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            assert above or not node.level, f"{file}:{node.lineno} leaves its package by dots"
            names.add(".".join((*above, *filter(None, [node.module]))))
    return names


def targets(file: Path, root: Path = ROOT) -> set[str]:
    """Return the modules that a file imports; `from package import module` names the module."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = file.relative_to(root).with_suffix("").parts[:-1]
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *filter(None, [node.module])))
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def structure(package: str, root: Path = ROOT) -> Structure:
    """Count the rooms directly below `root/package` and the arrows between them."""
    folder = root / package
    rooms = {path.stem for path in folder.iterdir() if path.suffix == ".py"}
    rooms |= {path.name for path in folder.iterdir() if any(path.glob("**/*.py"))}
    arrows: dict[Arrow, list[str]] = {}
    for file in sorted(folder.rglob("*.py")):
        room = Path(file.relative_to(folder).parts[0]).stem
        for name in sorted(targets(file, root)):
            parts = name.split(".")
            if parts[0] != package:
                continue
            other = parts[1] if len(parts) > 1 and parts[1] in rooms else "__init__"
            if other != room:
                arrows.setdefault((room, other), []).append(f"{file.relative_to(root)} imports {name}")
    below = {room: {other for start, other in arrows if start == room} for room in rooms}
    found = _circles(below)
    return Structure(
        tuple(sorted(rooms)),
        {arrow: tuple(who) for arrow, who in arrows.items()},
        0 if found else _floors(below),
        found,
    )


def _floors(below: Mapping[str, set[str]]) -> int:
    height: dict[str, int] = {}
    for room in TopologicalSorter(below).static_order():
        height[room] = 1 + max((height[other] for other in below.get(room, ())), default=0)
    return max(height.values())


def _circles(below: Mapping[str, set[str]]) -> tuple[tuple[str, ...], ...]:
    """Return the sets of rooms that import each other in a loop."""
    reached = {room: _reached(room, below) for room in below}
    together = {
        frozenset(other for other in reached[room] if room in reached[other])
        for room in below
        if room in reached[room]
    }
    return tuple(tuple(sorted(circle)) for circle in together)


def _reached(room: str, below: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(below[room])
    while ahead:
        other = ahead.pop()
        if other not in found:
            found.add(other)
            ahead += below[other]
    return found


def largest(package: str, root: Path = ROOT) -> tuple[tuple[int, str], tuple[int, str]]:
    """Return the lines and the name of the largest class and the largest file of a package."""
    classes, files = [], []
    for file in (root / package).rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        files.append((len(text.splitlines()), str(file.relative_to(root))))
        classes += [
            (node.end_lineno - node.lineno + 1, node.name)
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.ClassDef) and node.end_lineno
        ]
    return max(classes), max(files)


def calls_up(work: Callable[[], object]) -> dict[tuple[str, str], int]:
    """Do some work, and count the calls from a file into a file of a higher room, by the two files.

    Such calls are callbacks, because imports point downwards. A call through another library counts as a call of the
    nearest frame of this project.
    """
    found: dict[tuple[str, str], int] = {}

    def note(frame: FrameType, event: str, argument: object) -> None:
        callee = _file_of(frame)
        if event != "call" or callee is None:
            return
        above = frame.f_back
        while above is not None and _file_of(above) is None:
            above = above.f_back
        caller = _file_of(above) if above is not None else None
        if caller is not None and _place(callee) > _place(caller):
            found[caller, callee] = found.get((caller, callee), 0) + 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return found


@cache
def _relative(name: str) -> str | None:
    """Return the path of a file of this project below its root; None for any other file."""
    path = Path(name)
    is_ours = path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in PACKAGES
    return path.relative_to(ROOT).as_posix() if is_ours else None


def _file_of(frame: FrameType) -> str | None:
    return _relative(frame.f_code.co_filename)


@cache
def _place(file: str) -> tuple[int, int]:
    """Return the place of a file among all rooms, the lowest first."""
    package, room = Path(file).parts[0], Path(Path(file).parts[1]).stem
    line = LINES[package].split() if package in LINES else []
    return PACKAGES.index(package), line.index(room) if line else 0


TINY = """\
study: tiny
data: digits
train: {epochs: 1, batch: 256}
device: cpu
workers: 1
trials: 2
finale: {top: 1, seeds: 1}
space:
  nodes:
    stem: {op: conv, in: [image], width: {int: [4, 16]}}
    out: {op: exit, in: [stem]}
"""


def journeys(folder: Path) -> dict[str, dict[tuple[str, str], int]]:
    """Return the calls up while a study is loaded, and while it runs with a finale. folder: for its files."""
    import search

    file = folder / "tiny.yaml"
    file.write_text(TINY)
    loaded = calls_up(lambda: search.Study.load(file, folder / "runs"))
    study = search.Study.load(file, folder / "runs")
    return {"Study.load": loaded, "Study.run": calls_up(study.run)}


def main(root: Path) -> None:
    """Print the figures of each package."""
    for package, line in LINES.items():
        found = structure(package, root)
        try:
            upward = found.upward(line)
        except ValueError:  # a checkout from before the line was drawn
            upward = {}
        floors = found.floors or "none, for circles"
        print(
            f"{package}: {len(found.rooms)} rooms, {floors} floors, {len(found.arrows)} arrows, "
            f"{len(upward)} of them up, {len(found.circles)} circles"
        )
        for who in upward.values():
            print(*(f"  up: {line}" for line in who), sep="\n")
        for circle in found.circles:
            print("  circle:", ", ".join(circle))
    for package in PACKAGES:
        (lines, name), (length, file) = largest(package, root)
        print(f"{package}: largest class {name}, {lines} lines; largest file {file}, {length} lines")
    if root == ROOT:
        with TemporaryDirectory() as folder:
            for name, calls in journeys(Path(folder)).items():
                print(f"{name}: {len(calls)} pairs of files with a call up the line")
                for caller, callee in calls:
                    print(f"  {caller} calls {callee}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
