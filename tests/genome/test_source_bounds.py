"""YAML input of any content costs no more than a bound.

The cost is a count of calls, of Python's functions and of those in C: the same on every machine, fast or slow.
"""

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
import yaml

from genome.yaml.document import MAX_DEPTH, MAX_VALUES
from genome.yaml.source import SourceError, parse

CALLS_A_VALUE = 40 if yaml.__with_libyaml__ else 400  # without libyaml, PyYAML reads character by character
LOADERS = [getattr(yaml, name) for name in ("CSafeLoader", "SafeLoader") if hasattr(yaml, name)]
CALLS_A_LINE = 500 if yaml.__with_libyaml__ else 5000


def refusal(text: str) -> str:
    with pytest.raises(SourceError) as caught:
        parse(text, path="f.yaml")
    return str(caught.value)


def calls(work: Callable[[], object]) -> int:
    """Return the number of functions that the work calls."""
    count = 0

    def note(frame: FrameType, event: str, given: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def bounded(text: str) -> str:
    """Return the refusal of a text, after a check that it cost no more than the allowed calls, and 64 MiB."""
    said: list[str] = []
    tracemalloc.start()
    try:
        work = calls(lambda: said.append(refusal(text)))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert work < CALLS_A_VALUE * MAX_VALUES
    assert peak_bytes < 64 * 2**20
    return said[0]


def test_a_bomb_of_aliases_costs_little() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    assert f"more than {MAX_VALUES:,} values" in bounded("\n".join(lines))


def test_a_deep_bomb_of_aliases_is_refused_for_its_depth() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 1000)]
    assert bounded("\n".join(lines)).startswith(f"f.yaml:{MAX_DEPTH}  values nest deeper than {MAX_DEPTH}")


@pytest.mark.parametrize("text", ["[" * 5000, "a: " + "[" * 5000, "a: " + "{x: " * 5000, "- " * 5000])
def test_five_thousand_levels_are_refused(text: str) -> None:
    assert f"nest deeper than {MAX_DEPTH}" in bounded(text)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    "text",
    ["a:\n  [" + "[" * 5000, "a:\n  {x: " + "{x: " * 5000, "a:\n" + "- " * 5000, "a:\n  x: [" + "[ " * 5000],
)
def test_a_parser_with_a_limit_of_its_own_refuses_depth_in_our_words(
    monkeypatch: pytest.MonkeyPatch, text: str, loader: Any
) -> None:
    monkeypatch.setattr("genome.yaml.source._Loader", loader)
    assert refusal(text).startswith(f"f.yaml:2  values nest deeper than {MAX_DEPTH}")


@pytest.mark.parametrize(
    "theirs",
    ["exceeded maximum nesting depth", "Maximum nesting level reached, set with yaml_set_max_nest_level())"],
)
def test_every_sentence_of_a_parser_about_depth_becomes_ours(
    monkeypatch: pytest.MonkeyPatch, theirs: str
) -> None:
    mark = yaml.Mark("f.yaml", 0, 2, 4, None, None)

    def refuse(text: str, Loader: Any) -> Iterator[Any]:
        raise yaml.scanner.ScannerError("while increasing flow level", mark, theirs, mark)

    monkeypatch.setattr(yaml, "parse", refuse)
    assert refusal("a:\n  b:\n    [").startswith(f"f.yaml:3  values nest deeper than {MAX_DEPTH}")


def test_as_deep_as_allowed_is_read() -> None:
    inner = MAX_DEPTH - 1  # the document's mapping is the first level
    value = parse("a: " + "[" * inner + "]" * inner).value
    assert refusal("a: " + "[" * (inner + 1) + "]" * (inner + 1))
    for _ in range(inner - 1):
        value = value["a"] if isinstance(value, dict) else value[0]
    assert value == [[]]


@pytest.mark.parametrize("text", ["a:\n" + "- x\n" * 250_000, "a: [" + "x," * 500_000])
def test_a_million_characters_are_refused_for_no_more_than_the_values_that_may_be(text: str) -> None:
    said: list[str] = []
    assert calls(lambda: said.append(refusal(text))) < CALLS_A_VALUE * MAX_VALUES
    assert "values" in said[0]


def test_a_genome_of_forty_lines_takes_twice_the_work_of_one_of_twenty() -> None:
    line = "  b{}: {{op: clique, in: [stem, b0], nodes: 3, passes: 1, body: {{op: conv, kernel: 3}}}}\n"

    def work(lines: int) -> int:
        text = "genome: g\nnodes:\n" + "".join(line.format(i) for i in range(10, 10 + lines))
        parse(text)  # caches are filled
        return calls(lambda: parse(text))

    assert work(38) < 2.1 * work(19)
    assert work(38) < CALLS_A_LINE * 40
