"""Deformable ResNet-50 in plain torch: torchvision's network, with torchvision's deformable layer in res5 (Dai et al.,
ICCV 2017, arXiv:1703.06211)."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models import ResNet, resnet50
from torchvision.ops import DeformConv2d


class Deformable(nn.Module):
    """A deformable convolution, with the convolution that predicts its offsets."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.offset = nn.Conv2d(channels, 18, 3, stride, 1)
        self.conv = DeformConv2d(channels, width, 3, stride, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x, self.offset(x))  # type: ignore[no-any-return]


def deformable_resnet50() -> ResNet:
    """The network for ImageNet. (B, 3, 224, 224) -> (B, 1000)"""
    made = resnet50(weights=None)
    for block in made.layer4:
        assert isinstance(block, nn.Module)
        old = block.conv2
        assert isinstance(old, nn.Conv2d)
        block.conv2 = Deformable(old.in_channels, old.out_channels, old.stride[0])
    return made
