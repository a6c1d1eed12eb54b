"""BranchyNet: early exits on LeNet, AlexNet and ResNet (Teerapittayanon, McDanel, Kung, ICPR 2016,
arXiv:1709.01686), as in the authors' code: all exits have weight 1, and the windows of pools reach over the border.

Each convolution has its ReLU before its pool instead of after it, which is the same function.
"""

from __future__ import annotations

from genome.graph import Genome
from genome.op import Op
from genome.ops.add import Add
from genome.ops.conv import Conv
from genome.ops.exit import Exit
from genome.ops.lrn import Lrn
from genome.ops.pool import Pool
from genome.zoo.builder import GenomeBuilder
from genome.zoo.entry import Entry
from genome.zoo.resnet import FIRST, cifar_units

LRN = Lrn(size=3, alpha=1.5e-4, beta=0.75, k=2.0)
POOL2 = Pool(kind="max", size=2, stride=2, ceil=True)
POOL3 = Pool(kind="max", size=3, stride=2, ceil=True)
LOGITS = Exit(pool="flatten")


def _conv(kernel: int = 3, padding: int | str = "same", order: str = "conv-act", **genes: int | float) -> Op:
    return Conv(kernel=kernel, padding=padding, bias=True, order=order).having(**genes)


def branchy_lenet() -> Genome:
    """LeNet for digits of 28x28 pixels, with an exit after the first convolution."""
    builder = GenomeBuilder()
    builder.add("conv1", _conv(5, 3), 5)
    shared = builder.add("pool1", POOL2)
    builder.add("branch1/conv", _conv(), 10)
    builder.add("branch1/pool", POOL2)
    builder.add("exit1", LOGITS)
    builder.add("conv2", _conv(5, 3), 10, reads=(shared,))
    builder.add("pool2", POOL2)
    builder.add("conv3", _conv(5, 3), 20)
    builder.add("pool3", POOL2)
    builder.add("fc", _conv(6, 0, "conv"), 84)
    builder.add("exit2", LOGITS)
    return builder.genome("branchy-lenet", (1, 28, 28), 10)


def branchy_alexnet() -> Genome:
    """AlexNet for images of 32x32 pixels, with exits after the second and the third convolution.

    (In the paper they are after the first and the second.)
    """
    builder = GenomeBuilder()
    builder.add("conv1", _conv(5), 32)
    builder.add("pool1", POOL3)
    builder.add("lrn1", LRN)
    builder.add("conv2", _conv(5), 64)
    builder.add("pool2", POOL3)
    shared = builder.add("lrn2", LRN)
    builder.add("branch1/conv1", _conv(), 32)
    builder.add("branch1/conv2", _conv(), 32)
    builder.add("branch1/pool", POOL3)
    builder.add("exit1", LOGITS)
    third = builder.add("conv3", _conv(), 96, reads=(shared,))
    builder.add("branch2/pool1", POOL3)
    builder.add("branch2/lrn", LRN)
    builder.add("branch2/conv", _conv(), 32)
    builder.add("branch2/pool2", POOL3)
    builder.add("exit2", LOGITS)
    builder.add("conv4", _conv(), 96, reads=(third,))
    builder.add("conv5", _conv(), 64)
    builder.add("pool5", POOL3)
    builder.add("fc1", _conv(4, 0, dropout=0.5), 256)
    builder.add("fc2", _conv(1, dropout=0.5), 128)
    builder.add("exit3", LOGITS)
    return builder.genome("branchy-alexnet", (3, 32, 32), 10)


def branchy_resnet(depth: int = 110) -> Genome:
    """ResNet with 6n + 2 layers for images of 32x32 pixels, with exits after the stem and after the first stage.

    The stem does not pad, convolutions have biases, and shortcuts put their zero channels first.

    Raises:
        GenomeError: a depth that is not 2 more than a multiple of 6.
    """
    builder = GenomeBuilder()
    stem = builder.add("stem", _conv(3, 0, "conv-norm-act"), FIRST)
    builder.add("branch1/conv1", _conv(5), 64)
    builder.add("branch1/lrn", LRN)
    builder.add("branch1/conv2", _conv(), 32)
    builder.add("branch1/conv3", _conv(), 32)
    builder.add("exit1", LOGITS)
    x = stem
    for i, units in enumerate(cifar_units(depth)):
        for j in range(units):
            x = _unit(builder, f"s{i + 1}.{j + 1}", x, FIRST << i, 2 if i and not j else 1)
        if i == 0:
            _unit(builder, "branch2", x, FIRST, 1)
            builder.add("exit2", LOGITS)
    builder.add("pool", Pool(kind="avg", size=6, stride=1), reads=(x,))
    builder.add("exit3", LOGITS)
    return builder.genome(f"branchy-resnet-{depth}", (3, 32, 32), 10)


def _unit(builder: GenomeBuilder, name: str, x: str, width: int, stride: int) -> str:
    builder.add(f"{name}/conv1", _conv(order="conv-norm-act", stride=stride), width, reads=(x,))
    builder.add(f"{name}/conv2", _conv(order="conv-norm"), width)
    return builder.add(f"{name}/add", Add(fit="front", activation="relu"), reads=(builder.last, x))


_SOURCE = "Teerapittayanon et al., ICPR 2016, arXiv:1709.01686, Table I"
_LESS = "at the paper's thresholds the authors' notebook lets 43.6 % leave at the first exit; the paper has 65.6 %"

PUBLISHED = {
    "branchy-lenet": Entry(branchy_lenet, "MNIST 0.75 % (0.80 % without branches)", _SOURCE),
    "branchy-alexnet": Entry(branchy_alexnet, "CIFAR-10 20.81 % (21.62 % without branches)", _SOURCE, _LESS),
    "branchy-resnet-110": Entry(branchy_resnet, "CIFAR-10 20.83 % (19.30 % without branches)", _SOURCE),
}
