"""Budgets: what is read, and what is refused, in which words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer import Budget, BudgetError, parse_bytes, parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3m", 180),
        ("20s", 20),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("1h 30m 5s", 5405),
        ("250ms", 0.25),
        ("90", 90),
        (90, 90),
        (0.5, 0.5),
        (" 2 M ", 120),
        ("1d", 86400),
        ("1m30s", 90),
    ],
)
def test_times(text: Any, seconds: float) -> None:
    assert parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GiB", 2 * 1024**3),
        ("500MB", 500_000_000),
        ("1.5 kB", 1500),
        ("64 KiB", 65536),
        ("7b", 7),
        ("12", 12),
        (4096, 4096),
        ("1tib", 1024**4),
    ],
)
def test_sizes(text: Any, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "0s", "-3m", "3x", "m3", "30m1h", "1h1h", "nan", "inf", "1e3s", "٣m", 0, -1, True, None, [3], "3m!"],
)
def test_times_refused(text: Any) -> None:
    with pytest.raises(BudgetError) as caught:
        parse_seconds(text, "per_trial")
    assert (
        str(caught.value)
        == f"per_trial is {text!r}; it must be a time such as 20s, 3m or 1h30m, or seconds above 0"
    )


@pytest.mark.parametrize(
    "text", ["", "2G", "0", "-1MB", "1PB", "GiB", 0, 0.5, float("nan"), float("inf"), True, None]
)
def test_sizes_refused(text: Any) -> None:
    with pytest.raises(BudgetError) as caught:
        parse_bytes(text)
    assert (
        str(caught.value) == f"memory is {text!r}; it must be a size such as 2GiB or 500MB, or bytes above 0"
    )


@given(st.text(max_size=40) | st.integers() | st.floats() | st.none() | st.lists(st.integers()))
def test_any_value_is_read_or_refused(value: Any) -> None:
    for read in (parse_seconds, parse_bytes):
        try:
            assert read(value) > 0
        except BudgetError as error:
            assert "\n" not in str(error)


def test_parse_reads_a_study_s_words() -> None:
    budget = Budget.parse({"device_time": "3m", "per_trial": "20s", "memory": "2GiB", "rungs": [1, 3, 9]})
    assert budget == Budget(180.0, 20.0, 2 * 1024**3, (1, 3, 9))
    assert Budget.parse({"rungs": None, "memory": None}) == Budget()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"time": "3m"}, "a budget has no 'time'; it may have device_time, per_trial, memory and rungs"),
        ({"rungs": [3, 1]}, "rungs is [3, 1]; it must be a list of epochs from 1, rising, such as [1, 3, 9]"),
        ({"rungs": [0]}, "rungs is [0]; it must be a list of epochs from 1, rising, such as [1, 3, 9]"),
        ({"rungs": 0}, "rungs is 0; it must be a list of epochs from 1, rising, such as [1, 3, 9]"),
        ({"rungs": "139"}, "rungs is '139'; it must be a list of epochs from 1, rising, such as [1, 3, 9]"),
    ],
)
def test_parse_refuses(values: dict[str, Any], message: str) -> None:
    with pytest.raises(BudgetError) as caught:
        Budget.parse(values)
    assert str(caught.value) == message


def test_the_nearer_limit_counts() -> None:
    assert Budget().limit() is None
    assert Budget(device_time=5, per_trial=9).limit() == (5, "device_time")
    assert Budget(device_time=9, per_trial=5).limit() == (5, "per_trial")
    with pytest.raises(BudgetError, match="per_trial is -1; it must be a number above 0"):
        Budget(per_trial=-1)
