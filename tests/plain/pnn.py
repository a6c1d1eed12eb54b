"""A perturbative ResNet-18 in plain torch (Juefei-Xu et al., CVPR 2018, arXiv:1806.01817).

A layer is that of the authors' code: noise, ReLU, norm, 1x1 convolution with bias. A max pool after its first layer
shrinks a unit."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class NoiseLayer(nn.Module):
    """One fixed mask for each channel. (B, C, H, W) -> (B, width, H, W)"""

    noise: Tensor

    def __init__(self, channels: int, width: int, size: int, level: float = 0.1) -> None:
        super().__init__()
        self.register_buffer("noise", level * (2 * torch.rand(channels, size, size) - 1))
        self.layers = nn.Sequential(nn.ReLU(), nn.BatchNorm2d(channels), nn.Conv2d(channels, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x + self.noise)  # type: ignore[no-any-return]


class Unit(nn.Module):
    """Two noise layers around a pool, norm and ReLU, plus the shortcut."""

    def __init__(self, channels: int, width: int, stride: int, size: int) -> None:
        super().__init__()
        small = max(size // stride, 1)
        self.layers = nn.Sequential(
            NoiseLayer(channels, width, size),
            nn.MaxPool2d(min(stride, size), min(stride, size)),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            NoiseLayer(width, width, small),
            nn.BatchNorm2d(width),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != width:
            conv = nn.Conv2d(channels, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.layers(x) + self.shortcut(x))


class NoiseResNet18(nn.Module):
    """A 7x7 stem and four stages of two units. (B, 3, 32, 32) -> (B, 10)"""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pre_layers = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )
        channels, size, units = width, 8, []
        for stage in range(4):
            for i in range(2):
                stride = 2 if stage and not i else 1
                units.append(Unit(channels, width << stage, stride, size))
                channels, size = width << stage, size // stride
        self.layers = nn.Sequential(*units)
        self.linear = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(self.pre_layers(x))
        return self.linear(x.mean(dim=(2, 3)))  # type: ignore[no-any-return]
