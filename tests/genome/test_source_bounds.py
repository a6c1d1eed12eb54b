"""YAML at the border costs no more than it may, whatever it holds."""

import time
import tracemalloc

import pytest
import yaml

from genome.document import MAX_DEPTH, MAX_VALUES
from genome.source import SourceError, parse


def refusal(text: str) -> str:
    with pytest.raises(SourceError) as caught:
        parse(text, path="f.yaml")
    return str(caught.value)


def bounded(text: str) -> str:
    """Return the refusal of a text, having checked that it cost no more than two seconds and 64 MiB."""
    tracemalloc.start()
    begun = time.process_time()
    message = refusal(text)
    seconds, (_, peak_bytes) = time.process_time() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 2.0
    assert peak_bytes < 64 * 2**20
    return message


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


def test_as_deep_as_allowed_is_read() -> None:
    inner = MAX_DEPTH - 1  # the document's mapping is the first level
    value = parse("a: " + "[" * inner + "]" * inner).value
    assert refusal("a: " + "[" * (inner + 1) + "]" * (inner + 1))
    for _ in range(inner - 1):
        value = value["a"] if isinstance(value, dict) else value[0]
    assert value == [[]]


@pytest.mark.parametrize("text", ["a:\n" + "- x\n" * 250_000, "a: [" + "x," * 500_000])
def test_a_million_characters_are_refused_or_read_in_time(text: str) -> None:
    begun = time.process_time()
    assert "values" in refusal(text)
    assert time.process_time() - begun < 5


def test_a_genome_of_forty_lines_is_read_in_five_milliseconds() -> None:
    line = "  b{}: {{op: clique, in: [stem, b0], nodes: 3, passes: 1, body: {{op: conv, kernel: 3}}}}\n"
    text = "genome: g\nnodes:\n" + "".join(line.format(i) for i in range(38))

    def seconds() -> float:
        begun = time.process_time()
        parse(text)
        return time.process_time() - begun

    assert min(seconds() for _ in range(10)) < (0.005 if yaml.__with_libyaml__ else 0.05)
