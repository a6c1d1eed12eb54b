"""The torch module of `active`, imported only by `build`."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genome.axes import Both, area, axes
from genome.ops._exact import exact
from genome.ops._modules import he


class Rule(torch.autograd.Function):
    """The positions, clamped to `bound` (rows, columns). Their gradient is the published step, not the derivative.

    The step is the derivative times `rate`; with `normalize` each tap's derivative is divided by its length first,
    unless that is exactly 0. A coordinate past the bound takes no step further out.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(position: Tensor, bound: tuple[int, int], rate: float, normalize: bool) -> Tensor:
        limit: Any = _limit(position, bound)
        return position.clamp(-limit, limit)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, int], float, bool], output: Tensor) -> None:
        position, ctx.bound, ctx.rate, ctx.normalize = inputs
        ctx.save_for_backward(position)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (position,) = ctx.saved_tensors
        limit = _limit(position, ctx.bound)
        outward = ((position >= limit) & (grad < 0)) | ((position < -limit) & (grad > 0))
        step = grad.masked_fill(outward, 0.0).view(-1, 2)
        if ctx.normalize:
            length = torch.hypot(step[:, 0], step[:, 1]).unsqueeze(1)  # no underflow, unlike a sum of squares
            step = step / torch.where(length > 0, length, 1.0)
        return step.flatten() * ctx.rate, None, None, None


class Still(torch.autograd.Function):
    """The weight unchanged, and a gradient of zero for the positions, so that frozen positions have one too."""

    generate_vmap_rule = True

    @staticmethod
    def forward(weight: Tensor, position: Tensor) -> Tensor:
        return weight.view_as(weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        return grad, torch.zeros_like(ctx.saved_tensors[0])


class Centres(NamedTuple):
    """Where the kernel's centre is along one axis, in pixels of the input."""

    first: int  # for the first output pixel
    last: int  # for the last one
    pixels: int  # of the image

    def reached(self, low: int, high: int) -> tuple[int, int]:
        """The part of low..high, relative to the centre, that is inside the image for some output pixel."""
        low = min(max(low, -self.last), high)
        return low, max(low, min(high, self.pixels - 1 - self.first))

    def around(self, low: int, high: int) -> tuple[int, int]:
        """The zeros before and after the image that a kernel over low..high reads; below zero, the pixels it skips."""
        return -(self.first + low), self.last + high - (self.pixels - 1)


class Box(NamedTuple):
    """The pixels that a kernel covers, relative to its centre, ends included."""

    top: int
    bottom: int
    left: int
    right: int

    def within(self, rows: Centres, columns: Centres) -> Box:
        """The box without the pixels that are outside the image for every output pixel; at least one pixel."""
        return Box(*rows.reached(self.top, self.bottom), *columns.reached(self.left, self.right))


class Watch:
    """Tells whether positions are at their start, with few reads, since each read waits for the device.

    Frozen positions never move, but each step of an optimizer adds zeros to them and so changes their version.
    While the version grows at a steady rate, the positions are read after 1, 2, 4, 8, .. changes; after any other
    change they are read at once. A wrong `False` is only slower: the dense kernel is correct for all positions.
    """

    def __init__(self) -> None:
        self.position: Tensor | None = None
        self.version = self.change = 0
        self.patience = self.trusted = 0
        self.flat = False

    def at(self, position: Tensor, start: Tensor, frozen: bool) -> bool:
        """Whether `position` equals `start`. `frozen` says that this training step gives the positions no gradient."""
        same = position is self.position
        change = position._version - self.version
        if same and (change == 0 or (frozen and not self.flat)):
            return self.flat
        steady = same and frozen and change == self.change
        self.version = position._version
        if steady and self.trusted < self.patience:
            self.trusted += 1
            return True
        self.position, self.change = position, change
        self.patience, self.trusted = (2 * self.patience + 1 if steady else 0), 0
        self.flat = torch.equal(position, start)
        return self.flat


class Active(nn.Module):
    """An active convolution. (B, C, H, W) -> (B, width, H', W'), H' = floor((H + 2 padding - kernel) / stride) + 1

    `position` holds (dy, dx) of each tap except the centre, in pixels from the centre, in raster order, for each
    group of output channels in turn. It is one-dimensional, so that weight decay on matrices does not apply to it.
    The layer runs as one convolution with a kernel synthesised from the bilinear coefficients of the taps. This is
    exact, since a tap outside the image reads zeros. `steps` counts training forwards up to `warmup`.
    """

    lattice: Tensor
    steps: Tensor

    def __init__(
        self,
        channels: int,
        width: int,
        kernel: Both = 3,
        stride: Both = 1,
        groups: int = 1,
        bias: bool = False,
        rate: float = 0.01,
        warmup: int = 0,
        normalize: bool = True,
        padding: int | None = None,  # by default kernel // 2
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.groups = axes(kernel), axes(stride), groups
        self.rate, self.warmup, self.normalize = rate, warmup, normalize
        rows, columns = self.kernel
        self.padding = (rows // 2, columns // 2) if padding is None else (padding, padding)
        self.bound = (rows // 2 + 1, columns // 2 + 1)
        self.weight = nn.Parameter(
            torch.empty(width, channels, rows, columns).normal_(0.0, he(width, kernel))
        )
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None
        self.register_buffer("lattice", _lattice(rows, columns).repeat(groups), persistent=False)
        self.position = nn.Parameter(self.lattice.clone())
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self._forget()

    def _forget(self) -> None:
        self._watch = Watch()
        self._read: tuple[Tensor, int, int] | None = None  # `steps`, its version, its value on the host

    def __getstate__(self) -> dict[str, Any]:
        """The state to copy or pickle, without what the host has read of these tensors."""
        return {key: value for key, value in self.__dict__.items() if key not in ("_watch", "_read")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._forget()

    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_compiling():  # the host may read no tensor
            return self._dense(x, self._traced(), self._widest())
        counts = self.training and torch.is_grad_enabled()
        learns = counts and self._warm() and self.rate > 0 and self.position.requires_grad
        if not learns and self._at_start(counts):
            weight = Still.apply(self.weight, self.position)
            return F.conv2d(x, weight, self.bias, self.stride, self.padding)
        position = Rule.apply(self.position, self.bound, self.rate if learns else 0.0, self.normalize)
        return self._dense(
            x, position, self._tightest(position) if x.device.type == "cpu" else self._widest()
        )

    def _warm(self) -> bool:
        """Count this training forward, and return whether the warm-up is over."""
        if not self.warmup or self.steps.is_meta:
            return not self.warmup
        steps, read = self.steps, self._read
        if read is None or read[0] is not steps or read[1] != steps._version:  # loaded, moved or shared
            read = self._read = (steps, steps._version, int(steps))
        if read[2] >= self.warmup:
            return True
        steps.add_(1)
        self._read = (steps, steps._version, read[2] + 1)
        return False

    def _at_start(self, frozen: bool) -> bool:
        if self.position.is_meta:
            return True
        if self.position.device.type == "cpu":
            return torch.equal(self.position, self.lattice)
        return self._watch.at(self.position, self.lattice, frozen)

    def _traced(self) -> Tensor:
        """The positions and the warm-up, computed with tensors only."""
        position: Tensor = self.position
        counts = self.training and torch.is_grad_enabled()
        if counts and self.warmup:
            frozen = self.steps < self.warmup
            self.steps.add_(frozen)  # True is one
            position = torch.where(frozen, position.detach(), position)
        return Rule.apply(position, self.bound, self.rate if counts else 0.0, self.normalize)  # type: ignore[no-any-return]

    def _widest(self) -> Box:
        down, across = self.bound
        return Box(-down, down, -across, across)

    def _tightest(self, position: Tensor) -> Box:
        """The pixels that taps read. A tap exactly on a pixel reads the next one too, since it may move there."""
        corners = _lower(position.detach().view(-1, 2), self.bound)
        top, left = (int(min(low, 0)) for low in corners.amin(0).tolist())
        bottom, right = (int(max(low + 1, 0)) for low in corners.amax(0).tolist())
        return Box(top, bottom, left, right)

    def _dense(self, x: Tensor, position: Tensor, box: Box) -> Tensor:
        rows, columns = (self._centres(axis, pixels) for axis, pixels in enumerate(x.shape[2:]))
        box = box.within(rows, columns)
        with exact(x):
            kernel = self._synthesised(position, box)
        above, below = rows.around(box.top, box.bottom)
        left, right = columns.around(box.left, box.right)
        if box.top == -box.bottom and box.left == -box.right and above >= 0 and left >= 0:
            return F.conv2d(x, kernel, self.bias, self.stride, (above, left))
        return F.conv2d(F.pad(x, (left, right, above, below)), kernel, self.bias, self.stride)

    def _centres(self, axis: int, pixels: int) -> Centres:
        kernel, stride, padding = self.kernel[axis], self.stride[axis], self.padding[axis]
        first = kernel // 2 - padding
        outputs = (pixels + 2 * padding - kernel) // stride + 1
        return Centres(first, first + (outputs - 1) * stride, pixels)

    def _synthesised(self, position: Tensor, box: Box) -> Tensor:
        """The kernel over the box, each tap's weight spread over the four pixels around it. (O, C, S, T)"""
        width, channels = self.weight.shape[:2]
        taps = position.view(self.groups, -1, 2)  # (groups, K - 1, 2)
        centre = taps.shape[1] // 2
        taps = torch.cat([taps[:, :centre], torch.zeros_like(taps[:, :1]), taps[:, centre:]], dim=1)
        low = _lower(taps.detach(), self.bound)
        part = taps - low  # on a pixel its derivative is the right-sided one, 1
        down = _shares(low[..., 0], part[..., 0], box.top, box.bottom)  # (groups, K, S)
        across = _shares(low[..., 1], part[..., 1], box.left, box.right)  # (groups, K, T)
        cells = (down.unsqueeze(-1) * across.unsqueeze(-2)).flatten(2)  # (groups, K, S * T)
        weight = self.weight.reshape(self.groups, -1, area(self.kernel))  # (groups, O / groups * C, K)
        return (weight @ cells).view(width, channels, down.shape[-1], across.shape[-1])

    def extra_repr(self) -> str:
        width, channels = self.weight.shape[:2]
        return f"{channels}, {width}, kernel={self.kernel}, stride={self.stride}, groups={self.groups}"


def _lattice(rows: int, columns: int) -> Tensor:
    """(dy, dx) of the taps of an ordinary kernel in raster order, without the centre; one-dimensional."""
    down, across = (range(-(size // 2), size // 2 + 1) for size in (rows, columns))
    return torch.tensor([float(c) for y in down for x in across if y or x for c in (y, x)])


def _limit(position: Tensor, bound: tuple[int, int]) -> int | Tensor:
    """How far the coordinates in `position`, rows and columns in turn, may be from the centre."""
    down, across = bound
    return down if down == across else position.new_tensor(bound).repeat(len(position) // 2)


def _lower(places: Tensor, bound: tuple[int, int]) -> Tensor:
    """The pixel before each place; the last one that counts is before the bound. (.., 2) -> (.., 2)"""
    down, across = bound
    last = down - 1 if down == across else places.new_tensor((down - 1, across - 1))
    return places.floor().clamp(max=last)


def _shares(low: Tensor, part: Tensor, first: int, last: int) -> Tensor:
    """The linear coefficients of taps at `low + part` for pixels first..last of an axis. (..) -> (.., pixels)"""
    away = torch.arange(first, last + 1, device=low.device) - low.unsqueeze(-1)
    part = part.unsqueeze(-1)
    return (away == 0) * (1 - part) + (away == 1) * part
