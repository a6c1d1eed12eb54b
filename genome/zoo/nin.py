"""Network in network: convolutions whose filters are small networks, without a linear layer at the end (Lin, Chen,
Yan, ICLR 2014, arXiv:1312.4400). Widths, paddings and pools follow the author's definition files."""

from __future__ import annotations

from typing import NamedTuple

from genome.graph import Genome, GenomeError
from genome.ops.dropout import Dropout
from genome.ops.exit import Exit
from genome.ops.mlpconv import Mlpconv
from genome.ops.pool import Pool
from genome.zoo.builder import GenomeBuilder
from genome.zoo.entry import Entry


class Layer(NamedTuple):
    """The genes of an mlpconv."""

    kernel: int
    first: int  # channels of the three convolutions
    second: int
    width: int
    stride: int = 1
    padding: int | str = "same"


class Variant(NamedTuple):
    """A published setting."""

    input: tuple[int, int, int]
    layers: tuple[Layer, ...]  # the width of the last one is the number of classes


_CIFAR = (Layer(5, 192, 160, 96), Layer(5, 192, 192, 192))
VARIANTS = {
    "cifar10": Variant((3, 32, 32), (*_CIFAR, Layer(3, 192, 192, 10))),
    "cifar100": Variant((3, 32, 32), (*_CIFAR, Layer(3, 192, 192, 100))),
    "svhn": Variant((3, 32, 32), (Layer(5, 128, 96, 64), Layer(5, 320, 256, 128), Layer(5, 384, 256, 10))),
    "mnist": Variant((1, 28, 28), (Layer(5, 96, 64, 48), Layer(5, 128, 96, 48), Layer(5, 128, 96, 10))),
    "imagenet": Variant(
        (3, 224, 224),
        (
            Layer(11, 96, 96, 96, stride=4, padding=0),
            Layer(5, 256, 256, 256),
            Layer(3, 384, 384, 384),
            Layer(3, 1024, 1024, 1000),
        ),
    ),
}


def nin(variant: str = "cifar10", pool2: str = "max", padded: bool = False) -> Genome:
    """Mlpconvs with 3x3 pools of stride 2 between them, whose last windows reach over the border.

    With `padded` the pools have a border of one pixel instead, as in the ports to PyTorch: their windows lie one pixel
    further to the left and the top, and averages count the border as zeros.

    The last mlpconv gives the logits, after a ReLU as in the author's code. Dropout of 0.5 follows each pool; in the
    ImageNet network, which is that of the Caffe model zoo, it follows only the last pool. `pool2` is the kind of the
    second pool: `max` in the author's files, `avg` in the Caffe model zoo and in ports.

    Raises:
        GenomeError: an unknown variant or pool.
    """
    if variant not in VARIANTS:
        raise GenomeError(f"variant is {variant!r}; it may be {', '.join(VARIANTS)}")
    if pool2 not in ("max", "avg"):
        raise GenomeError(f"pool2 is {pool2!r}; it may be max or avg")
    input, layers = VARIANTS[variant]
    builder = GenomeBuilder()
    for i, layer in enumerate(layers, start=1):
        made = Mlpconv(layer.kernel, layer.stride, layer.padding, layer.first, layer.second)
        builder.add(f"mlp{i}", made, layer.width)
        if i == len(layers):
            break
        kind = pool2 if i == 2 else "max"
        builder.add(f"pool{i}", Pool(kind=kind, size=3, stride=2, padding=int(padded), ceil=not padded))
        if variant != "imagenet" or i == len(layers) - 1:
            builder.add(f"drop{i}", Dropout())
    builder.add("out", Exit(linear=False))
    name = f"nin-{variant}" + ("-avg" if pool2 == "avg" else "") + ("-padded" if padded else "")
    return builder.genome(name, input, layers[-1].width)


_SOURCE = "Lin et al., ICLR 2014, arXiv:1312.4400; errors as summarised by others"
_AVERAGE = "a variant: the second pool averages, as in the Caffe model zoo and in ports"

PUBLISHED = {
    "nin-cifar10": Entry(
        lambda: nin("cifar10"), "CIFAR-10 10.41 %, 8.81 % with augmentation", _SOURCE
    ),
    "nin-cifar10-avg": Entry(lambda: nin("cifar10", "avg"), "", _SOURCE, _AVERAGE),
    "nin-cifar100": Entry(lambda: nin("cifar100"), "CIFAR-100 35.68 %", _SOURCE),
    "nin-svhn": Entry(lambda: nin("svhn"), "SVHN 2.35 %", _SOURCE),
    "nin-mnist": Entry(lambda: nin("mnist"), "MNIST 0.47 %", _SOURCE),
    "nin-imagenet": Entry(
        lambda: nin("imagenet"), "", "Caffe model zoo", "the Caffe model zoo's; the paper has no such network"
    ),
}  # fmt: skip
