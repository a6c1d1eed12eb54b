"""The torch modules of `perturb`: the noise alone, and a fused form of noise, activation and 1x1 mix.

M masks turn C channels into C * M maps, all of which autograd would save. `stream` makes them in a small buffer that
stays in the cache, for a few samples or a few rows at a time, and recomputes them in the backward pass. The results
are those of the plain form; the memory is little more than that of the input.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from genome.op import Shape
from genome.ops._buffer import BUFFER, rows_at_once
from genome.ops._bypass import may_bypass

aten: Any = torch.ops.aten
CUDA_BUFFER = 1 << 25  # numbers in a buffer: enough work for a kernel launch
ROWS_CHANNELS = 16  # with fewer channels the innermost loop, which is over channels, is too short


def drawn(noise: str, masks: int, source: Shape, shared: bool, level: float) -> Tensor:
    """Masks (masks, C or 1, H, W), drawn from torch's global generator."""
    made = torch.empty(masks, 1 if shared else source.channels, source.height, source.width)
    return made.normal_().mul_(level) if noise == "normal" else made.uniform_(-1.0, 1.0).mul_(level)


class Noise(nn.Module):
    """Each channel plus each of its masks. (B, C, H, W) -> (B, C * M, H, W); mask m of channel c is map c * M + m.

    Raises:
        ValueError: images that do not have the size of the masks.
    """

    def __init__(self, masks: Tensor) -> None:
        super().__init__()
        self.masks: Tensor
        self.register_buffer("masks", masks)  # (M, C or 1, H, W)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        if len(self.masks) == 1:
            return x + self.masks
        # the sum takes the layout of the masks; with any other layout flattening would copy all maps
        masks = self.masks.transpose(0, 1).contiguous()  # (C or 1, M, H, W)
        return (x.unsqueeze(2) + masks).flatten(1, 2)  # (B, C, M, H, W) -> (B, C * M, ..)

    def check(self, x: Tensor) -> None:
        (height, width), found = self.masks.shape[2:], x.shape[2:]
        if (height, width) != found:
            raise ValueError(
                f"the masks of perturb were drawn for images of {height}x{width} here, not {found[0]}x{found[1]}; "
                "masks are never resized: build the genome for the other image size"
            )

    def extra_repr(self) -> str:
        return f"masks={tuple(self.masks.shape)}"


class Streamed(nn.Sequential):
    """`noise`, `act` (if it comes next) and `mix`, computed by `stream`, then the other parts in sequence."""

    def __init__(self, parts: Sequence[tuple[str, nn.Module]], activation: str) -> None:
        super().__init__(OrderedDict(parts))
        names = [name for name, _ in parts]
        self.head = names.index("mix") + 1
        self.activation = activation if "act" in names[: self.head] else None

    def forward(self, x: Tensor) -> Tensor:
        first = 0
        # a compiler would unroll the loop over the samples
        if not torch.compiler.is_compiling() and may_bypass([*self][1 : self.head]):
            x, first = self._streamed(x), self.head
        for part in [*self][first:]:
            x = part(x)
        return x

    def _streamed(self, x: Tensor) -> Tensor:
        noise, mix = self.noise, self.mix
        assert isinstance(noise, Noise) and isinstance(mix, nn.Conv2d)
        noise.check(x)
        dtype = torch.result_type(x, noise.masks)
        kind = x.device.type
        if kind != "meta" and dtype != torch.float64 and torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
        return stream(x, noise.masks, mix.weight, mix.bias, self.activation, mix.groups, dtype)


def stream(
    x: Tensor,
    masks: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    activation: str | None,
    groups: int,
    dtype: torch.dtype,
) -> Tensor:
    """conv1x1(act(x + masks)), computed in `dtype`. (B, C, H, W) -> (B, O, H, W) in the memory format of `x`.

    `masks` (M, C or 1, H, W) have no gradient; `weight` is (O, C * M / groups, 1, 1) and `bias` is (O,).
    """
    made: Tensor = _Stream.apply(x, masks, weight, bias, activation, groups, dtype)
    return made


class Act(NamedTuple):
    """An activation that runs in place, and its backward."""

    run: Any  # the in-place operator
    back: Any  # the operator that multiplies a gradient by the derivative
    run_args: tuple[float, ...] = ()
    back_args: tuple[Any, ...] = ()
    from_result: bool = True  # whether the derivative follows from the output
    from_input: bool = True  # whether it follows from the input


ACTS = {
    None: Act(lambda z: z, None),
    "relu": Act(aten.relu_, aten.threshold_backward, back_args=(0,)),
    "relu6": Act(aten.hardtanh_, aten.hardtanh_backward, (0.0, 6.0), (0.0, 6.0)),
    "leaky-relu": Act(aten.leaky_relu_, aten.leaky_relu_backward, (0.01,), (0.01, True)),
    "silu": Act(aten.silu_, aten.silu_backward, from_result=False),
    "gelu": Act(aten.gelu_, aten.gelu_backward, from_result=False),
    "sigmoid": Act(aten.sigmoid_, aten.sigmoid_backward, from_input=False),
}


class Maps(NamedTuple):
    """The maps of a few samples, in three views of the same numbers."""

    flat: Tensor  # (C * M * samples * H * W,)
    each: Tensor  # (C, M, samples, H, W)
    matrix: Tensor  # (groups, C * M / groups, samples * H * W)

    def copy(self, other: Maps) -> Maps:
        """Copy the numbers of `other`."""
        self.flat.copy_(other.flat)
        return self


class Tile(NamedTuple):
    """Some rows of some samples."""

    samples: slice
    rows: slice

    def of(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (C, samples, rows, W)"""
        return x[self.samples, :, self.rows].transpose(0, 1)

    def noise(self, masks: Tensor) -> Tensor:
        """(M, C or 1, H, W) -> (C or 1, M, 1, rows, W)"""
        return masks[:, :, self.rows].transpose(0, 1).unsqueeze(2)


class Buffer:
    """A buffer for the C * M maps of a few samples or rows, in the memory format of the images.

    For contiguous images the maps are (C * M, samples * H * W), and the weights multiply from the left. For images
    in channels_last the maps are (samples * H * W, M * C).
    """

    def __init__(self, x: Tensor, masks: int, groups: int, dtype: torch.dtype) -> None:
        self.samples, self.channels, self.height, self.width = x.shape
        self.masks, self.groups = masks, groups
        last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
        self.rows = last and groups == 1 and self.channels >= ROWS_CHANNELS
        self.layout = torch.channels_last if last else torch.contiguous_format
        maps = Shape(masks * self.channels, self.height, self.width)
        most = CUDA_BUFFER if x.is_cuda else BUFFER * torch.get_num_threads()
        self.lines = rows_at_once(maps, most)  # rows of an image
        self.chunk = max(1, min(self.samples, most // maps.size))
        numbers = self.chunk * self.lines * maps.channels * maps.width
        self.numbers = torch.empty(numbers, dtype=dtype, device=x.device)

    def tiles(self) -> Iterator[Tile]:
        """All images, in tiles of as many samples and rows as the buffer holds."""
        for i in range(0, self.samples, self.chunk):
            for top in range(0, self.height, self.lines):
                yield Tile(slice(i, i + self.chunk), slice(top, top + self.lines))

    def of(self, samples: int, h: int) -> Maps:
        """The part of the buffer for this many samples and rows."""
        c, m, w = self.channels, self.masks, self.width
        flat = self.numbers[: samples * m * c * h * w]
        if self.rows:
            each = flat.view(samples, h, w, m, c).permute(4, 3, 0, 1, 2)
            return Maps(flat, each, flat.view(1, samples * h * w, m * c).transpose(1, 2))
        each = flat.view(c, m, samples, h, w)
        return Maps(flat, each, flat.view(self.groups, c * m // self.groups, samples * h * w))

    def filled(self, tile: Tile, x: Tensor, masks: Tensor) -> Maps:
        """A tile of x (B, C, H, W) plus each of the masks (M, C or 1, H, W)."""
        own = tile.of(x)
        maps = self.of(*own.shape[1:3])
        torch.add(own.unsqueeze(1), tile.noise(masks), out=maps.each)
        return maps

    def matrices(self, weight: Tensor) -> Tensor:
        """Weights (O, C * M / groups, 1, 1) as (groups, O / groups, C * M / groups), in the order of the maps."""
        if self.rows:
            weight = weight.view(len(weight), self.channels, self.masks).transpose(1, 2)
        return weight.reshape(self.groups, len(weight) // self.groups, -1)

    def back(self, matrices: Tensor, weight: Tensor) -> Tensor:
        """The inverse of `matrices`: (groups, O / groups, C * M / groups) in the shape of `weight`."""
        if self.rows:
            matrices = matrices.reshape(len(weight), self.masks, self.channels).transpose(1, 2)
        return matrices.reshape(weight.shape)


class _Stream(torch.autograd.Function):
    """The function of `stream`. All factors are cast to `dtype` first, so autocast changes nothing inside."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        masks: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        activation: str | None,
        groups: int,
        dtype: torch.dtype,
    ) -> Tensor:
        ctx.save_for_backward(x, masks, weight)
        ctx.genes = activation, groups, dtype
        act = ACTS[activation]
        buffer = Buffer(x, len(masks), groups, dtype)
        kernel = buffer.matrices(weight.to(dtype))
        shift = None if bias is None else bias.to(dtype).view(groups, -1, 1)
        size = (len(x), len(weight), *x.shape[2:])
        y = torch.empty(size, dtype=dtype, device=x.device, memory_format=buffer.layout)
        for tile in buffer.tiles():
            maps = buffer.filled(tile, x, masks)
            act.run(maps.flat, *act.run_args)
            mixed = torch.bmm(kernel, maps.matrix) if shift is None else shift.baddbmm(kernel, maps.matrix)
            own = tile.of(y)
            own.copy_(mixed.view(own.shape))
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
        x, masks, weight = ctx.saved_tensors
        activation, groups, dtype = ctx.genes
        by_x, _, by_weight, by_bias, *_ = ctx.needs_input_grad
        act = ACTS[activation]
        buffer, more = (Buffer(x, len(masks), groups, dtype) for _ in range(2))
        kernel = (
            buffer.matrices(weight.to(dtype)).transpose(1, 2).contiguous()
        )  # (groups, C * M / groups, ..)
        gx = torch.empty_like(x) if by_x else None
        gw = torch.zeros_like(kernel, dtype=torch.promote_types(dtype, torch.float32))
        for tile in buffer.tiles():
            maps = buffer.filled(tile, x, masks)
            own = tile.of(gy)
            grads = more.of(*own.shape[1:3])
            gm = own.reshape(groups, len(weight) // groups, -1)
            if by_weight or not act.from_input:
                result = maps if act.from_result else grads.copy(maps)
                act.run(result.flat, *act.run_args)
                if by_weight:
                    _add_product(gw, result.matrix, gm.transpose(1, 2))
            if gx is not None:
                torch.bmm(kernel, gm, out=grads.matrix)
                if act.back is not None:
                    act.back(grads.flat, maps.flat, *act.back_args, grad_input=grads.flat)
                tile.of(gx).copy_(grads.each.sum(1, dtype=x.dtype))
        gk = buffer.back(gw.transpose(1, 2), weight).to(weight.dtype) if by_weight else None
        gb = gy.sum((0, 2, 3), dtype=weight.dtype) if by_bias else None
        return gx, None, gk, gb, None, None, None


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """total += a b, in the precision of `total`, which may be the higher one."""
    if total.dtype == a.dtype:
        torch.baddbmm(total, a, b, out=total)
    else:
        total += torch.bmm(a, b)
