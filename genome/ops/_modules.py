"""The torch modules that node types are made of, imported only by `build`."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from genome.axes import Both, area, axes, extents
from genome.layer_costs import in_place

GROUPS = 8  # groups of a group norm, reduced to a divisor of the channels


def he(width: int, kernel: Both, groups: int = 1) -> float:
    """The deviation of He's normal distribution by fan-out (arXiv:1502.01852)."""
    return math.sqrt(2.0 * groups / (area(kernel) * width))


class Uninitialised(nn.Conv2d):
    """nn.Conv2d with memory as it is found. torch's initialiser would take longer and draw random numbers."""

    def reset_parameters(self) -> None:
        pass


def torch_conv2d(
    channels: int,
    width: int,
    kernel: Both,
    stride: Both,
    padding: Both,
    dilation: Both,
    groups: int,
    bias: bool,
) -> nn.Conv2d:
    """An uninitialised nn.Conv2d. It has torch's own class, since tools that count know layers by their class."""
    made: nn.Conv2d = Uninitialised(channels, width, kernel, stride, padding, dilation, groups, bias)
    made.__class__ = nn.Conv2d
    return made


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
    """A convolution with weights drawn from He's normal distribution and biases of zero.

    `same` pads to ceil(size / stride) outputs, with the odd pixel at the right and bottom.
    """
    rows, columns = extents(kernel, dilation)
    pad = ((rows - 1) // 2, (columns - 1) // 2) if padding == "same" else int(padding)
    made = torch_conv2d(channels, width, kernel, stride, pad, dilation, groups, bias)
    made.weight.data.normal_(0.0, he(width, kernel, groups))
    if made.bias is not None:
        made.bias.data.zero_()
    below, beside = 1 - rows % 2, 1 - columns % 2
    if padding == "same" and (below or beside):
        return nn.Sequential(OrderedDict(pad=nn.ZeroPad2d((0, beside, 0, below)), conv=made))
    return made


class DirectNorm(nn.BatchNorm2d):
    """nn.BatchNorm2d that sets its initial values directly, which is faster than torch's initialisers."""

    def reset_parameters(self) -> None:
        for name, tensor in (*self._parameters.items(), *self._buffers.items()):
            if tensor is not None:
                tensor.data.fill_(1 if name in ("weight", "running_var") else 0)


def norm(kind: str, channels: int, eps: float = 1e-5) -> nn.Module:
    """A norm over the channels of a feature map."""
    if kind == "group":
        return nn.GroupNorm(math.gcd(GROUPS, channels), channels, eps)
    made: nn.BatchNorm2d = DirectNorm(channels, eps, affine=kind == "batch")
    made.__class__ = nn.BatchNorm2d  # tools that count know layers by their class
    return made


def act(kind: str, in_place: bool = False) -> nn.Module:
    """An activation by its word. `in_place` lets ReLU overwrite its input."""
    kinds: dict[str, type[nn.Module]] = {
        "relu": nn.ReLU,
        "relu6": nn.ReLU6,
        "leaky-relu": nn.LeakyReLU,
        "silu": nn.SiLU,
        "gelu": nn.GELU,
        "sigmoid": nn.Sigmoid,
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
    """Parts in sequence over the concatenation of the inputs that are read. n x (B, C_i, H, W) -> (B, width, ..)

    Convolutions that bf16 makes slower on a CPU run in float32.
    """

    def forward(self, *xs: Tensor | None) -> Tensor:
        read = [x for x in xs if x is not None]
        x = read[0] if len(read) == 1 else torch.cat(read, dim=1)
        del read
        if torch.is_autocast_enabled("cpu") and x.device.type == "cpu":
            return self._autocast(x)
        for part in self:
            x = part(x)
        return x

    def _autocast(self, x: Tensor) -> Tensor:
        for part in self:
            x = in_float32(part, x) if type(part) is nn.Conv2d and is_slow(part) else part(x)
        return x


def is_slow_in_bf16(taps: int, kernel: Both, stride: Both, dilation: Both) -> bool:
    """Whether bf16 on a CPU is slower than float32, as it is for filters of one or two channels except plain 3x3.

    taps: channels of a filter. Forward and backward of 64 filters over 64 images of 16x16, one thread: 3x3 with stride
    2 takes 26.5 ms in bf16 and 1.3 ms in float32, 5x5 takes 14.8 and 8.4 ms, 3x3 with stride 1 takes 0.7 and 3.2 ms.
    """
    return taps <= 2 and (max(axes(kernel)) > 3 or max(axes(stride)) > 1 or max(axes(dilation)) > 1)


def is_slow(conv: nn.Conv2d) -> bool:
    """Whether bf16 makes the convolution slower on a CPU."""
    places: list[tuple[int, ...]] = [conv.kernel_size, conv.stride, conv.dilation]
    kernel, stride, dilation = ((down, across) for down, across in places)
    return is_slow_in_bf16(conv.weight.shape[1], kernel, stride, dilation)


def in_float32(module: nn.Module, x: Tensor) -> Tensor:
    """The output of a module that runs in float32, in the format of autocast on the CPU."""
    with torch.autocast("cpu", enabled=False):
        made: Tensor = module(x.float())
    return made.to(torch.get_autocast_dtype("cpu"))
