"""Published networks scaled to limits: every width by one factor, as MobileNet's width multiplier does, and the depth
among those of the family."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from genome.graph import Genome, GenomeError, Node
from genome.motifs.dense import Dense
from genome.plan import Plan
from genome.resolve import resolve
from genome.zoo.densenet import densenet
from genome.zoo.mobilenet import LAYERS as MOBILENET
from genome.zoo.mobilenet import mobilenet_v1
from genome.zoo.pyramidnet import pyramidnet
from genome.zoo.resnet import resnet

SMALL = 64  # pixels: larger images get the forms for ImageNet
WIDEST = 16.0  # factor
STEPS = 12  # halvings between two factors, after which no width changes any more
FULL = 0.9  # share of the tightest limit that a scaled network should use
NARROWEST = 0.5  # factor under which a shallower network is taken
LIMITS = ("params", "macs", "depth", "memory")  # as in the limits of a study: numbers of a plan

Build = Callable[[tuple[int, int, int], int], Genome]


class Family(NamedTuple):
    """The networks of one paper: builders by depth, the shallowest first, and where the choice of a depth begins."""

    small: tuple[Build, ...]
    first: int
    large: Build


class Scaled(NamedTuple):
    """A published network with its widths times a factor."""

    genome: Genome
    factor: float


def _resnet(depth: int) -> Build:
    return lambda input, classes: resnet(depth, input, classes)


def _pyramidnet(depth: int) -> Build:
    return lambda input, classes: pyramidnet(depth, 48, input=input, classes=classes)


def _densenet(depth: int) -> Build:
    return lambda input, classes: densenet(depth, 12, input, classes)


def _mobilenet(layers: Sequence[tuple[int, int]]) -> Build:
    return lambda input, classes: mobilenet_v1(1.0, input, classes, layers)


FAMILIES: Mapping[str, Family] = {
    "resnet": Family(tuple(map(_resnet, (8, 14, 20, 32, 44, 56))), 2, _resnet(18)),
    "pyramidnet": Family(tuple(map(_pyramidnet, (8, 14, 20, 32, 44, 56))), 2, _pyramidnet(18)),
    "densenet": Family(tuple(map(_densenet, (10, 16, 22, 40))), 2, lambda *given: densenet(121, None, *given)),
    "mobilenet": Family(
        tuple(map(_mobilenet, (MOBILENET[:6], (*MOBILENET[:7], *MOBILENET[11:]), MOBILENET))), 2, _mobilenet(MOBILENET)
    ),
}  # fmt: skip


def scaled(published: Genome, factor: float) -> Genome:
    """The genome with every width times a factor, rounded, and one channel at least; its name tells the factor."""

    def channels(count: float) -> int:
        return max(1, round(count * factor))

    def narrow(node: Node) -> Node:
        op = node.op
        if isinstance(op, Dense):
            op = replace(op, growth=channels(op.growth))
        return node._replace(op=op, width=channels(node.width) if isinstance(node.width, int) else node.width)

    widths = published.widths
    if widths is not None:
        alpha = widths.alpha * factor if widths.rule == "add" else widths.alpha
        widths = replace(widths, base=channels(widths.base), alpha=alpha)
    nodes = tuple(map(narrow, published.nodes))
    return replace(published, name=f"{published.name}-x{factor:.3g}", nodes=nodes, widths=widths)


def usage(plan: Plan, limits: Mapping[str, int]) -> float:
    """The share of the tightest of these limits that a network uses; above 1 it exceeds that limit, 0 without limits.

    limits: the most params, macs, depth and memory (bytes), each for one image.
    """
    found = {"params": plan.params, "macs": plan.macs, "depth": plan.depth, "memory": plan.memory_bytes}
    return max((found[name] / limits[name] for name in LIMITS if name in limits), default=0.0)


def widest(published: Genome, limits: Mapping[str, int]) -> Scaled | None:
    """The network scaled to the widest form within the limits; None where one channel for each width exceeds them.

    Without limits on what grows with the width it is the published network.
    """
    if not set(limits) & {"params", "macs", "memory"}:
        return Scaled(published, 1.0) if _is_inside(published, limits) else None
    low, high = 0.0, WIDEST
    if not _is_inside(scaled(published, low), limits):
        return None
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _is_inside(scaled(published, middle), limits) else (low, middle)
    return Scaled(scaled(published, low), low)


def fitted(
    family: str, input: tuple[int, int, int], classes: int, limits: Mapping[str, int]
) -> Genome | None:
    """The network of a family for these images, with a depth and a width that use the tightest limit well.

    input: of one image: channels, height and width in pixels. limits: as of `usage`. Where the network of the usual
    depth would be much narrower than the published one, a shallower network is taken; where it would be wider, a deeper
    one. None where no network is inside.

    Raises:
        GenomeError: an unknown family.
    """
    if family not in FAMILIES:
        raise GenomeError(f"{family!r} is no family of networks; it may be {', '.join(FAMILIES)}")
    small, usual, large = FAMILIES[family]
    if min(input[1:]) > SMALL:
        found = widest(large(input, classes), limits)
        return found and found.genome
    every = [widest(build(input, classes), limits) for build in small]
    at = usual
    while at > 0 and _factor(every[at]) < NARROWEST:
        at -= 1
    while at + 1 < len(every) and _factor(every[at]) > 1.0 <= _factor(every[at + 1]):
        at += 1
    inside = sorted((abs(other - at), other, one.genome) for other, one in enumerate(every) if one)
    used = [(min(usage(resolve(one), limits), FULL), -place, one) for place, (*_, one) in enumerate(inside)]
    return max(used, default=(0.0, 0, None), key=lambda found: found[:2])[2]


def _factor(found: Scaled | None) -> float:
    return found.factor if found else 0.0


def _is_inside(network: Genome, limits: Mapping[str, int]) -> bool:
    return usage(resolve(network), limits) <= 1.0
