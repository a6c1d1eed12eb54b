"""Networks of active convolutions, which learn the positions of their taps (Jeon and Kim, CVPR 2017,
arXiv:1703.09076)."""

from __future__ import annotations

from genome.graph import Genome
from genome.op import Op
from genome.ops.act import Act
from genome.ops.active import Active
from genome.ops.add import Add
from genome.ops.conv import Conv
from genome.ops.exit import Exit
from genome.zoo.builder import GenomeBuilder
from genome.zoo.entry import Entry
from genome.zoo.resnet import FIRST, cifar_units

WARMUP = 10_000  # steps before taps move
# kernel, stride and channels of the plain network's active convolutions
LAYERS = ((1, 1, 16), (3, 1, 48), (3, 1, 48), (3, 2, 96), (3, 1, 96), (3, 2, 192), (3, 1, 192))


def active_plain(input: tuple[int, int, int] = (3, 32, 32), classes: int = 10) -> Genome:
    """The paper's plain network for CIFAR.

    It has one active 1x1 convolution (whose tap can't move) and six active 3x3 convolutions, then a 1x1 convolution to
    1000 channels.
    """
    builder = GenomeBuilder()
    for i, (kernel, stride, width) in enumerate(LAYERS):
        builder.add(f"conv{i}", _active(kernel, stride), width)
    builder.add("wide", Conv(kernel=1), 1000)
    builder.add("out", Exit())
    return builder.genome("active-plain", input, classes)


def active_resnet(depth: int = 32, input: tuple[int, int, int] = (3, 32, 32), classes: int = 10) -> Genome:
    """A residual network for CIFAR with active convolutions in its units.

    The paper puts active convolutions into residual units. The details here are our choice, since the paper's table
    was not available: the network of He et al. with 6n + 2 layers (`resnet`), every 3x3 convolution of a unit active,
    and an ordinary stem.

    Raises:
        GenomeError: a depth that is not 2 more than a multiple of 6.
    """
    builder = GenomeBuilder()
    builder.add("stem", Conv(), FIRST)
    for i, units in enumerate(cifar_units(depth)):
        for j in range(units):
            x, name = builder.last, f"s{i + 1}.{j + 1}"
            builder.add(f"{name}/conv1", _active(3, 2 if i and not j else 1), FIRST << i)
            builder.add(f"{name}/conv2", _active(3, 1, "conv"), FIRST << i)
            builder.add(f"{name}/norm2", Act(norm="batch", activation="none"))
            builder.add(f"{name}/add", Add(fit="front", activation="relu"), reads=(builder.last, x))
    builder.add("out", Exit())
    return builder.genome(f"active-resnet-{depth}", input, classes)


def _active(kernel: int, stride: int, order: str = "conv-norm-act") -> Op:
    return Active(kernel=kernel, stride=stride, warmup=WARMUP, order=order)


_SOURCE = "Jeon and Kim, CVPR 2017, arXiv:1703.09076"

PUBLISHED = {
    "active-plain": Entry(
        active_plain,
        "CIFAR-10 7.33 %, CIFAR-100 27.11 % (8.01 %, 27.85 % with ordinary convolutions)",
        f"{_SOURCE}; the authors' README",
    ),
    "active-resnet-32": Entry(
        active_resnet,
        "",
        _SOURCE,
        "our residual network after the paper's idea; the paper's table was not available",
    ),
}
