"""PyramidNet with basic units in plain torch (Han et al., CVPR 2017, arXiv:1610.02915).

Widths are rounded from a running sum; shortcuts average 2x2 windows and append zero channels.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Unit(nn.Module):
    """Norm, convolution, norm, ReLU, convolution, norm, plus the shortcut."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride, self.more = stride, width - channels
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn3(self.conv2(F.relu(self.bn2(self.conv1(self.bn1(x))))))
        short = F.avg_pool2d(x, 2, 2, ceil_mode=True) if self.stride == 2 else x
        return y + F.pad(short, (0, 0, 0, 0, 0, self.more))  # type: ignore[no-any-return]


class PyramidNet(nn.Module):
    """Three stages for small images. (B, 3, 32, 32) -> (B, 10)"""

    def __init__(self, depth: int, alpha: float) -> None:
        super().__init__()
        units = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        channels, width = 16, 16.0
        for stage in (1, 2, 3):
            made = []
            for i in range(units):
                width += alpha / (3 * units)
                made.append(Unit(channels, round(width), 2 if stage > 1 and i == 0 else 1))
                channels = round(width)
            self.add_module(f"layer{stage}", nn.Sequential(*made))
        self.bn_final = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x))
        for stage in (1, 2, 3):
            x = self.get_submodule(f"layer{stage}")(x)
        return self.fc(F.relu(self.bn_final(x)).mean(dim=(2, 3)))  # type: ignore[no-any-return]
