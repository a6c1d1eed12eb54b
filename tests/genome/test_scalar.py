"""Plain words of YAML: numbers as in YAML 1.2, and no other word becomes a number."""

from typing import Any

import pytest

from genome.yaml.scalar import ScalarError, scalar
from genome.yaml.source import SourceError, parse


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e-3", 1e-3), ("1E+2", 100.0), ("-.5", -0.5), ("1.", 1.0), ("+3", 3), ("-0", 0), ("0", 0),
        ("500_000", 500_000), ("1_0.2_5", 10.25), ("0x1F", 31), ("0o17", 15), ("0.0", 0.0),
        ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)),
        ("true", True), ("False", False), ("NULL", None), ("~", None), ("", None),
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("No", "No"), ("y", "y"), ("tRUE", "tRUE"),
        ("1:30", "1:30"), ("2024-01-01", "2024-01-01"), ("1_", "1_"), ("1__0", "1__0"), ("0x", "0x"),
        ("3m", "3m"), ("2GiB", "2GiB"), ("1.2.3", "1.2.3"), ("-", "-"), (".", "."), ("inf", "inf"),
        ("nan", "nan"), ("_1", "_1"), ("1e", "1e"), (".e3", ".e3"), ("1_e3", "1_e3"), ("٣", "٣"),
    ],
)  # fmt: skip
def test_plain_words_are_read_as_yaml_1_2_has_them(word: str, value: Any) -> None:
    assert scalar(word) == value
    assert type(scalar(word)) is type(value)


@pytest.mark.parametrize("word", ["010", "-007", "00", "0_1", ".inf", "-.INF", ".NaN", "1e999", "-1e999"])
def test_numbers_that_are_refused(word: str) -> None:
    with pytest.raises(ScalarError):
        scalar(word)
    with pytest.raises(SourceError) as caught:
        parse(f"a: {{b: [1, {word}]}}", path="f.yaml")
    assert str(caught.value).startswith(f"f.yaml:1  a.b[1]: {word} ")


@pytest.mark.parametrize("word", ["9223372036854775808", "-9223372036854775809", "9" * 5000, "0x" + "f" * 17])
def test_integers_that_sqlite_cannot_keep_are_refused(word: str) -> None:
    with pytest.raises(ScalarError, match="an integer may be"):
        scalar(word)
