"""MobileNet v1 in plain torch (Howard et al., arXiv:1704.04861) in the form for CIFAR: ReLU, a stem of stride 1."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

LAYERS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


class Block(nn.Module):
    """A depthwise and a pointwise convolution."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class MobileNet(nn.Module):
    """A convolution and thirteen blocks. (B, 3, 32, 32) -> (B, 10)"""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        channels, blocks = 32, []
        for width, stride in LAYERS:
            blocks.append(Block(channels, width, stride))
            channels = width
        self.layers = nn.Sequential(*blocks)
        self.linear = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(F.relu(self.bn1(self.conv1(x))))
        return self.linear(x.mean(dim=(2, 3)))  # type: ignore[no-any-return]
