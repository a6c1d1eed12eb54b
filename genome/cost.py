"""Shapes of feature maps, what a node costs for one image, and the layers inside it."""

from __future__ import annotations

from typing import NamedTuple


class Shape(NamedTuple):
    """Channels, height and width of one image's feature map."""

    channels: int
    height: int
    width: int

    def with_channels(self, channels: int) -> Shape:
        return Shape(channels, self.height, self.width)

    @property
    def size(self) -> int:
        """How many numbers one image's feature map holds."""
        return self.channels * self.height * self.width

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


class Cost(NamedTuple):
    """The cost of one image at one node, in one pass.

    Memory is counted in float32 numbers. The plan counts inputs and outputs, since several nodes may save the same
    tensor.
    """

    weights: int = 0  # parameters shared by all passes of a loop: kernels, biases
    norms: int = 0  # parameters of norms; each pass of a loop has its own
    fixed: int = 0  # numbers drawn once and never learned, such as the masks of `perturb`
    macs: int = 0  # multiply-adds of convolutions and linear layers, each counted once
    # the part of `macs` that reads the node's inputs before anything learned: one total, or one number per input
    first_macs: int | tuple[int, ...] = 0
    saved: int = 0  # numbers made inside the node and saved for the backward pass, without inputs and output
    scratch: int = 0  # the peak of the numbers alive beside inputs and output while the node runs
    reads: bool | tuple[bool, ...] = (
        False  # whether the backward pass needs the inputs: all alike, or one per input
    )
    keeps: bool = False  # whether the backward pass needs the output
    layers: int | tuple[int, ...] = 0  # layers with weights from input to output: all alike, or one per input
    extent: int = 1  # receptive field of one output pixel, in pixels of the input
    stride: int = 1


class Layer(NamedTuple):
    """One layer inside a node."""

    # conv, linear, norm, pad, slice, sum, divide, shrink (average pooling), max, dropout, mean (of each channel), copy
    # (which saves nothing), own, or the word of an activation
    kind: str
    before: Shape  # what it reads
    after: Shape  # what it gives
    weights: int = 0  # parameters
    groups: int = 1  # of a convolution
    # of a layer `own`, which is of no other kind; it saves its input
    saved: int = 0  # numbers made inside and saved for the backward pass
    forward: int = 0  # the peak of the numbers alive inside, beside what it reads and gives
    backward: int = 0  # the same while the backward pass runs, beside what is saved and the two gradients


class Inside(NamedTuple):
    """The layers inside a node in the order in which they run, from which the peak of its memory follows."""

    edges: tuple[tuple[Layer, ...], ...] = ()  # over each input; none: the inputs as they are
    merge: str = "cat"  # or sum: how several inputs become one
    after: tuple[Layer, ...] = ()  # over what was merged

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers."""
        return (*(one for edge in self.edges for one in edge), *self.after)
