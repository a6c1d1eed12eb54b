"""axes: kernels, strides and dilations, which are one whole number for both axes, or a pair (height, width)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Both: TypeAlias = int | tuple[int, int]


def axes(value: Both) -> tuple[int, int]:
    """The value along the height and along the width."""
    return value if isinstance(value, tuple) else (value, value)


def both(height: int, width: int) -> Both:
    """The inverse of `axes`: one number where the axes are alike."""
    return height if height == width else (height, width)


def area(kernel: Both) -> int:
    """The taps of a kernel."""
    height, width = axes(kernel)
    return height * width


def extents(kernel: Both, dilation: Both) -> tuple[int, int]:
    """The rows and the columns that a kernel covers."""
    (rows, columns), (down, across) = axes(kernel), axes(dilation)
    return down * (rows - 1) + 1, across * (columns - 1) + 1


def dilates(genes: Mapping[str, Any]) -> bool:
    """Whether a dilation has an effect: the kernel has several taps along an axis."""
    return max(axes(genes["kernel"])) > 1


def effective(dilation: Both, kernel: Both) -> Both:
    """The dilation without effect along an axis with one tap, where it is 1."""
    (down, across), (rows, columns) = axes(dilation), axes(kernel)
    return both(down if rows > 1 else 1, across if columns > 1 else 1)
