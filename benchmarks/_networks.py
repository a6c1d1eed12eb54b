"""Three published networks written by hand in plain torch, and the genomes that are the same networks.

A network by hand registers its layers in the order in which they run, as a built genome does. Therefore the weights
of one fit the other in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import genome
from genome import Genome, zoo

EXACT = 1e-9


def conv3x3(channels: int, width: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, stride, 1, groups=groups, bias=False)


class BasicUnit(nn.Module):
    """Two 3x3 convolutions and a shortcut without weights (He et al., CVPR 2016, option A)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3x3(channels, width, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3x3(width, width), nn.BatchNorm2d(width)
        self.stride, self.more = stride, width - channels

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        if self.more:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.more, 0))
        return F.relu(y + x, inplace=True)


class ResNet(nn.Module):
    """The ResNet of 6n + 2 layers for small images. (B, C, H, W) -> (B, classes)"""

    def __init__(self, units: int = 3, channels: int = 3, classes: int = 10) -> None:
        super().__init__()
        self.conv, self.bn = conv3x3(channels, 16), nn.BatchNorm2d(16)
        made, before = [], 16
        for width in (16, 32, 64):
            for _ in range(units):
                made.append(BasicUnit(before, width, width // before))
                before = width
        self.units, self.fc = nn.Sequential(*made), nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.units(F.relu(self.bn(self.conv(x)), inplace=True))
        return self.fc(x.mean(dim=(2, 3)))  # type: ignore[no-any-return]


class PyramidUnit(nn.Module):
    """A unit that begins and ends with a norm; its shortcut is pooled and padded with zero channels."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), conv3x3(channels, width, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(width), conv3x3(width, width)
        self.bn3 = nn.BatchNorm2d(width)
        self.stride, self.more = stride, width - channels

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn2(self.conv1(self.bn1(x))), inplace=True)
        y = self.bn3(self.conv2(y))
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, self.stride, ceil_mode=True)
        if self.more:
            x = F.pad(x, (0, 0, 0, 0, 0, self.more))
        return y + x


class PyramidNet(nn.Module):
    """The additive PyramidNet of 6n + 2 layers (Han et al., CVPR 2017). (B, C, H, W) -> (B, classes)"""

    def __init__(self, units: int = 3, alpha: float = 48, channels: int = 3, classes: int = 10) -> None:
        super().__init__()
        self.conv, self.bn = conv3x3(channels, 16), nn.BatchNorm2d(16)
        made, before = [], 16
        for i in range(3 * units):
            width = round(16 + alpha * (i + 1) / (3 * units))
            made.append(PyramidUnit(before, width, 2 if i in (units, 2 * units) else 1))
            before = width
        self.units, self.bn2 = nn.Sequential(*made), nn.BatchNorm2d(before)
        self.fc = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.units(self.bn(self.conv(x)))
        x = F.relu(self.bn2(x), inplace=True)
        return self.fc(x.mean(dim=(2, 3)))  # type: ignore[no-any-return]


class MobileNet(nn.Sequential):
    """MobileNet v1 for small images (Howard et al., arXiv:1704.04861). (B, C, H, W) -> (B, classes)"""

    def __init__(self, width: float = 0.25, channels: int = 3, classes: int = 10) -> None:
        made, before = [*_unit(conv3x3(channels, int(32 * width)))], int(32 * width)
        pairs = (
            (64, 1),
            (128, 2),
            (128, 1),
            (256, 2),
            (256, 1),
            (512, 2),
            *[(512, 1)] * 5,
            (1024, 2),
            (1024, 1),
        )
        for full, stride in pairs:
            after = int(full * width)
            made += _unit(conv3x3(before, before, stride, groups=before))
            made += _unit(nn.Conv2d(before, after, 1, bias=False))
            before = after
        super().__init__(*made, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


def _unit(conv: nn.Conv2d) -> tuple[nn.Module, ...]:
    return conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU(inplace=True)


class Pair(NamedTuple):
    """A genome and the same network by hand."""

    genome: Genome
    by_hand: Callable[[], nn.Module]


def pairs(channels: int = 3, size: int = 32) -> dict[str, Pair]:
    """Return the networks of this file for images of that shape."""
    image = (channels, size, size)
    return {
        "ResNet-20": Pair(zoo.resnet(20, image, 10), lambda: ResNet(3, channels)),
        "PyramidNet-20, alpha 48": Pair(
            zoo.pyramidnet(20, 48, input=image), lambda: PyramidNet(3, 48, channels)
        ),
        "MobileNet v1 x 0.25": Pair(
            zoo.mobilenet_v1(0.25, image, 10), lambda: MobileNet(0.25, channels)
        ),
    }  # fmt: skip


def made(pair: Pair) -> tuple[nn.Module, nn.Module]:
    """Return the built genome and the network by hand, with equal weights, checked to be the same network."""
    ours, theirs = genome.build(pair.genome), pair.by_hand()
    same_weights(ours, theirs)
    check(ours, theirs, torch.randn(3, *pair.genome.input))
    return ours, theirs


def same_weights(ours: nn.Module, theirs: nn.Module) -> None:
    """Copy the weights of `ours` into `theirs`, in order. Raises ValueError where number or shapes differ."""
    given, taken = ours.state_dict(), theirs.state_dict()
    shapes = [[tensor.shape for tensor in state.values()] for state in (given, taken)]
    if shapes[0] != shapes[1]:
        raise ValueError("the tensors of the two networks differ in number, shape or order")
    theirs.load_state_dict(dict(zip(taken, given.values(), strict=True)))


def check(ours: nn.Module, theirs: nn.Module, x: Tensor, *, in_order: bool = True) -> None:
    """Raise AssertionError where the logits or the gradients differ in float64 and training mode.

    The gradients are those of the image and of all weights. Both networks are float32 again afterwards.
    `in_order`: whether the weights' gradients can be compared.
    """
    results = []
    for module in (ours.double().train(), theirs.double().train()):
        image = x.detach().double().requires_grad_()
        out = module(image)
        out = out[0] if isinstance(out, tuple) else out
        wanted = [image, *(module.parameters() if in_order else ())]
        results.append([out, *torch.autograd.grad(out.square().sum(), wanted)])
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other, rtol=EXACT, atol=EXACT)
    ours.float(), theirs.float()
