"""Several convolutions of one value, run as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def run_together(modules: Sequence[nn.Module], x: Tensor) -> Sequence[Tensor]:
    """The outputs of convolutions of `x`, each with what comes behind it; the chains are alike but for widths."""
    chains = [[*module] if isinstance(module, nn.Sequential) else [module] for module in modules]
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


def is_watched(module: nn.Module) -> bool:
    """Whether a hook waits for the module to be called."""
    return any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def _normed(norms: Sequence[nn.BatchNorm2d], x: Tensor) -> Tensor:
    """Batch norm of the channels of all; each keeps its own running statistics."""
    first = norms[0]
    means, variances = [n.running_mean for n in norms], [n.running_var for n in norms]
    mean, variance = torch.cat(means), torch.cat(variances)
    weight = torch.cat([n.weight for n in norms]) if first.affine else None
    bias = torch.cat([n.bias for n in norms]) if first.affine else None
    x = F.batch_norm(x, mean, variance, weight, bias, first.training, first.momentum, first.eps)
    if first.training:
        widths = [n.num_features for n in norms]
        torch._foreach_copy_([*means, *variances], [*torch.split(mean, widths), *torch.split(variance, widths)])
        torch._foreach_add_([n.num_batches_tracked for n in norms], 1)
    return x
