"""Horizontal fusion: several convolutions of the same input run as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genome.ops._bypass import has_hooks, may_bypass

# Measured on one CPU thread with images of 8x8 to 32x32: 1.05 to 1.15 times as fast below, no faster above.
MOST_NUMBERS = 1 << 17


# What layers must have in common. A frozen norm, which is in eval mode, neither reads nor changes what the others do.
ALIKE: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Conv2d: ("stride", "padding", "dilation"),
    nn.BatchNorm2d: ("training", "track_running_stats", "momentum", "eps", "affine"),
    nn.Dropout: ("training", "p"),
    nn.LeakyReLU: ("negative_slope",),
}


def pays(modules: Sequence[nn.Module], x: Tensor) -> bool:
    """Whether fusion computes the same and is faster, as it is for little work on a CPU."""
    width = sum(len(next(module.parameters())) for module in modules)
    few = x.device.type != "cpu" or width * x.numel() // x.shape[1] <= MOST_NUMBERS
    if not few or any(map(has_hooks, modules)):
        return False
    return all(_are_alike(parts) for parts in zip(*map(_chain, modules), strict=False))


def _chain(module: nn.Module) -> list[Any]:
    """The layers of a module in sequence."""
    return [*module] if isinstance(module, nn.Sequential) else [module]


def _are_alike(parts: Sequence[nn.Module]) -> bool:
    """Whether layers of several modules, at the same place in each, may be computed by one call."""
    if not may_bypass(parts) or len({type(part) for part in parts}) > 1:
        return False
    first, *others = parts
    if isinstance(first, nn.BatchNorm2d) and not (first.track_running_stats and first.momentum):
        return False
    return all(
        getattr(part, name) == getattr(first, name) for name in ALIKE.get(type(first), ()) for part in others
    )


def run_together(modules: Sequence[nn.Module], x: Tensor) -> Sequence[Tensor]:
    """The outputs of several modules for `x`. Each is a convolution and what follows; they differ in width alone."""
    chains = [_chain(module) for module in modules]
    widths = [len(chain[0].weight) for chain in chains]
    for parts in zip(*chains, strict=True):
        first = parts[0]
        if isinstance(first, nn.Conv2d):
            bias = None if first.bias is None else torch.cat([part.bias for part in parts])
            weight = torch.cat([part.weight for part in parts])
            x = F.conv2d(x, weight, bias, first.stride, first.padding, first.dilation)
        elif isinstance(first, nn.BatchNorm2d):
            x = _normed(parts, x)
        else:  # dropout and activations are element-wise
            x = first(x)
    return torch.split(x, widths, dim=1)


def _normed(norms: Sequence[Any], x: Tensor) -> Tensor:
    """Batch norm of the channels of all modules in one call; each norm keeps its own running statistics."""
    first = norms[0]
    means, variances = [n.running_mean for n in norms], [n.running_var for n in norms]
    mean, variance = torch.cat(means), torch.cat(variances)
    weight, bias = (
        torch.cat([getattr(n, w) for n in norms]) if first.affine else None for w in ("weight", "bias")
    )
    x = F.batch_norm(x, mean, variance, weight, bias, first.training, first.momentum, first.eps)
    if not first.training:
        return x
    widths = [n.num_features for n in norms]
    torch._foreach_copy_([*means, *variances], [*torch.split(mean, widths), *torch.split(variance, widths)])
    torch._foreach_add_([n.num_batches_tracked for n in norms], 1)
    return x
