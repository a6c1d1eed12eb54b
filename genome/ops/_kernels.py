"""Convolution kernels over several inputs, stored so that each pass of a loop finds those of the inputs it reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genome.axes import Both, axes, extents
from genome.op import Shape
from genome.ops._modules import he, is_slow_in_bf16, torch_conv2d


class Window(NamedTuple):
    """The taps of a kernel."""

    kernel: Both = 1
    stride: Both = 1
    dilation: Both = 1
    padding: int | str = "same"

    @property
    def is_even(self) -> bool:
        """Whether both sides of the image get the same padding."""
        return self.padding != "same" or all(extent % 2 for extent in extents(self.kernel, self.dilation))

    @property
    def pad(self) -> tuple[int, int]:
        """The pixels of zeros above and below the image, and to its left and right."""
        if self.padding != "same":
            return int(self.padding), int(self.padding)
        rows, columns = extents(self.kernel, self.dilation)
        return (rows - 1) // 2, (columns - 1) // 2

    def bordered(self, x: Tensor) -> Tensor:
        """The image, with one more column and row of zeros at the right and bottom if `same` needs them."""
        below, beside = (1 - extent % 2 for extent in extents(self.kernel, self.dilation))
        return x if self.is_even else F.pad(x, (0, beside, 0, below))

    def convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        """The convolution of an image that is `bordered` already."""
        if self._is_slow(x, weight):
            with torch.autocast("cpu", enabled=False):
                made = self._plain(x.float(), weight.float(), bias, groups)
            return made.to(torch.get_autocast_dtype("cpu"))
        return self._plain(x, weight, bias, groups)

    def _plain(self, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        return F.conv2d(x, weight, bias, self.stride, self.pad, self.dilation, groups)

    def _is_slow(self, x: Tensor, weight: Tensor) -> bool:
        slow = is_slow_in_bf16(weight.shape[1], self.kernel, self.stride, self.dilation)
        return slow and x.device.type == "cpu" and torch.is_autocast_enabled("cpu")


class Span(NamedTuple):
    """Consecutive channels of a concatenation, and the slice of the weight that belongs to them."""

    channels: int
    start: int
    stop: int
    groups: int = 1

    def meets(self, other: Span) -> bool:
        return self.groups == other.groups == 1 and self.stop == other.start

    def joined(self, other: Span) -> Span:
        return self._replace(channels=self.channels + other.channels, stop=other.stop)


class Kernels(nn.Module):
    """A convolution of the concatenation of several inputs. `weight` holds the kernels of the inputs in order.

    A pass of a loop may read only some of the inputs, and uses their kernels alone (see `share_kernels`). Each input
    has its own number of groups. `depthwise` means one filter per channel.
    """

    def __init__(
        self,
        sources: Sequence[Shape | None],
        width: int,
        groups: Sequence[int],
        window: Window = Window(),  # noqa: B008 - frozen
        bias: bool = False,
        depthwise: bool = False,
    ) -> None:
        super().__init__()
        self.window, self.depthwise = window, depthwise
        # per input: its channels, the length of its weights along the packed dimension, its groups
        self.lengths = {
            i: (source.channels, source.channels if depthwise else source.channels // parts, parts)
            for i, (source, parts) in enumerate(zip(sources, groups, strict=True))
            if source is not None
        }
        total = sum(length for _, length, _ in self.lengths.values())
        size = axes(window.kernel)
        shape = (total, 1, *size) if depthwise else (width, total, *size)
        # inputs with fewer groups than asked for have another fan-out
        deviations = [he(1 if depthwise else width // g, window.kernel) for _, _, g in self.lengths.values()]
        self.weight = nn.Parameter(torch.empty(shape).normal_(0.0, deviations[0]))
        if len(set(deviations)) > 1:
            sizes = [length for _, length, _ in self.lengths.values()]
            for part, deviation in zip(torch.split(self.weight.data, sizes, dim=1), deviations, strict=True):
                part.mul_(deviation / deviations[0])
        self.bias = nn.Parameter(torch.zeros(total if depthwise else width)) if bias else None
        self.spans = self.spans_in(self.lengths)

    @property
    def packed(self) -> int:
        """The dimension of the weight along which the inputs are concatenated."""
        return 0 if self.depthwise else 1

    def spans_in(self, lengths: dict[int, tuple[int, int, int]]) -> list[Span]:
        """The slices of this module's inputs in a weight that holds all inputs of `lengths`."""
        spans: list[Span] = []
        start = 0
        for i, (channels, length, groups) in sorted(lengths.items()):
            if i in self.lengths:
                span = Span(channels, start, start + length, 1 if self.depthwise else groups)
                if spans and spans[-1].meets(span):
                    span = spans.pop().joined(span)
                spans.append(span)
            start += length
        return spans

    def forward(self, x: Tensor) -> Tensor:
        x = self.window.bordered(x)
        if self.depthwise:
            bias = None if self.bias is None else self._read(self.bias)
            return self.window.convolved(x, self._read(self.weight), bias, x.shape[1])
        if all(span.groups == 1 for span in self.spans):
            return self.window.convolved(x, self._read(self.weight), self.bias, 1)
        pieces = torch.split(x, [span.channels for span in self.spans], dim=1)
        total = self._convolved(pieces[0], self.spans[0], self.bias)
        for piece, span in zip(pieces[1:], self.spans[1:], strict=True):
            total = total + self._convolved(piece, span, None)
        return total

    def _convolved(self, x: Tensor, span: Span, bias: Tensor | None) -> Tensor:
        weight = self.weight[:, span.start : span.stop]
        return self.window.convolved(x, weight, bias, span.groups)

    def _read(self, packed: Tensor) -> Tensor:
        """The part of a packed tensor that belongs to the inputs that are read, mostly all of it or one slice."""
        if len(self.spans) == 1 and self.spans[0].stop - self.spans[0].start == packed.shape[self.packed]:
            return packed
        parts = [packed.narrow(self.packed, span.start, span.stop - span.start) for span in self.spans]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=self.packed)

    def as_conv2d(self) -> nn.Module:
        """The same layer with the same parameters as an nn.Conv2d, where one computes it, else this module itself."""
        (first, *more), packed = self.spans, self.weight.shape[self.packed]
        if more or first.groups > 1 or first.stop - first.start < packed or not self.window.is_even:
            return self
        window, width = self.window, len(self.weight)
        groups, bias = width if self.depthwise else 1, self.bias is not None
        place = window.kernel, window.stride, window.pad, window.dilation
        made = torch_conv2d(first.channels, width, *place, groups, bias)
        made.weight, made.bias = self.weight, self.bias
        return made

    def extra_repr(self) -> str:
        return f"{tuple(self.weight.shape)}, {self.window}"


def share_kernels(passes: Sequence[Kernels]) -> None:
    """Give all passes of a loop one weight with the kernels of every input that any pass reads."""
    lengths: dict[int, tuple[int, int, int]] = {}
    weights: dict[int, Tensor] = {}
    for one in passes:
        sizes = [length for _, length, _ in one.lengths.values()]
        for i, weight in zip(one.lengths, torch.split(one.weight.data, sizes, dim=one.packed), strict=True):
            lengths.setdefault(i, one.lengths[i])
            weights.setdefault(i, weight)
    first = passes[0]
    weight = nn.Parameter(torch.cat([weights[i] for i in sorted(lengths)], dim=first.packed))
    bias = first.bias
    if bias is not None and first.depthwise:
        bias = nn.Parameter(torch.zeros(len(weight)))
    for one in passes:
        one.weight, one.bias, one.spans = weight, bias, one.spans_in(lengths)
