"""ResNet for ImageNet: He, Zhang, Ren, Sun, CVPR 2016, arXiv:1512.03385. As torchvision has it, a bottleneck
strides in its 3x3 convolution."""

from __future__ import annotations

from genome.graph import Genome, GenomeError, Node
from genome.motifs.residual import Residual
from genome.motifs.stack import Stack
from genome.op import Shape
from genome.ops.conv import Conv
from genome.ops.exit import Exit
from genome.ops.pool import Pool

UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def resnet(depth: int, input: tuple[int, int, int] = (3, 224, 224), classes: int = 1000) -> Genome:
    """A 7x7 stem and four stages of 64, 128, 256 and 512 channels: basic units up to depth 34, bottlenecks above.

    Raises:
        GenomeError: a depth that was not published.
    """
    if depth not in UNITS:
        raise GenomeError(f"depth is {depth}; it may be {', '.join(map(str, UNITS))}")
    unit = Residual(unit="basic" if depth < 50 else "bottleneck")
    nodes = [
        Node("stem", Conv(kernel=7, stride=2), ("image",), 64),
        Node("pool", Pool(kind="max", size=3, stride=2, padding=1), ("stem",)),
    ]
    for i, units in enumerate(UNITS[depth]):
        made = Stack(depth=units, stride=1 if i == 0 else 2, body=unit)
        nodes.append(Node(f"s{i + 1}", made, (nodes[-1].name,), 64 << i))
    nodes.append(Node("out", Exit(), (nodes[-1].name,)))
    return Genome(f"resnet-{depth}", Shape(*input), classes, tuple(nodes))
