"""The torch modules of the joins: inputs fitted to one shape, then summed, averaged or concatenated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genome.joins import strides
from genome.op import Shape
from genome.ops._modules import chained, conv2d, norm
from genome.ops._paths import Branches, Paths


def shrink(source: Shape, out: Shape) -> nn.Module:
    """Average pooling from one image size to a smaller one.

    The windows are as large as the ratio if such windows tile the image (as in PyramidNet's shortcut), else they
    are those of adaptive pooling.
    """
    ratio = (-(-source.height // out.height), -(-source.width // out.width))
    if (-(-source.height // ratio[0]), -(-source.width // ratio[1])) == (out.height, out.width):
        return nn.AvgPool2d(ratio, ratio, ceil_mode=True)
    return nn.AdaptiveAvgPool2d((out.height, out.width))


class Channels(nn.Module):
    """Append (or prepend) zero channels, or drop channels past `channels`. (B, C, H, W) -> (B, channels, H, W)"""

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
    """The module that brings one input to the common shape `out`."""
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
        self.places = tuple([i for i, m in enumerate(modules) if m is not None])

    def maps(self, xs: Sequence[Tensor | None]) -> Iterator[Tensor]:
        for i, module in zip(self.places, self.values(), strict=True):
            x = xs[i]
            if x is not None:  # most edges are the identity, and a type check is faster than a call
                yield x if type(module) is nn.Identity else module(x)

    def total(self, xs: Sequence[Tensor | None]) -> Tensor:
        """The sum, with no more than the running sum and one more map in memory."""
        maps = self.maps(xs)
        total = next(maps)
        for one in maps:
            total = total + one
            del one  # frees its memory before the next map is made
        return total


class Join(nn.Module):
    """The sum or the mean of the fitted inputs, then the activation `after`, if any.

    An input is None if it was not read, or was dropped for this mini-batch. `paths` is the node's drop-path.
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
        count = sum(x is not None for x in xs)
        if count > 1:  # only a sum of several is a new tensor
            total = total.div_(count) if self.mean else total
        elif getattr(self.after, "inplace", False):
            total = total.clone()
        return self.after(total)  # type: ignore[no-any-return]

    def _expected(self, xs: Sequence[Tensor | None]) -> Tensor:
        """The sum with each branch that is read times its probability of being kept; the last input is always read."""
        assert isinstance(self.paths, Branches)
        *branches, shortcut = self.edges.items()
        total: Tensor = shortcut[1](xs[int(shortcut[0])])
        for i, module in branches:
            if xs[int(i)] is not None:
                total = torch.add(total, module(xs[int(i)]), alpha=1.0 - self.paths.rate)
        return total


class Concat(nn.Module):
    """The inputs concatenated along the channels."""

    def forward(self, *xs: Tensor) -> Tensor:
        return torch.cat(xs, dim=1)
