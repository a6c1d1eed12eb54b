"""ResNet (He, Zhang, Ren, Sun, CVPR 2016, arXiv:1512.03385).

For ImageNet this is the form of torchvision, whose bottlenecks have the stride in the 3x3 convolution. For small images
the shortcuts have no parameters (option A).
"""

from __future__ import annotations

from genome.graph import Genome, GenomeError
from genome.motifs.residual import Residual
from genome.motifs.stack import Stack
from genome.ops.conv import Conv
from genome.ops.exit import Exit
from genome.ops.pool import Pool
from genome.zoo.builder import GenomeBuilder
from genome.zoo.entry import Entry

UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
FIRST = 16  # channels of the first stage for small images


def resnet(depth: int, input: tuple[int, int, int] | None = None, classes: int | None = None) -> Genome:
    """The network of a depth: 18, 34, 50, 101 and 152 for ImageNet, 6n + 2 for CIFAR.

    `input` and `classes` are those of ImageNet or CIFAR by default. The form for ImageNet has a 7x7 stem, a pool and
    four stages of 64, 128, 256 and 512 channels, with basic units up to depth 34 and bottlenecks above. The form for
    CIFAR has a 3x3 stem and three stages of n basic units with 16, 32 and 64 channels.

    Raises:
        GenomeError: an unknown depth.
    """
    if depth not in UNITS and depth % 6 != 2:
        known = ", ".join(map(str, UNITS))
        raise GenomeError(f"depth is {depth}; it may be {known}, or 2 more than a multiple of 6")
    builder = GenomeBuilder()
    stages: tuple[int, ...]
    if depth in UNITS:
        input, classes = input or (3, 224, 224), classes or 1000
        unit = Residual(unit="basic" if depth < 50 else "bottleneck")
        builder.add("stem", Conv(kernel=7, stride=2), 64)
        builder.add("pool", Pool(kind="max", size=3, stride=2, padding=1))
        stages, width = UNITS[depth], 64
    else:
        stages, width = cifar_units(depth), FIRST
        input, classes = input or (3, 32, 32), classes or 10
        unit = Residual(fit="front")
        builder.add("stem", Conv(), width)
    for i, units in enumerate(stages):
        builder.add(f"s{i + 1}", Stack(depth=units, stride=1 if i == 0 else 2, body=unit), width << i)
    builder.add("out", Exit())
    return builder.genome(f"resnet-{depth}", input, classes)


def cifar_units(depth: int) -> tuple[int, int, int]:
    """The number of units of the three stages for small images.

    Raises:
        GenomeError: a depth that is not 2 more than a multiple of 6.
    """
    units, rest = divmod(depth - 2, 6)
    if rest or units < 1:
        raise GenomeError(f"depth is {depth}; for small images it is 2 more than a multiple of 6")
    return units, units, units


_SOURCE = "He et al., CVPR 2016, arXiv:1512.03385"


def _entry(depth: int) -> Entry:
    return Entry(lambda: resnet(depth), source=_SOURCE)


PUBLISHED = {f"resnet-{depth}": _entry(depth) for depth in (20, 32, 44, 56, 110, *UNITS)}
