"""MobileNet v1: a 3x3 convolution and thirteen depthwise separable ones (Howard et al., arXiv:1704.04861)."""

from __future__ import annotations

from collections.abc import Sequence

from genome.domain import Int
from genome.graph import Genome, GenomeError
from genome.ops.conv import Conv
from genome.ops.exit import Exit
from genome.ops.separable import Separable
from genome.zoo.builder import GenomeBuilder
from genome.zoo.entry import Entry

SMALL = 64  # pixels; for images up to this size the stem has stride 1
STRIDE = Int(1, 8)
# channels and stride
LAYERS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def mobilenet_v1(
    width: float = 1.0,
    input: tuple[int, int, int] = (3, 224, 224),
    classes: int = 1000,
    layers: Sequence[tuple[int, int]] = LAYERS,
) -> Genome:
    """The network with `width` times the channels, at least 8 per layer.

    `layers` are the channels and the stride of each separable convolution. The stem has stride 2, or stride 1 for
    images of up to 64 pixels, as in kuangliu's form for CIFAR.

    Raises:
        GenomeError: a layer that is not channels above 0 and a stride of 1 to 8.
    """
    stride = 1 if min(input[1:]) <= SMALL else 2
    builder = GenomeBuilder()
    builder.add("stem", Conv(stride=stride), _channels(32, width))
    for i, layer in enumerate(layers, start=1):
        channels, step = layer
        if channels < 1 or step not in STRIDE:
            raise GenomeError(f"layer {i} is {layer}; it is (channels, stride), stride {STRIDE}")
        builder.add(f"b{i}", Separable(stride=step), _channels(channels, width))
    builder.add("out", Exit())
    name = "mobilenet-v1" + ("" if width == 1 else f"-{width:g}")
    return builder.genome(name, input, classes)


def _channels(channels: int, width: float) -> int:
    return max(int(channels * width), 8)


_SOURCE = "Howard et al., arXiv:1704.04861; TensorFlow's table"
_NOTE = "the error is that of TF-slim's network (relu6, eps 0.001, its own padding)"

PUBLISHED = {
    "mobilenet-v1": Entry(lambda: mobilenet_v1(), "ImageNet top-1 29.4 %", _SOURCE, _NOTE),
    "mobilenet-v1-0.75": Entry(lambda: mobilenet_v1(0.75), "ImageNet top-1 31.6 %", _SOURCE, _NOTE),
    "mobilenet-v1-0.5": Entry(lambda: mobilenet_v1(0.5), "ImageNet top-1 36.3 %", _SOURCE, _NOTE),
    "mobilenet-v1-0.25": Entry(lambda: mobilenet_v1(0.25), "ImageNet top-1 49.4 %", _SOURCE, _NOTE),
    "mobilenet-v1-cifar10": Entry(
        lambda: mobilenet_v1(input=(3, 32, 32), classes=10),
        source="Howard et al., arXiv:1704.04861; kuangliu's form for CIFAR",
    ),
}
