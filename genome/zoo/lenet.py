"""LeNet-5 for digits: LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86(11), 1998."""

from __future__ import annotations

from genome.graph import Genome, GenomeError
from genome.ops.conv import Conv
from genome.ops.exit import Exit
from genome.ops.pool import Pool
from genome.zoo.builder import GenomeBuilder, covering
from genome.zoo.entry import Entry


def lenet(input: tuple[int, int, int] = (1, 28, 28), classes: int = 10) -> Genome:
    """Two 5x5 convolutions with pools, then layers of 120 and 84 units over all pixels.

    This is the modern form: ReLU instead of tanh, max pools without weights, every map reads all maps, and a linear
    layer instead of the radial units at the end. Images are padded by two pixels.

    Raises:
        GenomeError: an image that is not square, or whose last map has not 1 to 31 rows.
    """
    if input[1] != input[2]:
        raise GenomeError(f"input is {input[1]}x{input[2]} pixels; lenet takes square images")
    builder = GenomeBuilder()
    builder.add("conv1", Conv(kernel=5, bias=True, order="conv-act"), 6)
    builder.add("pool1", Pool())
    builder.add("conv2", Conv(kernel=5, padding=0, bias=True, order="conv-act"), 16)
    builder.add("pool2", Pool())
    last = covering((input[1] // 2 - 4) // 2, "lenet")
    builder.add("fc1", Conv(kernel=last, padding=0, bias=True, order="conv-act"), 120)
    builder.add("fc2", Conv(kernel=1, bias=True, order="conv-act"), 84)
    builder.add("out", Exit(pool="flatten"))
    return builder.genome("lenet", input, classes)


PUBLISHED = {"lenet": Entry(lenet, source="LeCun et al., Proc. IEEE 86(11), 1998")}
