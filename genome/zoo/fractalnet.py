"""FractalNet: columns of 1, 2, 4, .. convolutions that meet in means (Larsson, Maire, Shakhnarovich, ICLR 2017,
arXiv:1605.07648)."""

from __future__ import annotations

from collections.abc import Sequence

from genome.graph import Genome, GenomeError
from genome.motifs.fractal import AFTER, BEFORE, Fractal
from genome.ops.conv import Conv
from genome.ops.exit import Exit
from genome.zoo.builder import GenomeBuilder
from genome.zoo.entry import Entry

OFFICIAL, PORT = "official", "port"


def fractalnet(
    columns: int = 3,
    widths: Sequence[int] = (64, 128, 256, 512, 512),
    dropout: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.4),
    drop_path: float = 0.15,
    form: str = PORT,
    input: tuple[int, int, int] = (3, 32, 32),
    classes: int = 10,
) -> Genome:
    """One fractal and a 2x2 max pool for each of `widths`, then a linear layer over all remaining pixels.

    A block has depth 2^(columns - 1), and its rate of `dropout` after its convolutions. `form: official` is the
    authors' Caffe network: convolutions with bias, batch norm without scale and shift, the pool before the last join.
    `port` is the network of the paper's text and of the ports: no bias, batch norm with scale and shift, the pool after
    the join. With `drop_path` half of the mini-batches keep a single column, as in the port that follows the paper.

    Raises:
        GenomeError: an unknown form; not one dropout rate per width.
    """
    if form not in (OFFICIAL, PORT):
        raise GenomeError(f"form is {form!r}; it may be {OFFICIAL} or {PORT}")
    if len(dropout) != len(widths):
        raise GenomeError(f"dropout has {len(dropout)} rates for {len(widths)} blocks; give one per block")
    official = form == OFFICIAL
    pool = BEFORE if official else AFTER
    whole = 0.5 if drop_path else 0.0
    builder = GenomeBuilder()
    for i, (width, rate) in enumerate(zip(widths, dropout, strict=True), start=1):
        body = Conv(bias=official, norm="plain" if official else "batch", dropout=rate)
        builder.add(f"b{i}", Fractal(columns, drop_path, whole, pool, body), width)
    builder.add("out", Exit(pool="flatten"))
    name = f"fractalnet-c{columns}" + ("-official" if official else "")
    return builder.genome(name, input, classes)


_SOURCE = "Larsson et al., ICLR 2017, arXiv:1605.07648"
_QUOTED = f"{_SOURCE}; as quoted by its ports, SVHN by CliqueNet"
_ERROR = "CIFAR-10 7.33 %, CIFAR-100 28.20 %, SVHN 1.87 %; augmented CIFAR-10 4.60 %, CIFAR-100 23.73 %"
_NOTE = (
    "ports did not reach the paper's figures: CIFAR-10 8.47 % and 8.76 %, CIFAR-100 34.04 % and 31.10 %; "
    "the 38.6 M parameters quoted for 20 layers are not this network's"
)

PUBLISHED = {
    "fractalnet-c2": Entry(lambda: fractalnet(2), source=_SOURCE),
    "fractalnet-c3": Entry(lambda: fractalnet(3), _ERROR, _QUOTED, _NOTE),
    "fractalnet-c3-official": Entry(lambda: fractalnet(3, form=OFFICIAL), _ERROR, _QUOTED, _NOTE),
    "fractalnet-c4": Entry(lambda: fractalnet(4), source=_SOURCE),
}
