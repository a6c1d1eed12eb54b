"""What the kernels of a device take besides the tensors that they read and give."""

from __future__ import annotations

import math
from typing import NamedTuple

from genome.cost import Layer, Shape

BLOCK = 16  # channels that oneDNN keeps side by side on processors with AVX-512
PLAIN = 3  # channels up to which oneDNN reads images as they are


class Kernels(NamedTuple):
    """How convolutions and norms run."""

    # whether a convolution copies maps into blocks of channels and back, as oneDNN does with contiguous ones
    blocked: bool

    def forward(self, layer: Layer) -> tuple[tuple[int, int], ...]:
        """The moments inside a convolution, before its output is made: numbers of every image, and numbers besides."""
        if not self.blocked:
            return ((layer.after.size, layer.weights),)
        read, made = _blocked(layer.before, PLAIN), _blocked(layer.after)
        return ((read + made, layer.weights), (made + layer.after.size, 0))

    def backward(self, layer: Layer, learned: bool) -> tuple[tuple[int, int], ...]:
        """The moments inside the gradient of a convolution. learned: whether its input has a gradient."""
        grad = layer.before.size if learned else 0
        weights = 3 * layer.weights + _padded_groups(layer)
        if not self.blocked:
            return ((grad, weights),)
        read, made = _blocked(layer.before, PLAIN), _blocked(layer.after)
        first = (made + _blocked(layer.before) + grad, layer.weights) if learned else (0, 0)
        return (first, (made + read + grad, weights))


def _blocked(shape: Shape, plain: int = 0) -> int:
    if shape.channels <= plain:
        return 0
    return -(-shape.channels // BLOCK) * BLOCK * shape.height * shape.width


def _padded_groups(layer: Layer) -> int:
    """The gradient of many small kernels, each padded to blocks, where their window is larger than the image."""
    read, made, groups = layer.before, layer.after.channels, layer.groups
    taps = layer.weights * groups // (read.channels * made)
    if groups == 1 or taps <= read.height * read.width:
        return 0
    sides = (-(-channels // groups // BLOCK) * BLOCK for channels in (read.channels, made))
    return groups * taps * math.prod(sides)
