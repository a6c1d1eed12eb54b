"""Network in network for CIFAR-10 in plain torch (Lin et al., ICLR 2014, arXiv:1312.4400).

Widths and pools are those of the author's definition files: both pools take maxima of 3x3 windows and round the size
up, and dropout of 0.5 follows.
"""

from __future__ import annotations

from torch import Tensor, nn


class NIN(nn.Module):
    """Three mlpconvs. (B, 3, 32, 32) -> (B, 10)"""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_mlpconv(3, 5, 192, 160, 96),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Dropout(0.5),
            *_mlpconv(96, 5, 192, 192, 192),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Dropout(0.5),
            *_mlpconv(192, 3, 192, 192, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x).mean(dim=(2, 3))  # type: ignore[no-any-return]


def _mlpconv(channels: int, kernel: int, *widths: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Conv2d(channels, width, kernel, padding=kernel // 2), nn.ReLU()]
        channels, kernel = width, 1
    return layers
