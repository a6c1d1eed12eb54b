"""The plain network of active convolutions in plain torch (Jeon and Kim, CVPR 2017, arXiv:1703.09076).

A layer holds the blobs of the authors' code: a weight for each tap, and the coordinates x and y of each tap in pixels
from the centre. The centre is the first tap; the others follow on a circle from the right over the bottom.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# (x, y) of the taps of an ordinary 3x3 kernel, in the order of the blobs
CIRCLE = ((0, 0), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
# kernel, stride and channels
LAYERS = ((1, 1, 16), (3, 1, 48), (3, 1, 48), (3, 2, 96), (3, 1, 96), (3, 2, 192), (3, 1, 192))
REACH = 4  # pixels that a tap may be away from the centre


class ActiveConv(nn.Module):
    """Taps at any position, the same for all pixels. (B, C, H, W) -> (B, width, ceil(H / stride), ceil(W / stride))"""

    def __init__(self, channels: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        taps = kernel**2
        at = torch.tensor(CIRCLE[:taps], dtype=torch.float32)
        self.stride = stride
        self.weight = nn.Parameter(torch.randn(width, channels, taps) / math.sqrt(channels * taps))
        self.xpos, self.ypos = nn.Parameter(at[:, 0].clone()), nn.Parameter(at[:, 1].clone())

    def forward(self, x: Tensor) -> Tensor:
        total = x.new_zeros(())
        for weight, dy, dx in zip(self.weight.unbind(2), self.ypos, self.xpos, strict=True):
            read = moved(x, dy, dx)[:, :, :: self.stride, :: self.stride]
            total = total + F.conv2d(read, weight[:, :, None, None])
        return total


def moved(x: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
    """The image at (h + dy, w + dx) by bilinear interpolation, with zeros around it."""
    height, width = x.shape[2:]
    around = F.pad(x, (REACH,) * 4)
    top, left = math.floor(dy), math.floor(dx)
    total = torch.zeros_like(x)
    for row, down in ((top, 1 - (dy - top)), (top + 1, dy - top)):
        for column, across in ((left, 1 - (dx - left)), (left + 1, dx - left)):
            first, second = REACH + row, REACH + column
            total = total + down * across * around[:, :, first : first + height, second : second + width]
    return total


class ActivePlain(nn.Module):
    """Seven active convolutions, a 1x1 convolution and a classifier. (B, 3, 32, 32) -> (B, 10)"""

    def __init__(self) -> None:
        super().__init__()
        channels, units = 3, []
        for kernel, stride, width in LAYERS:
            units.append(unit(ActiveConv(channels, width, kernel, stride), width))
            channels = width
        self.units = nn.Sequential(*units, unit(nn.Conv2d(channels, 1000, 1, bias=False), 1000))
        self.fc = nn.Linear(1000, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.units(x).mean(dim=(2, 3)))  # type: ignore[no-any-return]


def unit(conv: nn.Module, width: int) -> nn.Module:
    """The convolution, then norm and ReLU."""
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU())
