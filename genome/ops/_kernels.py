"""Kernels over several inputs, kept so that each pass of a loop finds those that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genome.op import Shape
from genome.ops._modules import he


class Window(NamedTuple):
    """Where the taps of a kernel lie."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    padding: int | str = "same"

    @property
    def pad(self) -> int:
        """Pixels of zeros around the image."""
        return self.dilation * (self.kernel - 1) // 2 if self.padding == "same" else int(self.padding)

    def bordered(self, x: Tensor) -> Tensor:
        """The image, with the odd pixel on the right and bottom where `same` needs one."""
        odd = self.padding == "same" and self.dilation * (self.kernel - 1) % 2
        return F.pad(x, (0, 1, 0, 1)) if odd else x

    def convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        """The convolution with these taps of an image that has its border."""
        if self._is_slow(x, weight):
            with torch.autocast("cpu", enabled=False):
                made = self._plain(x.float(), weight.float(), bias, groups)
            return made.to(torch.get_autocast_dtype("cpu"))
        return self._plain(x, weight, bias, groups)

    def _plain(self, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        return F.conv2d(x, weight, bias, self.stride, self.pad, self.dilation, groups)

    def _is_slow(self, x: Tensor, weight: Tensor) -> bool:
        """Whether bf16 on a CPU is slower than float32: filters of one channel or two, all but plain 3x3 ones.

        Forward and backward of 64 filters over 64 images of 16x16, one thread: 3x3 with stride 2 takes 26.5 ms in bf16
        and 1.3 ms through float32, 5x5 takes 14.8 and 8.4, a 3x3 with stride 1 takes 0.7 and 3.2.
        """
        thin = weight.shape[1] <= 2 and (self.kernel > 3 or self.stride > 1 or self.dilation > 1)
        return thin and x.device.type == "cpu" and torch.is_autocast_enabled("cpu")


class Span(NamedTuple):
    """Part of a concatenation: channels of the image and where their weights begin and end."""

    channels: int
    start: int
    stop: int
    groups: int = 1

    def meets(self, other: Span) -> bool:
        return self.groups == other.groups == 1 and self.stop == other.start

    def joined(self, other: Span) -> Span:
        return self._replace(channels=self.channels + other.channels, stop=other.stop)


class Kernels(nn.Module):
    """A convolution of the concatenation of several inputs: `weight` holds their kernels behind each other.

    A pass of a loop reads some of the inputs, and finds theirs (see `share_kernels`). Each input has groups of
    its own. `depthwise` is one filter per channel.
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
        self.lengths = {  # of each input's weights along the packed dimension
            i: (source.channels, source.channels if depthwise else source.channels // parts, parts)
            for i, (source, parts) in enumerate(zip(sources, groups, strict=True))
            if source is not None
        }
        total = sum(length for _, length, _ in self.lengths.values())
        size = (window.kernel, window.kernel)
        shape = (total, 1, *size) if depthwise else (width, total, *size)
        # inputs whose groups were reduced differ in fan-out
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
        """The dimension of the weight along which the inputs lie."""
        return 0 if self.depthwise else 1

    def spans_in(self, lengths: dict[int, tuple[int, int, int]]) -> list[Span]:
        """Where the weights of my inputs lie in a weight that holds those of `lengths`."""
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
        """The part of the inputs that are read: mostly all or one slice."""
        if len(self.spans) == 1 and self.spans[0].stop - self.spans[0].start == packed.shape[self.packed]:
            return packed
        parts = [packed.narrow(self.packed, span.start, span.stop - span.start) for span in self.spans]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=self.packed)

    def extra_repr(self) -> str:
        return f"{tuple(self.weight.shape)}, {self.window}"


def share_kernels(passes: Sequence[Kernels]) -> None:
    """Give the passes of a loop one weight that holds the kernels of all inputs that any of them reads."""
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
