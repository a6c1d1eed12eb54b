"""Separation: proxies of how well an untrained network tells images apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trainer.proxies._registry import UndefinedProxy, proxy

if TYPE_CHECKING:
    from torch import Tensor, nn

    from trainer.data.batches import Batch

KAPPA = 1e-5  # added to eigenvalues, as in the paper
KINKED = (
    "ReLU",
    "ReLU6",
    "LeakyReLU",
    "PReLU",
    "SiLU",
    "GELU",
)  # activations of torch.nn with a kink near zero


@proxy
def jacob_cov(module: nn.Module, batch: Batch) -> float:
    """Minus the sum over eigenvalues v of log(v + k) + 1 / (v + k), of the correlations between images' Jacobians.

    The Jacobian is the gradient of the sum of an image's logits by its pixels. The value is highest if no two are
    correlated. Mellor et al., "Neural architecture search without training", first version (arXiv:2006.04647v1).
    """
    import torch

    from trainer.loop.loss import exit_outputs
    from trainer.proxies._network import evaluation_copy, gradients, total

    x = batch.x.detach().clone().requires_grad_()
    (jacobians,) = gradients(total(exit_outputs(evaluation_copy(module), x)), [x])
    rows = jacobians.flatten(1).double()
    rows = rows - rows.mean(dim=1, keepdim=True)
    lengths = rows.norm(dim=1, keepdim=True)
    if not bool((lengths > 0).all()):
        raise UndefinedProxy("the gradient of some image is the same in every pixel")
    rows = rows / lengths
    values = torch.linalg.eigvalsh(rows @ rows.T).clamp(min=0.0) + KAPPA  # below 0 only by rounding
    return -float((values.log() + 1 / values).sum())


@proxy
def naswot(module: nn.Module, batch: Batch) -> float:
    """Logarithm of the determinant of the kernel of activation codes.

    An image's code has one bit per unit: whether the input of its activation is above zero. The kernel counts the equal
    bits of two images. Mellor et al. (ICML 2021, arXiv:2006.04647); smooth activations with a kink near zero have the
    same bits.
    """
    import torch

    from trainer.proxies._network import evaluation_copy

    copied, count = evaluation_copy(module), len(batch.x)
    kernel = torch.zeros(count, count, dtype=torch.float64, device=batch.x.device)
    with torch.no_grad(), _codes_counted(copied, kernel):
        copied(batch.x)
    if not bool(kernel.any()):
        raise UndefinedProxy("it has no activation with a kink near zero")
    return float(torch.linalg.slogdet(kernel).logabsdet)


@contextmanager
def _codes_counted(module: nn.Module, kernel: Tensor) -> Iterator[None]:
    """Inside, add to the kernel (B, B) the equal bits before each activation."""
    import torch
    from torch import nn

    def count(part: nn.Module, taken: tuple[Tensor, ...]) -> None:
        on = (taken[0] > 0).flatten(1).to(torch.float32)
        off = 1 - on
        kernel.add_(on @ on.T + off @ off.T)  # whole numbers: exact up to 2 ** 24 units

    kinds = tuple(getattr(nn, name) for name in KINKED)
    hooks = [p.register_forward_pre_hook(count) for p in module.modules() if isinstance(p, kinds)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
