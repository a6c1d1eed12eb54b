"""The torch modules that node types are made of, imported only by `build`."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from genome.axes import Both, area, extents
from genome.layer_costs import in_place

GROUPS = 8  # groups of a group norm, reduced to a divisor of the channels


def he(width: int, kernel: Both, groups: int = 1) -> float:
    """The deviation of He's normal distribution by fan-out (arXiv:1502.01852)."""
    return math.sqrt(2.0 * groups / (area(kernel) * width))


class Conv2d(nn.Conv2d):
    """nn.Conv2d with weights drawn from He's normal distribution and biases of zero."""

    def reset_parameters(self) -> None:
        rows, columns = self.kernel_size
        self.weight.data.normal_(0.0, he(self.out_channels, (rows, columns), self.groups))
        if self.bias is not None:
            self.bias.data.zero_()


def conv2d(
    channels: int,
    width: int,
    kernel: Both = 1,
    stride: Both = 1,
    dilation: Both = 1,
    groups: int = 1,
    padding: int | str = "same",
    bias: bool = False,
) -> nn.Module:
    """A convolution. `same` pads to ceil(size / stride) outputs, with the odd pixel at the right and bottom."""
    rows, columns = extents(kernel, dilation)
    pad = ((rows - 1) // 2, (columns - 1) // 2) if padding == "same" else int(padding)
    made = Conv2d(channels, width, kernel, stride, pad, dilation, groups, bias)
    below, beside = 1 - rows % 2, 1 - columns % 2
    if padding == "same" and (below or beside):
        return nn.Sequential(OrderedDict(pad=nn.ZeroPad2d((0, beside, 0, below)), conv=made))
    return made


class BatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d that sets its initial values directly, which is faster than torch's initialisers."""

    def reset_parameters(self) -> None:
        for name, tensor in (*self._parameters.items(), *self._buffers.items()):
            if tensor is not None:
                tensor.data.fill_(1 if name in ("weight", "running_var") else 0)


def norm(kind: str, channels: int, eps: float = 1e-5) -> nn.Module:
    """A norm over the channels of a feature map."""
    if kind == "group":
        return nn.GroupNorm(math.gcd(GROUPS, channels), channels, eps)
    return BatchNorm2d(channels, eps, affine=kind == "batch")


def act(kind: str, in_place: bool = False) -> nn.Module:
    """An activation by its word. `in_place` lets ReLU overwrite its input."""
    kinds: dict[str, type[nn.Module]] = {
        "relu": nn.ReLU,
        "relu6": nn.ReLU6,
        "leaky-relu": nn.LeakyReLU,
        "silu": nn.SiLU,
        "gelu": nn.GELU,
    }
    return kinds[kind](inplace=True) if in_place else kinds[kind]()


class Zeros(nn.Module):
    """Zeros of the input's shape. Earlier layers get gradients of zero instead of None."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 0.0


def chained(parts: Sequence[tuple[str, nn.Module]], gathers: bool = False) -> nn.Module:
    """The parts in sequence, under their names; a second `norm` is named `norm2`, and a single part is returned as is.

    With `gathers` the sequence takes several inputs and concatenates them.
    """
    if len(parts) < 2 and not gathers:
        return parts[0][1] if parts else nn.Identity()
    named: OrderedDict[str, nn.Module] = OrderedDict()
    before = ""
    for name, part in parts:
        if isinstance(part, nn.ReLU):
            part.inplace = in_place("relu", before)
        named[f"{name}2" if name in named else name] = part
        before = name.rstrip("0123456789")
    return Gather(named) if gathers else nn.Sequential(named)


class Gather(nn.Sequential):
    """Parts in sequence over the concatenation of the inputs that are read. n x (B, C_i, H, W) -> (B, width, ..)"""

    def forward(self, *xs: Tensor | None) -> Tensor:
        read = [x for x in xs if x is not None]
        x = read[0] if len(read) == 1 else torch.cat(read, dim=1)
        del read
        for part in self:
            x = part(x)
        return x
