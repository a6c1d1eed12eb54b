"""Measures: each zero-cost proxy by its name, as a function of a module and a batch."""

from collections.abc import Callable, Mapping

from torch import nn

from trainer.data.batches import Batch
from trainer.hardware.flops import work
from trainer.proxies.saliency import grad_norm, snip, synflow
from trainer.proxies.separation import jacob_cov, naswot
from trainer.proxies.specimen import Undefined, kernels
from trainer.proxies.zen import zen

__all__ = ["MEASURES", "Undefined"]


def params(module: nn.Module, batch: Batch) -> float:
    """Learned numbers."""
    return float(sum(p.numel() for p in module.parameters() if p.requires_grad))


def macs(module: nn.Module, batch: Batch) -> float:
    """Multiply-adds of one image."""
    _, channels, height, width = batch.x.shape
    return float(work(module, (channels, height, width)).macs)


def l2_norm(module: nn.Module, batch: Batch) -> float:
    """The sum of the kernels' lengths (as of NAS-Bench-Suite-Zero, arXiv:2210.03230)."""
    return sum(float(kernel.detach().norm()) for kernel in kernels(module))


MEASURES: Mapping[str, Callable[[nn.Module, Batch], float]] = {
    "params": params,
    "macs": macs,
    "l2_norm": l2_norm,
    "synflow": synflow,
    "snip": snip,
    "grad_norm": grad_norm,
    "jacob_cov": jacob_cov,
    "naswot": naswot,
    "zen": zen,
}
