"""Values as people read them."""

import pytest

from search import formatting


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.76e-5, "0.0176 ms"), (0.0, "0 ms"), (0.0005, "0.5 ms"), (0.001234, "1.23 ms"), (1.5, "1500.00 ms")],
)
def test_a_short_time_keeps_three_digits(seconds: float, text: str) -> None:
    assert formatting.seconds_in_ms(seconds) == text
