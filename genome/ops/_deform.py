"""The torch module of `deform`, imported only by `build`."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genome.axes import Both, area, axes, extents
from genome.ops._exact import exact
from genome.ops._modules import he


class Scaled(torch.autograd.Function):
    """The tensor unchanged; its gradient is multiplied by `rate`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(tensor: Tensor, rate: float) -> Tensor:
        return tensor.view_as(tensor)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        ctx.rate = inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.rate, None


class Deform(nn.Module):
    """A deformable convolution. (B, C, H, W) -> (B, width, ceil(H / stride), ceil(W / stride))

    The convolution `offset` gives 2 K G offsets per output pixel, for K taps and G groups: channel
    2 (g K + k) is dy and the next one is dx. With modulation, K G logits follow, in channel g K + k. This is the
    layout of torchvision. Its weights and bias start at zero. `kernel_groups` is the number of groups of the kernel.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        kernel: Both = 3,
        stride: Both = 1,
        dilation: Both = 1,
        groups: int = 1,
        bias: bool = False,
        modulation: str = "none",
        rate: float = 1.0,
        kernel_groups: int = 1,
    ) -> None:
        super().__init__()
        self.groups, self.modulation, self.rate = groups, modulation, rate
        self.channels, self.kernel_groups = channels, kernel_groups
        self.kernel, self.stride, self.dilation = axes(kernel), axes(stride), axes(dilation)
        rows, columns = extents(kernel, dilation)
        self.padding = (rows // 2, columns // 2)
        self.taps = area(kernel)
        self.weight = nn.Parameter(
            torch.empty(width, channels // kernel_groups, *self.kernel).normal_(
                0.0, he(width, kernel, kernel_groups)
            )
        )
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None
        self.offsets = 2 * self.taps * groups
        made = self.offsets + (0 if modulation == "none" else self.taps * groups)
        self.offset = nn.Conv2d(channels, made, self.kernel, self.stride, self.padding, self.dilation)
        with torch.no_grad():
            self.offset.weight.zero_()
            self.offset.bias.zero_()  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        places = torch.promote_types(x.dtype, torch.float32)  # bfloat16 has too few bits for a position
        given = self._given(x).to(places)
        with exact(x):
            offset, mask = given[:, : self.offsets], self._mask(given)
            del given
            if x.is_cuda:
                return self._torchvision(x, offset, mask, places)
            columns = self._columns(x.to(places), offset, mask)
        del offset, mask
        weight = self.weight.flatten(1)[:, :, None, None]  # (O, C / kernel_groups * K, 1, 1)
        return F.conv2d(columns.to(x.dtype), weight, self.bias, groups=self.kernel_groups)

    def _given(self, x: Tensor) -> Tensor:
        weight, bias = self.offset.weight, self.offset.bias
        assert bias is not None
        if self.rate != 1.0:  # the gradient of the parameters is scaled, that of the input is not
            weight, bias = Scaled.apply(weight, self.rate), Scaled.apply(bias, self.rate)
        return F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation)

    def _mask(self, given: Tensor) -> Tensor | None:
        if self.modulation == "none":
            return None
        mask = given[:, self.offsets :].sigmoid()
        return 2.0 * mask if self.modulation == "unit" else mask

    def _torchvision(self, x: Tensor, offset: Tensor, mask: Tensor | None, places: torch.dtype) -> Tensor:
        from torchvision.ops import deform_conv2d

        bias = None if self.bias is None else self.bias.to(places)
        out = deform_conv2d(
            x.to(places), offset, self.weight.to(places), bias, self.stride, self.padding, self.dilation, mask
        )
        return out.to(x.dtype)  # type: ignore[no-any-return]

    def _columns(self, x: Tensor, offset: Tensor, mask: Tensor | None) -> Tensor:
        """The value that each tap reads at each output pixel. -> (B, C * K, H', W')

        One call samples all taps, stacked along the height; each group of channels is an image of its own.
        """
        channels, (height, width) = x.shape[1], offset.shape[2:]
        grid = self._grid(offset, *x.shape[2:])  # (B * groups, K * H', W', 2)
        x = x.reshape(-1, channels // self.groups, *x.shape[2:])
        read = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        del grid
        if mask is not None:
            read = read * mask.reshape(read.shape[0], 1, *read.shape[2:])
        return read.reshape(-1, channels * self.taps, height, width)

    def _grid(self, offset: Tensor, height: int, width: int) -> Tensor:
        """Sampling positions (x, y), -1 and 1 at the edges of the image."""
        images, size = offset.shape[0] * self.groups, offset.shape[2:]
        # images and groups stay two dimensions: with mask logits beside them, merging them would need a copy
        moved = offset.reshape(-1, self.groups, *self.kernel, 2, *size)
        down = self._axis(0, height, size[0], offset)[:, None, :, None]
        down = torch.add(down, moved[:, :, :, :, 0], alpha=2 / height)
        across = self._axis(1, width, size[1], offset)[:, None, :]
        across = torch.add(across, moved[:, :, :, :, 1], alpha=2 / width)
        return torch.stack((across, down), dim=-1).view(images, -1, size[1], 2)

    def _axis(self, axis: int, pixels: int, outputs: int, like: Tensor) -> Tensor:
        """The positions along one axis that taps without an offset read, a little to the right. (taps, outputs)

        On a pixel the derivative by the position is one-sided. A tap there shall have the right-sided derivative, as in
        torchvision's kernel and in `active`, whichever way its position is rounded. The roundings from pixels to
        the grid and back sum up to less than four units of the grid's last place.
        """
        taps, outs = (
            torch.arange(n, device=like.device, dtype=like.dtype) for n in (self.kernel[axis], outputs)
        )
        padding = self.padding[axis]
        at = outs * self.stride[axis] + (taps * self.dilation[axis] - padding)[:, None]
        furthest = 1 + 2 * padding / pixels  # the grid's largest number for a tap without an offset
        return (2 * at + 1 - pixels) / pixels + 4 * furthest * torch.finfo(like.dtype).eps

    def extra_repr(self) -> str:
        made = f"{self.channels}, {len(self.weight)}, kernel={self.kernel}, stride={self.stride}, groups={self.groups}"
        return made if self.kernel_groups == 1 else f"{made}, kernel_groups={self.kernel_groups}"
