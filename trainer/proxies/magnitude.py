"""Magnitude: proxies of the size of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.proxies._registry import proxy

if TYPE_CHECKING:
    from torch import nn

    from trainer.data.batches import Batch


@proxy
def params(module: nn.Module, batch: Batch) -> float:
    """Trainable parameters."""
    return float(sum(p.numel() for p in module.parameters() if p.requires_grad))


@proxy
def macs(module: nn.Module, batch: Batch) -> float:
    """Multiply-adds of one image."""
    from trainer.hardware.flops import work

    _, channels, height, width = batch.x.shape
    return float(work(module, (channels, height, width)).macs)


@proxy
def l2_norm(module: nn.Module, batch: Batch) -> float:
    """Sum of the L2 norms of the kernels (as in NAS-Bench-Suite-Zero, arXiv:2210.03230)."""
    from trainer.proxies._network import kernels

    return sum(float(kernel.detach().norm()) for kernel in kernels(module))
