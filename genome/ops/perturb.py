"""perturb: fixed random masks in place of learned spatial kernels, the layer of perturbative neural networks
(Juefei-Xu et al., CVPR 2018, arXiv:1806.01817).

The paper's results are disputed: its code averaged the test accuracy over batches, and a re-implementation
found that masks add less than one point over the same network without masks. `noise: off` is that control.

The order act-mix is the paper's formula, and act-norm-mix (the default, with one mask per channel) is its code.
act-mix-norm-act and mix-norm-act are the layer of the re-implementation with and without `use_act`, which mostly has
`mix: grouped`. norm-act-mix-norm-act, with sigmoids, is the first layer of the authors' later code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from genome.common_genes import ACTIVATION, ACTIVATION_SEARCH, EPS, EPS_SEARCH, NORM, NORM_SEARCH
from genome.domain import FLAG, Float, Int, OneOf
from genome.layer_costs import chain, norm_params, row
from genome.op import Cost, Inside, Layer, Op, Shape, gene, op
from genome.ops._buffer import BUFFER, rows_at_once

if TYPE_CHECKING:
    from torch import nn

OFF = "off"
ORDER_SEARCH = OneOf("act-norm-mix", "act-mix-norm-act", "mix-norm-act", "act-mix")
ORDER = OneOf(*ORDER_SEARCH.choices, "norm-act-mix-norm-act")
STREAMED_PIXELS = (
    64  # with fewer pixels the loops are so short that streaming is slower than storing the maps
)


@op
class Perturb(Op):
    """Add fixed random masks to each channel, apply an activation, and mix the maps with a learned 1x1 convolution.

    (B, C, H, W) -> (B, width, H, W)

    The masks come first, then the layers in the order that `order` spells. Each channel gives `masks` maps; channel c
    plus mask m is map c * masks + m. The masks, (masks, C or 1, H, W), are drawn when the module is built, saved with
    its weights and never learned. They are uniform in [-level, level), or normal with deviation `level`. With
    `shared` all channels have the same masks. Masks fit one image size only. `mix: dense` mixes all maps; `grouped`
    mixes those of each channel, with as many groups as the greatest common divisor of C and the width.
    `noise: off` leaves the masks out.
    """

    noise: str = gene(OneOf("uniform", "normal", OFF), default="uniform")
    masks: int = gene(Int(1, 4096), OneOf(1, 4, 8), when=lambda g: g["noise"] != OFF, default=1)
    shared: bool = gene(FLAG, when=lambda g: g["noise"] != OFF, default=False)
    level: float = gene(
        Float(0.0, 100.0), Float(0.01, 0.5, log=True), when=lambda g: g["noise"] != OFF, default=0.1
    )
    mix: str = gene(OneOf("dense", "grouped"), when=lambda g: g["masks"] > 1, default="dense")
    bias: bool = gene(FLAG, default=True)
    order: str = gene(ORDER, ORDER_SEARCH, default="act-norm-mix")
    norm: str = gene(NORM, NORM_SEARCH, when=lambda g: "norm" in g["order"], default="batch")
    eps: float = gene(EPS, EPS_SEARCH, when=lambda g: "norm" in g["order"], default=1e-5)
    activation: str = gene(ACTIVATION, ACTIVATION_SEARCH, default="relu")

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        return ins[0].with_channels(width)

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        (source,) = ins
        maps = source.with_channels(source.channels * self.masks)
        kernel = maps.channels // self.groups_of(source, out) * out.channels
        before, _, after = self.order.partition("mix")
        ahead = before.count("norm") * norm_params(self.norm, maps.channels)
        parts = [self.activation if part == "act" else part for part in self._parts()]
        at = parts.index("mix")
        parts[at] = "conv"
        if self.streams(source):
            kept = chain(*parts[at:])
            alive = (maps.channels + out.channels) * rows_at_once(maps, BUFFER) * maps.width
            scratch = max(alive, kept.scratch(0, out.size))
        else:  # adding noise saves nothing, as a concatenation does
            kept = chain(*(["cat"] if self.noisy else []), *parts)
            scratch = kept.scratch(maps.size, out.size)
        return Cost(
            weights=kernel + (out.channels if self.bias else 0),
            norms=ahead + after.count("norm") * norm_params(self.norm, out.channels),
            fixed=self.masks * (1 if self.shared else source.channels) * source.height * source.width
            if self.noisy
            else 0,
            macs=kernel * out.height * out.width,
            first_macs=0 if ahead else kernel * out.height * out.width,
            saved=kept.saved(maps.size, out.size),
            scratch=scratch,
            reads=kept.reads,
            keeps=kept.keeps,
            layers=1,
        )

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside:
        (source,) = ins
        weights, maps = self.cost(ins, out).weights, source.with_channels(source.channels * self.masks)
        words = {"act": self.activation, "mix": "conv"}
        kinds = [words.get(part, part) for part in self._parts()]
        if self.streams(source):  # the maps are those of a few samples, whatever the batch
            mixed = Layer("own", source, out, weights)
            return Inside(after=(mixed, *row(kinds[kinds.index("conv") + 1 :], out, out, 0, self.norm)))
        noise = (Layer("copy", source, maps),) if self.noisy else ()
        return Inside(after=(*noise, *row(kinds, maps, out, weights, self.norm)))

    @property
    def noisy(self) -> bool:
        return self.noise != OFF

    def _parts(self) -> list[str]:
        return self.order.split("-")

    def groups_of(self, source: Shape, out: Shape) -> int:
        """The number of groups of the 1x1 convolution."""
        return math.gcd(source.channels, out.channels) if self.mix == "grouped" else 1

    def streams(self, source: Shape) -> bool:
        """Whether the maps are made a few samples at a time and recomputed in the backward pass."""
        direct = "norm" not in self.order.partition("mix")[0]
        return self.masks > 1 and direct and source.height * source.width >= STREAMED_PIXELS

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        (source,) = ins
        mix = self.mix if self.groups_of(source, out) > 1 else "dense"
        return self.described(mix=mix, shared=self.shared and source.channels > 1)

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        from genome.ops._modules import act, chained, conv2d, norm
        from genome.ops._perturb import Noise, Streamed, drawn

        (source,) = ins
        assert source is not None
        parts: list[tuple[str, nn.Module]] = []
        if self.noisy:
            parts.append(("noise", Noise(drawn(self.noise, self.masks, source, self.shared, self.level))))
        channels = source.channels * self.masks
        for part in self._parts():
            if part == "norm":
                parts.append((part, norm(self.norm, channels, self.eps)))
            elif part == "act":
                name = f"{part}2" if part in dict(parts) else part
                parts.append((name, act(self.activation)))
            else:
                groups = self.groups_of(source, out)
                parts.append((part, conv2d(channels, out.channels, groups=groups, bias=self.bias)))
                channels = out.channels
        return Streamed(parts, self.activation) if self.streams(source) else chained(parts)
