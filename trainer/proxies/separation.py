"""Separation: proxies of how well an untrained network tells images apart."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.loop import exits
from trainer.proxies.specimen import Undefined, gradients, specimen, total

KAPPA = 1e-5  # added to eigenvalues, as in the paper
BENT = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.SiLU, nn.GELU)  # activations with a bend about zero


def jacob_cov(module: nn.Module, batch: Batch) -> float:
    """Minus the sum over eigenvalues v of log(v + k) + 1 / (v + k), of the correlations between images' Jacobians.

    The Jacobian is the gradient of the sum of an image's logits by its pixels. Highest where none is correlated with
    another. Mellor et al., "Neural architecture search without training", first version (arXiv:2006.04647v1).
    """
    x = batch.x.detach().clone().requires_grad_()
    (jacobians,) = gradients(total(exits.logits(specimen(module), x)), [x])
    rows = jacobians.flatten(1).double()
    rows = rows - rows.mean(dim=1, keepdim=True)
    lengths = rows.norm(dim=1, keepdim=True)
    if not bool((lengths > 0).all()):
        raise Undefined("to some image the gradient is the same in every pixel")
    rows = rows / lengths
    values = torch.linalg.eigvalsh(rows @ rows.T).clamp(min=0.0) + KAPPA  # below 0 by rounding alone
    return -float((values.log() + 1 / values).sum())


def naswot(module: nn.Module, batch: Batch) -> float:
    """Logarithm of the determinant of the kernel of activation codes.

    An image's code has one bit for each unit: whether what reaches its activation is above zero. The kernel counts for
    two images the bits that agree. Mellor et al. (ICML 2021, arXiv:2006.04647); of smooth activations with a bend about
    zero, the same bits are taken.
    """
    copied, count = specimen(module), len(batch.x)
    kernel = torch.zeros(count, count, dtype=torch.float64, device=batch.x.device)
    with torch.no_grad(), _codes_counted(copied, kernel):
        copied(batch.x)
    if not bool(kernel.any()):
        raise Undefined("it has no activation with a bend about zero")
    return float(torch.linalg.slogdet(kernel).logabsdet)


@contextmanager
def _codes_counted(module: nn.Module, kernel: Tensor) -> Iterator[None]:
    """Add to the kernel (B, B) what the codes before each activation come to."""

    def count(part: nn.Module, taken: tuple[Tensor, ...]) -> None:
        on = (taken[0] > 0).flatten(1).to(torch.float32)
        off = 1 - on
        kernel.add_(on @ on.T + off @ off.T)  # whole numbers: exact up to 2 ** 24 units

    hooks = [p.register_forward_pre_hook(count) for p in module.modules() if isinstance(p, BENT)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
