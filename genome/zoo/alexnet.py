"""AlexNet in one column: Krizhevsky, Sutskever, Hinton, NIPS 2012; widths and order as in torchvision (Krizhevsky,
arXiv:1404.5997)."""

from __future__ import annotations

from genome.graph import Genome, GenomeError
from genome.ops.conv import Conv
from genome.ops.dropout import Dropout
from genome.ops.exit import Exit
from genome.ops.pool import Pool
from genome.zoo.builder import GenomeBuilder, covering
from genome.zoo.entry import Entry

# kernel, stride, padding, channels of the convolutions; None is a pool
LAYERS = ((11, 4, 2, 64), None, (5, 1, 2, 192), None, (3, 1, 1, 384), (3, 1, 1, 256), (3, 1, 1, 256), None)
HIDDEN = 4096


def alexnet(input: tuple[int, int, int] = (3, 224, 224), classes: int = 1000) -> Genome:
    """Five convolutions and three 3x3 pools, then two layers of 4096 units and the classifier, with dropout.

    The first of these layers is a convolution over the whole map, whatever its size.

    Raises:
        GenomeError: an image that is not square, or whose last map has not 1 to 31 rows.
    """
    if input[1] != input[2]:
        raise GenomeError(f"input is {input[1]}x{input[2]} pixels; alexnet takes square images")
    builder, side = GenomeBuilder(), input[1]
    for i, layer in enumerate(LAYERS, start=1):
        if layer is None:
            builder.add(f"pool{i}", Pool(kind="max", size=3, stride=2))
            side = (max(side, 3) - 3) // 2 + 1
            continue
        kernel, stride, padding, width = layer
        conv = Conv(kernel=kernel, stride=stride, padding=padding, bias=True, order="conv-act")
        builder.add(f"conv{i}", conv, width)
        side = (side + 2 * padding - kernel) // stride + 1
    last = covering(side, "alexnet")
    builder.add("drop", Dropout())
    builder.add("fc1", Conv(kernel=last, padding=0, bias=True, order="conv-act", dropout=0.5), HIDDEN)
    builder.add("fc2", Conv(kernel=1, bias=True, order="conv-act"), HIDDEN)
    builder.add("out", Exit(pool="flatten"))
    return builder.genome("alexnet", input, classes)


PUBLISHED = {"alexnet": Entry(alexnet, source="Krizhevsky et al., NIPS 2012; torchvision's form")}
