"""CliqueNet: blocks in which every layer reads all others, evaluated twice (Yang, Zhong, Shen, Lin, CVPR 2018,
arXiv:1802.10419). Orders, norms and dropout follow the authors' code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from genome.common_genes import RATE
from genome.graph import Genome, GenomeError, Loop, Node
from genome.motifs.clique import Clique
from genome.op import Op
from genome.ops.concat import Concat
from genome.ops.conv import Conv
from genome.ops.exit import Exit
from genome.ops.pool import Pool
from genome.ops.squeeze import Squeeze
from genome.zoo.builder import GenomeBuilder
from genome.zoo.entry import Entry

STEM = 64  # channels
VARIANTS = ("I+I", "I+II", "II+II")
# channels of a layer and number of layers, of each block for ImageNet
BLOCKS = {
    "s0": ((36, 5), (64, 6), (100, 6), (80, 6)),
    "s1": ((36, 5), (80, 6), (120, 6), (100, 6)),
    "s2": ((36, 5), (80, 5), (150, 6), (120, 6)),
    "s3": ((40, 6), (80, 6), (160, 6), (160, 6)),
}


class Style(NamedTuple):
    """The settings that all blocks of a network share."""

    attention: bool
    bottleneck: bool
    compression: bool
    variant: str = "II+II"
    eps: float = 1e-5
    dropout: float = 0.0

    def conv(self, kernel: int) -> Op:
        return Conv(kernel=kernel, order="norm-act-conv", eps=self.eps, dropout=self.dropout)

    def letters(self) -> str:
        has = {"a": self.attention, "b": self.bottleneck, "c": self.compression}
        return "".join(letter for letter, is_on in has.items() if is_on)


def cliquenet(
    width: int,
    layers: int,
    attention: bool = False,
    bottleneck: bool = False,
    compression: bool = False,
    variant: str = "II+II",
    input: tuple[int, int, int] = (3, 32, 32),
    classes: int = 10,
    dropout: float = 0.2,
) -> Genome:
    """The network for small images: a 3x3 convolution with 64 channels, and three cliques.

    Each clique has layers / 3 nodes of `width` channels, or layers / 6 with `bottleneck`, whose 1x1 convolutions count
    as layers. Between two blocks are a 1x1 convolution, channel attention (with `attention`) and a 2x2 average pool.
    The classifier reads the input and the output of every block, with `compression` through a 1x1 convolution to half
    of their channels. `variant` names the pass that the classifier reads, then the pass that the next block reads. In
    I+I there is no second pass. (The authors' code keeps the filters that I+I never uses; this network has none.)
    `dropout` is the rate after every convolution except the stem.

    Raises:
        GenomeError: layers that are not a multiple of 3 (6 with bottleneck); an unknown variant; an illegal rate.
    """
    each = 6 if bottleneck else 3
    nodes, rest = divmod(layers, each)
    if rest or nodes < 1:
        with_or_without = "with" if bottleneck else "without"
        raise GenomeError(f"layers is {layers}; {with_or_without} bottleneck it is a multiple of {each}")
    if variant not in VARIANTS:
        raise GenomeError(f"variant is {variant!r}; it may be {', '.join(VARIANTS)}")
    style = Style(attention, bottleneck, compression, variant, eps=1e-3, dropout=_rate(dropout))
    builder = GenomeBuilder()
    builder.add("stem", Conv(order="conv"), STEM)
    _blocks(builder, ((width, nodes),) * 3, style)
    extras = f"-{letters}" if (letters := style.letters()) else ""
    suffix = "" if variant == "II+II" else f"-{variant.lower().replace('+', '-')}"
    return builder.genome(f"cliquenet-{width}-{layers}{extras}{suffix}", input, classes)


def cliquenet_imagenet(
    size: str,
    attention: bool = True,
    input: tuple[int, int, int] = (3, 224, 224),
    classes: int = 1000,
    dropout: float = 0.0,
) -> Genome:
    """The network for ImageNet, of `size` s0 to s3.

    It has a 7x7 stem, a pool and four cliques, all with bottlenecks and compression. `dropout` is the rate after every
    convolution except the stem; the authors' code has none.

    Raises:
        GenomeError: an unknown size; an illegal rate.
    """
    if size not in BLOCKS:
        raise GenomeError(f"size is {size!r}; it may be {', '.join(BLOCKS)}")
    builder = GenomeBuilder()
    builder.add("stem", Conv(kernel=7, stride=2), STEM)
    builder.add("pool", Pool(kind="max", size=3, stride=2, padding=1))
    style = Style(attention, bottleneck=True, compression=True, dropout=_rate(dropout))
    _blocks(builder, BLOCKS[size], style)
    return builder.genome(f"cliquenet-{size}" + ("" if attention else "-plain"), input, classes)


def _rate(dropout: float) -> float:
    if float(dropout) not in RATE:
        raise GenomeError(f"dropout is {dropout}; it may be {RATE}")
    return float(dropout)


def _blocks(builder: GenomeBuilder, blocks: Sequence[tuple[int, int]], style: Style) -> None:
    """Add the cliques, the layers between them, and the exit."""
    channels = STEM
    features: list[str] = []
    for i, (width, nodes) in enumerate(blocks, start=1):
        x, is_last = builder.last, i == len(blocks)
        feature, output = _clique(builder, f"b{i}", width, nodes, style, is_last)
        if style.compression:
            halved = (channels + nodes * width) // 2
            features.append(builder.add(f"f{i}", style.conv(1), halved, (x, feature)))
        else:
            features += [x, feature]
        if not is_last:
            channels = nodes * width
            builder.add(f"t{i}", style.conv(1), channels, (output,))
            if style.attention:
                builder.add(f"a{i}", Squeeze())
            builder.add(f"p{i}", Pool(kind="avg"))
    builder.add("out", Exit(norm="batch", eps=style.eps, activation="relu"), reads=tuple(features))


def _clique(
    builder: GenomeBuilder, name: str, width: int, nodes: int, style: Style, is_last: bool
) -> tuple[str, str]:
    """Add a clique, and return the names of the nodes that the classifier and the next block read."""
    # nothing reads the second pass of the last block if the classifier reads the first
    passes = int(style.variant == "II+II" or (style.variant == "I+II" and not is_last))
    clique = Clique(nodes=nodes, passes=passes, bottleneck=style.bottleneck, body=style.conv(3))
    if style.variant != "I+II" or not passes:
        written = builder.add(name, clique, width)
        return written, written
    made = clique.expand(name, (builder.last,), width)
    members = made.nodes[-1].ins
    first = Node(f"{name}/first", Concat(), members)
    builder.nodes += [*made.nodes[:-1], first, made.nodes[-1]]
    for (
        loop
    ) in made.loops:  # later passes do not evaluate the last member, which keeps the values of the first
        builder.loops.append(Loop(loop.name, (*loop.order, first.name), loop.passes, len(loop.order)))
    return first.name, made.nodes[-1].name


_SOURCE = "Yang et al., CVPR 2018, arXiv:1802.10419"
_CODE = "the authors' code"


def _small(
    cifar10: str, cifar100: str, svhn: str, width: int, layers: int, letters: str = "", note: str = ""
) -> Entry:
    def build() -> Genome:
        return cliquenet(width, layers, "a" in letters, "b" in letters, "c" in letters)

    more = f", SVHN {svhn} %" if svhn else ""
    error = f"CIFAR-10 {cifar10} %, CIFAR-100 {cifar100} %{more}" if cifar10 else ""
    return Entry(build, error, f"{_SOURCE}, {'Table 4' if error else _CODE}", note)


def _large(size: str, top1: str = "", top5: str = "", attention: bool = True) -> Entry:
    error = f"ImageNet top-1 {top1} %, top-5 {top5} %" if top1 else ""
    return Entry(
        lambda: cliquenet_imagenet(size, attention), error, f"{_SOURCE}, {'Table 5' if error else _CODE}"
    )


_DIFFERS = (
    "the paper prints 10.02 M parameters and 8.49 GFLOPs; its code makes these 10.48 M and 10.56 GFLOPs"
)

PUBLISHED = {
    "cliquenet-36-12": _small("5.93", "27.32", "1.77", 36, 12),
    "cliquenet-64-15": _small("5.12", "23.98", "1.62", 64, 15),
    "cliquenet-80-15": _small("5.10", "23.32", "1.56", 80, 15),
    "cliquenet-80-18": _small("5.06", "23.14", "1.51", 80, 18),
    "cliquenet-36-12-a": _small("5.8", "26.41", "", 36, 12, "a"),
    "cliquenet-36-12-c": _small("5.69", "26.45", "", 36, 12, "c"),
    "cliquenet-36-12-ac": _small("5.61", "25.55", "1.69", 36, 12, "ac"),
    "cliquenet-80-15-ac": _small("5.17", "22.78", "1.53", 80, 15, "ac"),
    "cliquenet-150-30-abc": _small("5.06", "21.83", "1.64", 150, 30, "abc", _DIFFERS),
    "cliquenet-12-36": _small("5.79", "26.85", "", 12, 36),
    "cliquenet-24-18": _small("6.04", "26.57", "", 24, 18),
    "cliquenet-64-18": _small("", "", "", 64, 18),
    "cliquenet-s0": _large("s0"),
    "cliquenet-s0-plain": _large("s0", "27.52", "8.98", attention=False),
    "cliquenet-s1": _large("s1"),
    "cliquenet-s1-plain": _large("s1", "26.21", "8.3", attention=False),
    "cliquenet-s2": _large("s2", "24.82", "7.51"),
    "cliquenet-s2-plain": _large("s2", "25.85", "8.02", attention=False),
    "cliquenet-s3": _large("s3", "24.01", "7.15"),
    "cliquenet-s3-plain": _large("s3", "24.98", "7.48", attention=False),
}
