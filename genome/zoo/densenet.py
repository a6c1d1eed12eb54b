"""DenseNet: every layer of a block reads all earlier layers (Huang, Liu, van der Maaten, Weinberger, CVPR 2017,
arXiv:1608.06993)."""

from __future__ import annotations

from genome.graph import Genome, GenomeError
from genome.motifs.dense import Dense
from genome.ops.conv import Conv
from genome.ops.exit import Exit
from genome.ops.pool import Pool
from genome.zoo.builder import GenomeBuilder
from genome.zoo.entry import Entry

# layers of the four blocks for ImageNet
LAYERS = {121: (6, 12, 24, 16), 161: (6, 12, 36, 24), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}


def densenet(
    depth: int,
    growth: int | None = None,
    input: tuple[int, int, int] | None = None,
    classes: int | None = None,
    *,
    bottleneck: bool = False,
    compression: float = 1.0,
) -> Genome:
    """The network of a depth: 121, 161, 169 and 201 for ImageNet, 3n + 4 (6n + 4 with bottlenecks) for CIFAR.

    `input` and `classes` are those of ImageNet or CIFAR by default. The form for ImageNet has a 7x7 stem of twice the
    growth and a pool, then four blocks with bottlenecks, each of which halves its channels at the end; the growth is
    32, or 48 for depth 161. The form for CIFAR has a 3x3 stem of 16 channels (twice the growth with compression) and
    three blocks; the growth is 12. `compression` is the share of a block's channels that the next block reads (0.5 in
    the paper's BC form). There is no dropout.

    Raises:
        GenomeError: a depth that gives no whole number of layers.
    """
    builder = GenomeBuilder()
    blocks: tuple[int, ...]
    if depth in LAYERS:
        input, classes, blocks = input or (3, 224, 224), classes or 1000, LAYERS[depth]
        growth, bottleneck, compression = growth or (48 if depth == 161 else 32), True, 0.5
        channels = 2 * growth
        builder.add("stem", Conv(kernel=7, stride=2), channels)
        builder.add("pool", Pool(kind="max", size=3, stride=2, padding=1))
        name = f"densenet-{depth}"
    else:
        growth, blocks = growth or 12, _small(depth, bottleneck)
        input, classes = input or (3, 32, 32), classes or 10
        channels = 16 if compression == 1 else 2 * growth
        builder.add("stem", Conv(order="conv"), channels)
        kind = ("b" if bottleneck else "") + ("c" if compression != 1 else "")
        name = f"densenet-{kind}{'-' if kind else ''}{depth}-{growth}"
    for i, layers in enumerate(blocks, start=1):
        channels += layers * growth
        dense = Dense(layers=layers, growth=growth, bottleneck=bottleneck)
        if i == len(blocks):
            builder.add(f"b{i}", dense)
            break
        channels = int(channels * compression)
        builder.add(f"b{i}", dense, channels)
        builder.add(f"p{i}", Pool(kind="avg"))
    builder.add("out", Exit(norm="batch", activation="relu"))
    return builder.genome(name, input, classes)


def _small(depth: int, bottleneck: bool) -> tuple[int, int, int]:
    """The layers of the three blocks for small images."""
    each = 6 if bottleneck else 3
    layers, rest = divmod(depth - 4, each)
    if rest or layers < 1:
        known = ", ".join(map(str, LAYERS))
        raise GenomeError(
            f"depth is {depth}; it may be {known}, or, {'with' if bottleneck else 'without'} bottleneck, 4 more "
            f"than a multiple of {each}"
        )
    return layers, layers, layers


_SOURCE = "Huang et al., CVPR 2017, arXiv:1608.06993"


def _entry(depth: int) -> Entry:
    return Entry(lambda: densenet(depth), source=f"{_SOURCE}; torchvision's form")


PUBLISHED = {
    "densenet-40-12": Entry(lambda: densenet(40, 12), source=_SOURCE),
    "densenet-bc-100-12": Entry(lambda: densenet(100, 12, bottleneck=True, compression=0.5), source=_SOURCE),
    **{f"densenet-{depth}": _entry(depth) for depth in LAYERS},
}
