"""Several convolutions of one value, run as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# On one CPU thread, 8x8 to 32x32 images: 1.05 to 1.15 times as fast below it, at most as fast above.
MOST_NUMBERS = 1 << 17


def pays(modules: Sequence[nn.Module], x: Tensor) -> bool:
    """Whether running as one is quicker: on a CPU for little work. Not where a hook waits for one of them."""
    width = sum(len(next(module.parameters())) for module in modules)
    few = x.device.type != "cpu" or width * x.numel() // x.shape[1] <= MOST_NUMBERS
    parts = (part for module in modules for part in module.modules())
    return few and not any(part._forward_hooks or part._forward_pre_hooks for part in parts)


def run_together(modules: Sequence[nn.Module], x: Tensor) -> Sequence[Tensor]:
    """The outputs of convolutions of `x`, each with what comes behind it; the chains are alike but for widths."""
    chains: list[list[Any]] = [[*m] if isinstance(m, nn.Sequential) else [m] for m in modules]
    widths = [len(chain[0].weight) for chain in chains]
    for parts in zip(*chains, strict=True):
        first = parts[0]
        if isinstance(first, nn.Conv2d):
            bias = None if first.bias is None else torch.cat([part.bias for part in parts])
            weight = torch.cat([part.weight for part in parts])
            x = F.conv2d(x, weight, bias, first.stride, first.padding, first.dilation)
        elif isinstance(first, nn.BatchNorm2d):
            x = _normed(parts, x)
        else:  # dropout and activations treat every number alike
            x = first(x)
    return torch.split(x, widths, dim=1)


def _normed(norms: Sequence[Any], x: Tensor) -> Tensor:
    """Batch norm of the channels of all by the batch's statistics; each keeps its own running ones."""
    first = norms[0]
    means, variances = [n.running_mean for n in norms], [n.running_var for n in norms]
    mean, variance = torch.cat(means), torch.cat(variances)
    weight, bias = (
        torch.cat([getattr(n, w) for n in norms]) if first.affine else None for w in ("weight", "bias")
    )
    x = F.batch_norm(x, mean, variance, weight, bias, True, first.momentum, first.eps)
    widths = [n.num_features for n in norms]
    torch._foreach_copy_([*means, *variances], [*torch.split(mean, widths), *torch.split(variance, widths)])
    torch._foreach_add_([n.num_batches_tracked for n in norms], 1)
    return x
