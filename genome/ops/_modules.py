"""The torch modules that node types are made of. Imported inside `build` alone."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genome.joins import strides
from genome.op import Shape
from genome.ops._paths import Branches, Paths
from genome.parts import in_place

GROUPS = 8  # groups of a group norm, reduced to a divisor of the channels


def he(width: int, kernel: int, groups: int = 1) -> float:
    """The deviation of He's normal distribution by fan-out (arXiv:1502.01852)."""
    return math.sqrt(2.0 * groups / (kernel**2 * width))


class Conv2d(nn.Conv2d):
    """nn.Conv2d that starts from He's normal distribution, biases at zero."""

    def reset_parameters(self) -> None:
        self.weight.data.normal_(0.0, he(self.out_channels, self.kernel_size[0], self.groups))
        if self.bias is not None:
            self.bias.data.zero_()


def conv2d(
    channels: int,
    width: int,
    kernel: int = 1,
    stride: int | tuple[int, int] = 1,
    dilation: int = 1,
    groups: int = 1,
    padding: int | str = "same",
    bias: bool = False,
) -> nn.Module:
    """A convolution. `same` pads to ceil(size / stride) outputs, the odd pixel on the right and bottom."""
    total = dilation * (kernel - 1)
    pad = total // 2 if padding == "same" else int(padding)
    made = Conv2d(channels, width, kernel, stride, pad, dilation, groups, bias)
    if padding == "same" and total % 2:
        return nn.Sequential(OrderedDict(pad=nn.ZeroPad2d((0, 1, 0, 1)), conv=made))
    return made


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
        return F.conv2d(x, weight, bias, self.stride, self.pad, self.dilation, groups)


class BatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d that sets its start values without going through torch's initialisers."""

    def reset_parameters(self) -> None:
        for name, tensor in (*self._parameters.items(), *self._buffers.items()):
            if tensor is not None:
                tensor.data.fill_(1 if name in ("weight", "running_var") else 0)


def norm(kind: str, channels: int, eps: float = 1e-5) -> nn.Module:
    """A norm over the channels of a feature map."""
    if kind == "group":
        return nn.GroupNorm(math.gcd(GROUPS, channels), channels, eps)
    return BatchNorm2d(channels, eps, affine=kind == "batch")


def act(kind: str) -> nn.Module:
    """An activation by its word."""
    kinds: dict[str, type[nn.Module]] = {
        "relu": nn.ReLU,
        "relu6": nn.ReLU6,
        "leaky-relu": nn.LeakyReLU,
        "silu": nn.SiLU,
        "gelu": nn.GELU,
    }
    return kinds[kind]()


def chained(parts: Sequence[tuple[str, nn.Module]], gathers: bool = False) -> nn.Module:
    """One module after the other, under the names of the parts (a second `norm` is `norm2`); a single one is
    itself. With `gathers` over the concatenation of several inputs."""
    if len(parts) < 2 and not gathers:
        return parts[0][1] if parts else nn.Identity()
    named: OrderedDict[str, nn.Module] = OrderedDict()
    before = ""
    for name, part in parts:
        if isinstance(part, nn.ReLU):
            part.inplace = in_place("relu", before)
        named[f"{name}2" if name in named else name] = part
        before = name.rstrip("0123456789")
    return Gather(named) if gathers else nn.Sequential(named)


def shrink(source: Shape, out: Shape) -> nn.Module:
    """Average pooling from one image size to a smaller one: windows of the ratio where they tile the image
    (as PyramidNet's shortcut), else windows spread evenly."""
    ratio = (-(-source.height // out.height), -(-source.width // out.width))
    if (-(-source.height // ratio[0]), -(-source.width // ratio[1])) == (out.height, out.width):
        return nn.AvgPool2d(ratio, ratio, ceil_mode=True)
    return nn.AdaptiveAvgPool2d((out.height, out.width))


class Channels(nn.Module):
    """Add zero channels behind (or in front), or drop those past `channels`. (B, C, H, W) -> (B, channels, H, W)"""

    def __init__(self, channels: int, in_front: bool = False) -> None:
        super().__init__()
        self.channels, self.in_front = channels, in_front

    def forward(self, x: Tensor) -> Tensor:
        more = self.channels - x.shape[1]
        return F.pad(x, (0, 0, 0, 0, more, 0) if self.in_front and more > 0 else (0, 0, 0, 0, 0, more))

    def extra_repr(self) -> str:
        return f"{self.channels}, in_front={self.in_front}"


class Every(nn.Module):
    """Take every n-th pixel. (B, C, H, W) -> (B, C, ceil(H / n), ceil(W / n))"""

    def __init__(self, steps: tuple[int, int]) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.steps[0], :: self.steps[1]]

    def extra_repr(self) -> str:
        return str(self.steps)


def fitter(source: Shape, out: Shape, fit: str) -> nn.Module:
    """The module that brings one input to the shape in which all meet."""
    if source == out:
        return nn.Identity()
    step = strides(source, out)
    parts: list[tuple[str, nn.Module]] = []
    if source[1:] != out[1:] and (fit == "pad" or step is None):
        parts = [("shrink", shrink(source, out))]
    elif source[1:] != out[1:] and step is not None and fit == "front":
        parts = [("shrink", Every(step))]
    if fit == "project":
        kernel = conv2d(source.channels, out.channels, stride=step or 1)
        parts += [("project", kernel), ("norm", norm("batch", out.channels))]
    elif source.channels != out.channels:
        parts.append(("pad", Channels(out.channels, in_front=fit == "front")))
    return chained(parts)


class Edges(nn.ModuleDict):
    """One module per input that is read, under the input's position in `in`."""

    def __init__(self, modules: Sequence[nn.Module | None]) -> None:
        super().__init__({str(i): m for i, m in enumerate(modules) if m is not None})

    def maps(self, xs: Sequence[Tensor | None]) -> Iterator[Tensor]:
        return (module(x) for i, module in self.items() if (x := xs[int(i)]) is not None)

    def total(self, xs: Sequence[Tensor | None]) -> Tensor:
        """The sum, made so that no more than the sum so far and one more map are held."""
        maps = self.maps(xs)
        total = next(maps)
        for one in maps:
            total = total + one
            del one  # else it would live on while the next is made
        return total


class Gather(nn.Sequential):
    """Parts in a row over the concatenation of all inputs that are read. n x (B, C_i, H, W) -> (B, width, ..)"""

    def forward(self, *xs: Tensor | None) -> Tensor:
        read = [x for x in xs if x is not None]
        x = read[0] if len(read) == 1 else torch.cat(read, dim=1)
        del read
        for part in self:
            x = part(x)
        return x


class Span(NamedTuple):
    """Part of a concatenation: channels of the image and where their weights begin and end."""

    channels: int
    start: int
    stop: int
    groups: int = 1

    def meets(self, other: Span) -> bool:
        return self.groups == other.groups == 1 and self.stop == other.start

    def with_(self, other: Span) -> Span:
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
        deviations = {he(1 if depthwise else width // g, window.kernel) for _, _, g in self.lengths.values()}
        self.weight = nn.Parameter(torch.empty(shape).normal_(0.0, max(deviations)))
        if len(deviations) > 1:  # inputs whose groups were reduced differ
            sizes = [length for _, length, _ in self.lengths.values()]
            for part, (_, _, g) in zip(
                torch.split(self.weight.data, sizes, dim=1), self.lengths.values(), strict=True
            ):
                part.mul_(he(width // g, window.kernel) / max(deviations))
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
                spans[-1:] = (
                    [spans[-1].with_(span)] if spans and spans[-1].meets(span) else [*spans[-1:], span]
                )
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
        """The part of the inputs that are read: mostly one slice."""
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


class Join(nn.Module):
    """The sum or the mean of the fitted inputs, then an activation where there is one.

    An input that is None was not read, or dropped for this mini-batch. With `paths` it says which to drop.
    """

    def __init__(
        self,
        edges: Sequence[nn.Module | None],
        mean: bool,
        after: nn.Module | None = None,
        paths: Paths | None = None,
    ) -> None:
        super().__init__()
        self.edges = Edges(edges)
        self.mean = mean
        self.after = after if after is not None else nn.Identity()
        self.paths = paths

    def forward(self, *xs: Tensor | None) -> Tensor:
        if isinstance(self.paths, Branches) and not self.training:
            return self.after(self._expected(xs))  # type: ignore[no-any-return]
        total = self.edges.total(xs)
        if self.mean:
            count = sum(x is not None for x in xs)
            total = total.div_(count) if count > 1 else total  # a sum of several is nobody else's
        return self.after(total)  # type: ignore[no-any-return]

    def _expected(self, xs: Sequence[Tensor | None]) -> Tensor:
        """The sum with each branch weighted by how often it was there; the last input always was."""
        assert isinstance(self.paths, Branches)
        *branches, shortcut = self.edges.items()
        total: Tensor = shortcut[1](xs[int(shortcut[0])])
        for i, module in branches:
            total = torch.add(total, module(xs[int(i)]), alpha=1.0 - self.paths.rate)
        return total


class Concat(nn.Module):
    """The channels of all inputs behind each other."""

    def forward(self, *xs: Tensor) -> Tensor:
        return torch.cat(xs, dim=1)


class Head(nn.Module):
    """Pool each input to a vector, put them behind each other, classify. -> (B, classes)"""

    def __init__(self, edges: Sequence[nn.Module], average: bool, linear: nn.Linear | None) -> None:
        super().__init__()
        self.edges = Edges(edges)
        self.average = average
        self.linear = linear if linear is not None else nn.Identity()

    def forward(self, *xs: Tensor) -> Tensor:
        pooled = [*map(self._pooled, self.edges.maps(xs))]
        vector = pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=1)  # (B, features)
        return self.linear(vector)  # type: ignore[no-any-return]

    def _pooled(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3)) if self.average else x.flatten(1)  # (B, C) or (B, C * H * W)
