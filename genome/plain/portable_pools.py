"""Portable forms of padding and of pools, whose rounding up and padding runtimes count in different ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from genome.plain.calls import Call, Constant, Value

Shape = tuple[int, ...]
PREVIOUS = object()  # stands for what the step before gives


class Step(NamedTuple):
    """One of the calls in a row that replace a call."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    shape: Shape


def pads(call: Call, shapes: Mapping[int, Shape]) -> list[Step]:
    """Negative padding is a slice, the rest stays padding."""
    given, amounts = call.args
    if min(amounts) >= 0:
        return []
    return padded(given, shapes[given.number], amounts, call.kwargs)


def padded(given: Value, shape: Shape, amounts: Sequence[int], kwargs: Mapping[str, Any]) -> list[Step]:
    """Return padding as a slice, where it is negative, and as padding, where it is positive."""
    sides = {len(shape) - 1 - i // 2: amounts[i : i + 2] for i in range(0, len(amounts), 2)}
    cut = {axis: (min(a, 0), min(b, 0)) for axis, (a, b) in sides.items()}
    added = tuple(max(amount, 0) for amount in amounts)
    sliced = tuple(size + sum(cut.get(axis, ())) for axis, size in enumerate(shape))
    steps = list[Step]()
    if sliced != shape:
        index = tuple(_kept(size, *cut.get(axis, (0, 0))) for axis, size in enumerate(shape))
        steps.append(Step(Tensor.__getitem__, (given, index), {}, sliced))
    if any(added):
        whole = tuple(size + sum(sides.get(axis, ())) for axis, size in enumerate(shape))
        steps.append(Step(F.pad, (PREVIOUS if steps else given, added), kwargs, whole))
    return steps


def _kept(size: int, before: int, behind: int) -> slice:
    return slice(-before, size + behind) if before or behind else slice(None)


class _Axis(NamedTuple):
    """A pool along one axis."""

    pixels: int
    size: int
    stride: int
    padding: int
    outs: int

    @property
    def needed(self) -> int:
        """The pixels from the begin of the first window to the end of the last."""
        return (self.outs - 1) * self.stride + self.size

    @property
    def overhangs(self) -> bool:
        """Whether the last window reaches past the padding."""
        return self.needed > self.pixels + 2 * self.padding

    @property
    def drops(self) -> bool:
        """Whether torch leaves out a window that would begin past the image."""
        return self.needed < self.pixels + 2 * self.padding

    @property
    def pads(self) -> tuple[int, int]:
        """The padding after which no window reaches past the end."""
        return self.padding, max(self.padding, self.needed - self.pixels - self.padding)

    @property
    def counts(self) -> Tensor:
        """How many numbers each window averages: those of the image and of the padding."""
        starts = torch.arange(self.outs) * self.stride
        return (starts + self.size).clamp(max=self.pixels + 2 * self.padding) - starts


class _Pool(NamedTuple):
    """The arguments of a pool by name."""

    given: Value
    size: Any
    settings: Mapping[str, Any]
    axes: tuple[_Axis, _Axis]

    @classmethod
    def of(cls, call: Call, shapes: Mapping[int, Shape], names: Sequence[str]) -> _Pool:
        given, size, *rest = call.args
        settings = {**dict(zip(names, rest, strict=False)), **call.kwargs}
        sizes, strides, padding = map(_both, (size, settings["stride"], settings["padding"]))
        rows, columns = (
            _Axis(shapes[given.number][2 + i], sizes[i], strides[i], padding[i], call.shapes[0][2 + i])
            for i in (0, 1)
        )
        return cls(given, size, settings, (rows, columns))

    @property
    def rounds_up(self) -> bool:
        return bool(self.settings["ceil_mode"])

    def any(self, what: str) -> bool:
        return any(getattr(axis, what) for axis in self.axes)

    def step(self, call: Call, **changed: Any) -> Step:
        """The pool with other settings."""
        return Step(call.function, (self.given, self.size), {**self.settings, **changed}, call.shapes[0])

    def after_padding(self, call: Call, shapes: Mapping[int, Shape], fill: float) -> list[Step]:
        """Padding, and the pool without its own, rounding down."""
        amounts = [side for axis in reversed(self.axes) for side in axis.pads]
        before = padded(self.given, shapes[self.given.number], amounts, {"mode": "constant", "value": fill})
        last = self.step(call, padding=0, ceil_mode=False)
        return [*before, last._replace(args=(PREVIOUS, self.size))]

    @property
    def correction(self) -> Tensor:
        """The size of a window by the numbers that it averages. (1, 1, H', W')"""
        rows, columns = (axis.size / axis.counts for axis in self.axes)
        return (rows[:, None] * columns)[None, None]


def average(call: Call, shapes: Mapping[int, Shape]) -> list[Step]:
    """Round down where that is the same; else average over zeros too, and correct where a window has fewer numbers."""
    names = ("stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    pool = _Pool.of(call, shapes, names)
    if not pool.rounds_up:
        return []
    if not pool.any("overhangs"):
        return [pool.step(call, ceil_mode=False)]
    product = Step(torch.mul, (PREVIOUS, Constant(pool.correction)), {}, call.shapes[0])
    return [*pool.after_padding(call, shapes, 0.0), product]


def maximum(call: Call, shapes: Mapping[int, Shape]) -> list[Step]:
    """Round down where that is the same, and let torch leave out no window."""
    names = ("stride", "padding", "dilation", "ceil_mode", "return_indices")
    pool = _Pool.of(call, shapes, names)
    if not pool.rounds_up or pool.settings["dilation"] != 1:
        return []
    if not pool.any("overhangs"):
        return [pool.step(call, ceil_mode=False)]
    return pool.after_padding(call, shapes, float("-inf")) if pool.any("drops") else []


def _both(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
