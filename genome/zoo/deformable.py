"""Deformable ResNets: the last three 3x3 convolutions are deformable (Dai et al., ICCV 2017,
arXiv:1703.06211; v2: Zhu et al., CVPR 2019, arXiv:1811.11168)."""

from __future__ import annotations

from dataclasses import replace

from genome.expand import expand
from genome.graph import Genome, GenomeError, Node
from genome.op import Op
from genome.ops.act import Act
from genome.ops.conv import Conv
from genome.ops.deform import Deform
from genome.zoo.entry import Entry
from genome.zoo.resnet import UNITS, resnet

LAST = 3  # convolutions that are deformable


def deformable_resnet(
    depth: int = 50,
    version: int = 1,
    input: tuple[int, int, int] = (3, 224, 224),
    classes: int = 1000,
    groups: int = 1,
) -> Genome:
    """The ResNet for ImageNet with the last three 3x3 convolutions (res5, from depth 50 on) deformable.

    `version` 2 multiplies the value of each tap by twice a sigmoid, as in the authors' example, and its offsets learn
    at a tenth of the rate; published detectors with it have deformable convolutions in res3 to res5. `groups` is the
    number of groups of channels with offsets of their own, 4 in the configuration of R-FCN. Detectors dilate res5 to
    keep the size of res4; this classifier does not.

    Raises:
        GenomeError: an unknown depth or version.
    """
    if depth not in UNITS:
        raise GenomeError(f"depth is {depth}; it may be {', '.join(map(str, UNITS))}")
    if version not in (1, 2):
        raise GenomeError(f"version is {version}; it may be 1 or 2")
    taps: Op = Deform(modulation="unit", rate=0.1) if version == 2 else Deform()
    taps = taps.having(groups=groups)
    whole = expand(resnet(depth, input, classes))
    spatial = [node.name for node in whole.nodes if isinstance(node.op, Conv) and node.op.kernel == 3]
    nodes: list[Node] = []
    for node in whole.nodes:
        nodes += _deformed(node, taps) if node.name in spatial[-LAST:] else (node,)
    name = f"deformable-resnet-{depth}" + ("-v2" if version == 2 else "")
    return replace(whole, name=name, nodes=tuple(nodes))


def _deformed(node: Node, taps: Op) -> tuple[Node, ...]:
    """A deformable convolution in place of an ordinary one, with a separate norm if no activation follows."""
    assert isinstance(node.op, Conv)
    if node.op.order == "conv-norm-act":
        return (node._replace(op=taps.having(stride=node.op.stride)),)
    inner = node._replace(name=f"{node.name}/taps", op=taps.having(stride=node.op.stride, order="conv"))
    return inner, Node(node.name, Act(norm="batch", activation="none"), (inner.name,))


_V1 = "Dai et al., ICCV 2017, arXiv:1703.06211"

PUBLISHED = {
    "deformable-resnet-50": Entry(lambda: deformable_resnet(50), source=_V1),
    "deformable-resnet-101": Entry(
        lambda: deformable_resnet(101, groups=4),
        "",
        f"{_V1}; the authors' README",
        "R-FCN on this backbone, its res5 dilated: VOC07 mAP@0.5 82.3 %, with ordinary convolutions 79.6 %",
    ),
    "deformable-resnet-50-v2": Entry(
        lambda: deformable_resnet(50, version=2), source="Zhu et al., CVPR 2019, arXiv:1811.11168"
    ),
}
