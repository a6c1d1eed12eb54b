"""Inference forms: modules of torch's own functions that stand in for those that are made for training."""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genome.network import Network
from genome.ops._deform import Deform
from genome.ops._lrn import Lrn
from genome.ops._perturb import Streamed


def inference_form(network: Network, portable: bool = False) -> Network:
    """Return a copy in eval mode, on the CPU and in float32, whose modules run torch's functions alone.

    portable: also where torch has a function that the converters of other runtimes do not know, or get wrong.
    """
    copy = deepcopy(network).eval().float().cpu()
    for parent in [*copy.modules()]:
        for name, module in [*parent.named_children()]:
            if isinstance(module, Streamed):
                setattr(parent, name, nn.Sequential(OrderedDict(module.named_children())))
            elif isinstance(module, Lrn):
                setattr(parent, name, PlainLrn(module, portable))
            elif isinstance(module, Deform) and portable:
                setattr(parent, name, PlainDeform(module))
    return copy


class PlainLrn(nn.Module):
    """`lrn` in torch's functions. (B, C, H, W) -> (B, C, H, W)"""

    def __init__(self, lrn: Lrn, portable: bool) -> None:
        super().__init__()
        self.before, self.behind, self.alpha, self.beta, self.k = lrn.numbers
        self.portable = portable

    def forward(self, x: Tensor) -> Tensor:
        size = self.before + 1 + self.behind
        if self.before == self.behind and not self.portable:
            return F.local_response_norm(x, size, self.alpha * size, self.beta, self.k)
        padded = F.pad(x * x, (0, 0, 0, 0, self.before, self.behind))
        total = padded[:, : x.shape[1]]
        for first in range(1, size):
            total = total + padded[:, first : first + x.shape[1]]
        return x * (total * self.alpha + self.k) ** -self.beta


class PlainDeform(nn.Module):
    """`deform` with one sampling for each group of offsets, in tensors of at most four dimensions.

    (B, C, H, W) -> (B, width, H', W')

    The offset convolution gives its channels in another order, and its offsets in units of the grid.
    """

    def __init__(self, deform: Deform) -> None:
        super().__init__()
        self.deform = deform
        self.group = 2 * deform.taps  # channels of offsets: dy of each tap, then dx of each

    def forward(self, x: Tensor) -> Tensor:
        deform = self.deform
        weight, bias = self._offsets(x.shape[2:])
        given = F.conv2d(x, weight, bias, deform.stride, deform.padding, deform.dilation)
        columns = [self._columns(x, given, group) for group in range(deform.groups)]
        joined = torch.cat(columns, dim=1) if deform.groups > 1 else columns[0]
        kernel = deform.weight.flatten(1)[:, :, None, None]
        return F.conv2d(joined, kernel, deform.bias, groups=deform.kernel_groups)

    def _offsets(self, pixels: torch.Size) -> tuple[Tensor, Tensor]:
        """The weight and the bias of the offset convolution."""
        convolution, count = self.deform.offset, self.deform.offsets
        assert convolution.bias is not None
        order = torch.arange(count).view(self.deform.groups, -1, 2).transpose(1, 2).flatten()
        order = torch.cat([order, torch.arange(count, len(convolution.bias))])
        unit = torch.ones(len(order))
        unit[:count].view(-1, 2, self.deform.taps).copy_(2 / torch.tensor(pixels)[:, None])
        return convolution.weight[order] * unit[:, None, None, None], convolution.bias[order] * unit

    def _columns(self, x: Tensor, given: Tensor, group: int) -> Tensor:
        """The values that the taps of a group read. -> (B, C / groups * taps, H', W')"""
        deform, (height, width) = self.deform, given.shape[2:]
        taps, channels = deform.taps, deform.channels // deform.groups
        maps = x[:, group * channels : (group + 1) * channels] if deform.groups > 1 else x
        places = self._places(given, group * self.group, x.shape[2:])
        read = F.grid_sample(maps, places, mode="bilinear", padding_mode="zeros", align_corners=False)
        if deform.modulation != "none":
            first = deform.offsets + taps * group
            mask = given[:, first : first + taps].sigmoid()
            mask = mask * 2.0 if deform.modulation == "unit" else mask
            read = read * mask.reshape(-1, 1, taps * height, width)
        return read.reshape(-1, channels * taps, height, width)

    def _places(self, given: Tensor, first: int, pixels: torch.Size) -> Tensor:
        """Where the taps of a group read: (x, y), -1 and 1 at the edges of the image. (B, taps * H', W', 2)"""
        deform, (height, width) = self.deform, given.shape[2:]
        taps, (rows, columns) = deform.taps, deform.kernel
        down = deform._axis(0, pixels[0], height, given).repeat_interleave(columns, dim=0)[:, :, None]
        across = deform._axis(1, pixels[1], width, given).repeat(rows, 1)[:, None, :]
        y = given[:, first : first + taps] + down
        x = given[:, first + taps : first + 2 * taps] + across
        return torch.stack([each.reshape(-1, taps * height, width) for each in (x, y)], dim=-1)
