"""YAML input: what is read, and what is refused, in which words."""

import os
from pathlib import Path
from typing import Any

import pytest

from genome.yaml.source import MAX_BYTES, Source, SourceError, kind, parse, read, shown, spelled

GENOME = """\
# a comment
genome: clique-s
input: [3, 32, 32]
widths: {rule: add, base: 36, alpha: 0}

nodes:
  stem: {op: conv, in: [image], kernel: 3}
  b1:
    op: clique
    in:
      - stem
      - x
    body: {op: conv,
           kernel: 3}
"""


def refusal(text: str | bytes) -> str:
    with pytest.raises(SourceError) as caught:
        parse(text, path="f.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- what is read


def test_values_and_lines_of_a_genome() -> None:
    source = parse(GENOME, path="g.yaml")
    assert source.value["nodes"]["b1"] == {
        "op": "clique",
        "in": ["stem", "x"],
        "body": {"op": "conv", "kernel": 3},
    }
    assert source.place() == "g.yaml:2"
    assert source.place("nodes") == "g.yaml:6"
    assert source.place("nodes", "stem", "in", 0) == "g.yaml:7"
    assert source.place("nodes", "b1", "in") == "g.yaml:10"
    assert source.place("nodes", "b1", "in", 1) == "g.yaml:12"
    assert source.place("nodes", "b1", "body", "kernel") == "g.yaml:14"


def test_an_unknown_address_has_the_place_of_the_nearest_one_above() -> None:
    source = parse(GENOME, path="g.yaml")
    assert source.place("nodes", "b1", "body", "level", 3) == "g.yaml:13"
    assert source.place("zzz") == "g.yaml:2"


def test_an_error_is_returned_with_its_place() -> None:
    error = parse(GENOME, path="g.yaml").error(
        ("nodes", "stem", "kernel"), "stem.kernel is 9; it may be 1..7"
    )
    assert isinstance(error, SourceError)
    assert str(error) == "g.yaml:7  stem.kernel is 9; it may be 1..7"


def test_quoted_and_tagged_text_stays_text() -> None:
    text = "a: '1'\nb: \"true\"\nc: !!str 010\nd: ! 12\ne: !!float 3\nf: |\n  1\n"
    assert parse(text).value == {"a": "1", "b": "true", "c": "010", "d": "12", "e": 3.0, "f": "1\n"}


def test_a_mark_of_utf_8_and_windows_line_ends_are_read() -> None:
    source = parse(b"\xef\xbb\xbfa: 1\r\nb: \xc3\xa9\r\n", path="w.yaml")
    assert source.value == {"a": 1, "b": "é"}
    assert source.place("b") == "w.yaml:2"


def test_an_alias_is_a_copy_with_its_own_place() -> None:
    source = parse("a: &x {k: [1]}\nb: *x\nc: *x\n", path="f")
    source.value["b"]["k"].append(2)
    assert source.value == {"a": {"k": [1]}, "b": {"k": [1, 2]}, "c": {"k": [1]}}
    assert source.place("c", "k", 0) == "f:3"


# --- what is refused, in these words

REFUSED = {
    "": "f.yaml:1  the file is empty; begin with `study: NAME` or `genome: NAME`",
    "# only a comment\n": "f.yaml:1  the file is empty; begin with `study: NAME` or `genome: NAME`",
    "null": "f.yaml:1  the file is empty; begin with `study: NAME` or `genome: NAME`",
    "\n- 1\n": "f.yaml:2  the file holds a list; begin with `study: NAME` or `genome: NAME`",
    "abc": "f.yaml:1  the file holds only a word; begin with `study: NAME` or `genome: NAME`",
    "12": "f.yaml:1  the file holds only a number; begin with `study: NAME` or `genome: NAME`",
    "a: 1\n---\nb: 2": "f.yaml:2  a second document begins here; a file holds one document",
    "a: 1\nb: 2\na: 3": "f.yaml:3  the key a is here twice (first on line 1); remove one",
    "n:\n  s: {op: conv, op: pool}": "f.yaml:2  the key op is here twice (first on line 2); remove one",
    "a:\n  1: x": 'f.yaml:2  the key 1 is a number; keys are words: write a word, or quote it, as "1"',
    "true: x": 'f.yaml:1  the key true is a boolean; keys are words: write a word, or quote it, as "1"',
    "? ": 'f.yaml:1  the key of this line is empty; keys are words: write a word, or quote it, as "1"',
    "? [a]\n: 1": "f.yaml:1  a list or mapping is used as a key; a key is one word",
    "b: &x {}\na:\n  <<: *x": "f.yaml:3  `<<` is not supported; write the merged keys themselves",
    "a: &x 1\n*x : 3": "f.yaml:2  the alias *x is used as a key; write the word itself",
    "a: *b": "f.yaml:1  the alias *b has no complete value above it; write the value itself",
    "a: &x [*x]": "f.yaml:1  the alias *x has no complete value above it; write the value itself",
    "a: {op: conv, kernel:3}": "f.yaml:1  kernel:3 has no value; put a space after the colon",
    "a:\n\t- b": "f.yaml:2  a tab stands where spaces belong; indent with spaces",
    "a: 1\n\tb: 2": "f.yaml:2  a tab stands where spaces belong; indent with spaces",
    "a: !x 1": "f.yaml:1  a: the tag !x is not supported; write the plain value without a tag",
    "a: !!set {x}": "f.yaml:1  a: the tag !!set is not supported; write the plain value without a tag",
    "a: !!int x": "f.yaml:1  a: the tag !!int is not supported; write the plain value without a tag",
    "a: !!bool 1": "f.yaml:1  a: the tag !!bool is not supported; write the plain value without a tag",
    "a: !h!x 1": "f.yaml:1  not YAML: a tag does not belong here; write the plain value, without a tag",
    "a: b: c": "f.yaml:1  not YAML: a second `:` on the line; quote the text, or begin a new line",
    "a: 'x\n": "f.yaml:2  not YAML: a quote is not closed (in what begins on line 1)",
    "a: @x": "f.yaml:1  not YAML: this character cannot begin a value; quote the text",
    "a: [1, 2\nb: 3": "f.yaml:2  not YAML: a comma, `]` or `}` is missing (in what begins on line 1)",
    "a: b\nc": "f.yaml:2  not YAML: a key without `: `; write `key: value`",
    "a: \x07": "f.yaml:1  the character U+0007 stands here; the file must be plain text",
    "a: 1\nb: \ud800": "f.yaml:2  the character U+D800 stands here; the file must be plain text",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refusals_in_their_words(text: str) -> None:
    assert refusal(text) == REFUSED[text]


FEW = "it should hold text of a few KB"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "f.yaml:1  the file is binary; name a YAML file"),
        (b"\xff\xfea\0:\0", "f.yaml:1  the file is UTF-16; save it as UTF-8"),
        (b"a: 1\nb: caf\xe9", "f.yaml:2  the byte 0xE9 is not UTF-8; save the file as UTF-8"),
        (b" " * (MAX_BYTES + 1), "f.yaml:1  the file is larger than 1,048,576 bytes; " + FEW),
    ],
)  # fmt: skip
def test_bytes_that_are_no_text_are_refused(data: bytes, message: str) -> None:
    assert refusal(data) == message


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch {}']",
        "!!python/object/new:os.system ['touch {}']",
        "!!python/name:os.system",
        "!!python/module:os",
        "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch {}']",
    ],
)
def test_a_tag_runs_nothing(value: str, tmp_path: Path) -> None:
    assert "the tag !!python/" in refusal("a: " + value.format(tmp_path / "ran"))
    assert list(tmp_path.iterdir()) == []


# --- files


def test_reading_a_file(tmp_path: Path) -> None:
    file = tmp_path / "g.yaml"
    file.write_text(GENOME)
    source = read(file)
    assert source == Source(str(file), parse(GENOME).value, parse(GENOME).lines)
    assert read(str(file)) == source


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").write_text("a: 1")
    cases: dict[Path | str, str] = {
        tmp_path / "digit.yaml": f"there is no such file; did you mean {tmp_path / 'digits.yaml'}?",
        tmp_path / "qqqqqqqqqq.yaml": "there is no such file",
        tmp_path / "no" / "x.yaml": f"there is no such file; nor is there a folder {tmp_path / 'no'}",
        tmp_path: "this is a folder; name a YAML file in it",
        str(tmp_path / "a\0b"): "this is not a file name; name a YAML file",
        str(tmp_path / ("x" * 300)): "this file cannot be read (File name too long)",
    }
    for path, sentence in cases.items():
        with pytest.raises(SourceError) as caught:
            read(path)
        assert str(caught.value) == f"{os.fspath(path).replace(chr(0), chr(92) + 'x00')}  {sentence}"


def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret.yaml"
    file.write_text("a: 1")
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(SourceError, match="may not be read"):
        read(file)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
def test_an_endless_file_is_refused() -> None:
    with pytest.raises(SourceError, match="larger than"):
        read("/dev/zero")


def test_a_path_with_a_line_break_stays_on_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a\nb.yaml"
    file.write_text("a: *x")
    with pytest.raises(SourceError) as caught:
        read(file)
    assert "\n" not in str(caught.value)


# --- words for errors


def test_what_is_shown_fits_one_line() -> None:
    assert shown("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert shown([1, "x", None, True, {"op": "conv"}]) == "[1, x, null, true, {op: conv}]"
    assert (shown(None), shown(False), shown(1e-3)) == ("empty", "false", "0.001")
    assert len(shown("é" * 100)) == 60
    assert len(shown("\0" * 100)) == 60


def test_kinds_have_names() -> None:
    values: list[Any] = [None, True, 1, 1.5, "x", {}, []]
    assert [kind(value) for value in values] == [
        "empty",
        "a boolean",
        "a number",
        "a number",
        "a word",
        "a mapping",
        "a list",
    ]


def test_addresses_are_spelled() -> None:
    assert spelled(("nodes", "s1", "in", 0)) == "nodes.s1.in[0]"
    assert spelled(()) == ""
