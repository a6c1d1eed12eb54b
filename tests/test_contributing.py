"""The example of CONTRIBUTING.md is a node type like any other."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import genome
from genome.graph import Genome, Node, Shape
from genome.op import _REGISTER
from tests.conformance import check

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAME = "genome.ops.shuffle"


@pytest.fixture
def example() -> Iterator[type[genome.Op]]:
    """The node type of the text, in the register for as long as a test runs."""
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    module = types.ModuleType(NAME)
    sys.modules[NAME] = module
    try:
        exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
        yield genome.lookup("shuffle")
    finally:
        _REGISTER.pop("shuffle", None)
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
    check(plan)
