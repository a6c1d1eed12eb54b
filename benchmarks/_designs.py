"""Shallow and wide networks, and published ones, scaled to limits: even draws of a space hardly reach their like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from genome import Genome, Op, Shape
from genome.motifs.residual import Residual
from genome.motifs.stack import Stack
from genome.ops.conv import Conv
from genome.ops.exit import Exit
from genome.ops.mlpconv import Mlpconv
from genome.ops.separable import Separable
from genome.zoo import resnet
from genome.zoo.builder import GenomeBuilder
from genome.zoo.scale import FAMILIES, fitted, widest

BASIC = Residual(fit="front")
BOTTLENECK = Residual(unit="bottleneck", expansion=4, fit="project")


class Stage(NamedTuple):
    """A stack of blocks."""

    body: Op
    depth: int
    stride: int
    width: int


class Design(NamedTuple):
    """A stem and stages; widths are relative to each other."""

    stem_stride: int
    stem_width: int
    stages: tuple[Stage, ...]


DESIGNS: Mapping[str, Design] = {
    "bottleneck, early": Design(2, 32, (Stage(BOTTLENECK, 2, 1, 64), Stage(BOTTLENECK, 2, 2, 128))),
    "conv, early": Design(
        1,
        16,
        (Stage(Conv(), 1, 2, 32), Stage(Conv(), 1, 1, 32), Stage(Conv(), 1, 2, 64), Stage(Conv(), 1, 1, 64)),
    ),
    "mlpconv, early": Design(
        1,
        16,
        (Stage(Mlpconv(kernel=3, norm="batch"), 1, 2, 32), Stage(Mlpconv(kernel=3, norm="batch"), 1, 2, 64)),
    ),
    "residual, early": Design(1, 8, (Stage(BASIC, 1, 2, 32), Stage(BASIC, 2, 2, 64))),
    "residual, strided stem": Design(2, 32, (Stage(BASIC, 2, 1, 32), Stage(BASIC, 2, 2, 64))),
    "residual, strided stem, three stages": Design(
        2, 32, (Stage(BASIC, 1, 1, 32), Stage(BASIC, 1, 2, 64), Stage(BASIC, 1, 2, 128))
    ),
    "residual, flat": Design(1, 16, (Stage(BASIC, 1, 2, 32), Stage(BASIC, 1, 2, 64), Stage(BASIC, 1, 2, 64))),
    "separable": Design(
        1, 16, (Stage(Separable(), 2, 1, 32), Stage(Separable(), 2, 2, 64), Stage(Separable(), 2, 2, 128))
    ),
    "separable, strided stem": Design(2, 32, (Stage(Separable(), 2, 1, 64), Stage(Separable(), 3, 2, 128))),
    "separable 5x5, early": Design(
        1, 16, (Stage(Separable(kernel=5), 1, 2, 64), Stage(Separable(kernel=5), 2, 2, 128))
    ),
    "vgg": Design(1, 16, (Stage(Conv(), 2, 1, 16), Stage(Conv(), 2, 2, 32), Stage(Conv(), 2, 2, 64))),
}


def designs(shape: Shape, classes: int, limits: Mapping[str, int]) -> Iterator[Genome]:
    """Yield the designs and published networks, each at the widest inside the limits."""
    image = (shape.channels, shape.height, shape.width)
    written = [built(name, one, shape, classes) for name, one in DESIGNS.items()]
    for one in (*written, *(resnet(depth, image, classes) for depth in (8, 14, 20))):
        if found := widest(one, limits):
            yield found.genome
    for family in FAMILIES:
        if family != "resnet" and (network := fitted(family, image, classes, limits)):
            yield network


def built(name: str, design: Design, shape: Shape, classes: int) -> Genome:
    """Return the genome of a design."""
    builder = GenomeBuilder()
    builder.add("stem", Conv(stride=design.stem_stride), design.stem_width)
    for i, stage in enumerate(design.stages):
        builder.add(f"s{i}", Stack(depth=stage.depth, stride=stage.stride, body=stage.body), stage.width)
    builder.add("out", Exit())
    return builder.genome(name, shape, classes)
