"""The torch modules that node types are made of. Imported inside `build` alone."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genome.joins import strides
from genome.op import Shape

GROUPS = 8  # groups of a group norm, reduced to a divisor of the channels


class Conv2d(nn.Conv2d):
    """nn.Conv2d that starts from He's normal distribution by fan-out (arXiv:1502.01852), biases at zero."""

    def reset_parameters(self) -> None:
        kernel = self.kernel_size[0] * self.kernel_size[1]
        self.weight.data.normal_(0.0, math.sqrt(2.0 * self.groups / (kernel * self.out_channels)))
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


def chained(parts: Sequence[tuple[str, nn.Module]]) -> nn.Module:
    """One module after the other, under the names of the parts; a single one is itself."""
    if not parts:
        return nn.Identity()
    return parts[0][1] if len(parts) == 1 else nn.Sequential(OrderedDict(parts))


def shrink(source: Shape, out: Shape) -> nn.Module:
    """Average pooling from one image size to a smaller one: windows of the ratio where they tile the image
    (as PyramidNet's shortcut), else windows spread evenly."""
    ratio = (-(-source.height // out.height), -(-source.width // out.width))
    if (-(-source.height // ratio[0]), -(-source.width // ratio[1])) == (out.height, out.width):
        return nn.AvgPool2d(ratio, ratio, ceil_mode=True)
    return nn.AdaptiveAvgPool2d((out.height, out.width))


class Channels(nn.Module):
    """Append zero channels, or drop those past `channels`. (B, C, H, W) -> (B, channels, H, W)"""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, 0, 0, 0, 0, self.channels - x.shape[1]))

    def extra_repr(self) -> str:
        return str(self.channels)


def fitter(source: Shape, out: Shape, fit: str) -> nn.Module:
    """The module that brings one input to the shape in which all meet."""
    if source == out:
        return nn.Identity()
    if fit == "pad":
        parts = [("shrink", shrink(source, out))] if source[1:] != out[1:] else []
        if source.channels != out.channels:
            parts.append(("pad", Channels(out.channels)))
        return chained(parts)
    step = strides(source, out)
    parts = [] if step is not None else [("shrink", shrink(source, out))]
    kernel = conv2d(source.channels, out.channels, stride=step or 1)
    return chained([*parts, ("project", kernel), ("norm", norm("batch", out.channels))])


class Edges(nn.ModuleDict):
    """One module per input that is read, under the input's position in `in`."""

    def __init__(self, modules: Sequence[nn.Module | None]) -> None:
        super().__init__({str(i): m for i, m in enumerate(modules) if m is not None})

    def maps(self, xs: Sequence[Tensor | None]) -> Iterator[Tensor]:
        return (module(xs[int(i)]) for i, module in self.items())

    def total(self, xs: Sequence[Tensor | None]) -> Tensor:
        """The sum, made so that no more than the sum so far and one more map are held."""
        maps = self.maps(xs)
        total = next(maps)
        for one in maps:
            total = total + one
            del one  # else it would live on while the next is made
        return total


class Sum(nn.Module):
    """A kernel per input, summed, with one bias for all: the convolution of the concatenation."""

    def __init__(self, edges: Edges, bias: int, after: nn.Module) -> None:
        super().__init__()
        self.edges = edges
        self.bias = nn.Parameter(torch.zeros(bias)) if bias else None
        self.after = after

    def forward(self, *xs: Tensor | None) -> Tensor:
        total = self.edges.total(xs)
        if self.bias is not None:
            total = total + self.bias.view(-1, 1, 1)  # (C,) -> (C, 1, 1)
        # A Sequential holds its input to the end; part by part the sum is let go once it is read.
        for part in self.after if isinstance(self.after, nn.Sequential) else (self.after,):
            total = part(total)
        return total


def summed(edges: Sequence[nn.Module | None], width: int, bias: bool, after: nn.Module) -> nn.Module:
    """The sum of one chain per input, then what comes after."""
    return Sum(Edges(edges), width if bias else 0, after)


class Join(nn.Module):
    """The sum or the mean of the fitted inputs, then an activation where there is one."""

    def __init__(self, edges: Sequence[nn.Module | None], mean: bool, after: nn.Module | None = None) -> None:
        super().__init__()
        self.edges = Edges(edges)
        self.mean = mean
        self.after = after if after is not None else nn.Identity()

    def forward(self, *xs: Tensor | None) -> Tensor:
        total = self.edges.total(xs)
        return self.after(total / len(self.edges) if self.mean else total)  # type: ignore[no-any-return]


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
