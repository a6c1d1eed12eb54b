"""PyramidNet: residual units whose width grows a little at every unit (Han, Kim, Kim, CVPR 2017,
arXiv:1610.02915). Order, shortcut and rounding follow the authors' code."""

from __future__ import annotations

from genome.graph import Genome, GenomeError
from genome.motifs.residual import Residual
from genome.motifs.stack import Stack
from genome.ops.conv import Conv
from genome.ops.exit import Exit
from genome.ops.pool import Pool
from genome.widths import Widths
from genome.zoo.builder import GenomeBuilder
from genome.zoo.entry import Entry

LAYERS = {"basic": 2, "bottleneck": 3}  # convolutions of a unit
SMALL = 64  # pixels; larger images get the form for ImageNet
# units of the four stages for ImageNet
UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}


def pyramidnet(
    depth: int,
    alpha: float,
    rule: str = "add",
    block: str | None = None,
    input: tuple[int, int, int] = (3, 32, 32),
    classes: int = 10,
) -> Genome:
    """The network for small images: a 3x3 stem of 16 channels and three stages.

    A stage has (depth - 2) / 6 basic or (depth - 2) / 9 bottleneck units. `alpha` is the number of channels that the
    rule `add` adds to the 16, or the factor of the rule `multiply`.

    Images of more than 64 pixels get the form for ImageNet: a 7x7 stem of 64 channels and a max pool, both of stride
    2, and four stages with as many units as a ResNet of that depth, or for other depths (depth - 2) / 8 basic or
    (depth - 2) / 12 bottleneck units each. `block` is `basic` by default, and `bottleneck` in the form for ImageNet
    from depth 50 on.

    Raises:
        GenomeError: a depth that gives no whole number of units; an unknown block.
    """
    small = min(input[1:]) <= SMALL
    if block is None:
        block = "basic" if small or depth in (18, 34) else "bottleneck"
    if block not in LAYERS:
        raise GenomeError(f"block is {block!r}; it may be {' or '.join(LAYERS)}")
    stages = _stages(depth, block, small)
    unit = Residual(unit=block, order="pyramid", fit="pad")
    builder = GenomeBuilder()
    if small:
        builder.add("stem", Conv(order="conv-norm"), 16)
    else:
        builder.add("stem", Conv(kernel=7, stride=2), 64)
        builder.add("pool", Pool(kind="max", size=3, stride=2, padding=1))
    for i, units in enumerate(stages, start=1):
        builder.add(f"s{i}", Stack(depth=units, stride=1 if i == 1 else 2, body=unit))
    builder.add("out", Exit(norm="batch", activation="relu"))
    kind = f"-{block}" if small and block != "basic" else ""
    name = f"pyramidnet-{'' if small else 'imagenet-'}{depth}-{rule[0]}{alpha:g}{kind}"
    return builder.genome(name, input, classes, Widths(rule, 16 if small else 64, float(alpha)))


def _stages(depth: int, block: str, small: bool) -> tuple[int, ...]:
    """The units of each stage."""
    if not small and depth in UNITS:
        return UNITS[depth]
    stages = 3 if small else 4
    each = stages * LAYERS[block]
    units, rest = divmod(depth - 2, each)
    if rest or units < 1:
        raise GenomeError(f"depth is {depth}; with {block} units it is 2 more than a multiple of {each}")
    return (units,) * stages


def _cifar(
    cifar10: str, cifar100: str, depth: int, alpha: float, rule: str = "add", block: str = "basic"
) -> Entry:
    source = "Han et al., CVPR 2017, arXiv:1610.02915; the authors' Torch README"
    error = f"CIFAR-10 {cifar10} %, CIFAR-100 {cifar100} %"
    return Entry(lambda: pyramidnet(depth, alpha, rule, block), error, source)


def _imagenet(top1: str, top5: str, where: str, depth: int, alpha: float) -> Entry:
    source = f"Han et al., CVPR 2017, arXiv:1610.02915; the authors' {where} README"
    error = f"ImageNet top-1 {top1} %, top-5 {top5} %"
    return Entry(lambda: pyramidnet(depth, alpha, input=(3, 224, 224), classes=1000), error, source)


_NECK = "bottleneck"

PUBLISHED = {
    "pyramidnet-110-a48": _cifar("4.62", "23.31", 110, 48),
    "pyramidnet-110-a84": _cifar("4.27", "20.21", 110, 84),
    "pyramidnet-110-a270": _cifar("3.73", "18.25", 110, 270),
    "pyramidnet-110-m4.75": _cifar("4.62", "23.16", 110, 4.75, "multiply"),
    "pyramidnet-110-m8": _cifar("4.50", "20.94", 110, 8, "multiply"),
    "pyramidnet-110-m27": _cifar("4.06", "18.79", 110, 27, "multiply"),
    "pyramidnet-164-a48-bottleneck": _cifar("4.21", "19.52", 164, 48, block=_NECK),
    "pyramidnet-164-a84-bottleneck": _cifar("3.96", "18.32", 164, 84, block=_NECK),
    "pyramidnet-164-a270-bottleneck": _cifar("3.48", "17.01", 164, 270, block=_NECK),
    "pyramidnet-200-a240-bottleneck": _cifar("3.44", "16.51", 200, 240, block=_NECK),
    "pyramidnet-236-a220-bottleneck": _cifar("3.40", "16.37", 236, 220, block=_NECK),
    "pyramidnet-272-a200-bottleneck": _cifar("3.31", "16.35", 272, 200, block=_NECK),
    "pyramidnet-imagenet-101-a250": _imagenet("23.24", "6.59", "Caffe", 101, 250),
    "pyramidnet-imagenet-101-a360": _imagenet("21.98", "6.20", "PyTorch", 101, 360),
    "pyramidnet-imagenet-152-a200": _imagenet("22.44", "6.14", "Caffe", 152, 200),
    "pyramidnet-imagenet-200-a300": _imagenet("20.47", "5.29", "Torch", 200, 300),
}
