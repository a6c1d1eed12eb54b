"""Zen-score: how much a small change of a random image changes what a random network gives."""

import math

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.loop import exits
from trainer.proxies.specimen import BATCH_NORMS, NORMS, biases, kernels, specimen

CHANGE = 0.01  # of the image, in deviations of its pixels
REPEATS, IMAGES = 2, 16


def zen(module: nn.Module, batch: Batch) -> float:
    """Logarithm of the mean change of the output, plus those of the deviations that batch norms divided by.

    Kernels and images are drawn from a normal distribution, always the same. Lin et al., "Zen-NAS" (ICCV 2021,
    arXiv:2102.01063). Theirs is of the last feature map and of networks whose shortcuts are taken out; a module does
    not say where either is, so this one is of the logits and keeps them. In float64: without norms they are large.
    """
    copied = specimen(module).double()
    chance = torch.Generator().manual_seed(0)
    like = batch.x[:IMAGES].double()
    with torch.no_grad():
        return sum(_score(copied, like, chance) for _ in range(REPEATS)) / REPEATS


def _score(module: nn.Module, like: Tensor, chance: torch.Generator) -> float:
    _draw(module, chance)
    x, change = _normal(like, chance), _normal(like, chance)
    variances: list[float] = []
    hooks = [_listen(part, variances) for part in module.modules() if isinstance(part, BATCH_NORMS)]
    before = exits.logits(module, x)
    for hook in hooks:
        hook.remove()
    after = exits.logits(module, x + CHANGE * change)
    moved = sum(float((a - b).abs().sum(dim=1).mean()) for a, b in zip(after, before, strict=True))
    return _log(moved) + sum(0.5 * _log(variance) for variance in variances)


def _draw(module: nn.Module, chance: torch.Generator) -> None:
    """Kernels from a normal distribution, biases zero, norms that scale by one.

    A kernel that starts at zero stays there: drawn, the offsets of a deformable one would lie outside the image.
    """
    for kernel in kernels(module):
        if bool(kernel.any()):
            kernel.copy_(_normal(kernel, chance))
    for bias in biases(module):
        bias.zero_()
    for part in module.modules():
        if isinstance(part, NORMS) and isinstance(part.weight, Tensor):
            part.weight.fill_(1.0)


def _normal(like: Tensor, chance: torch.Generator) -> Tensor:
    """Drawn on the CPU, so that every device gets the same."""
    return torch.randn(like.shape, generator=chance, dtype=torch.float64).to(like.device)


def _listen(norm: nn.Module, variances: list[float]) -> torch.utils.hooks.RemovableHandle:
    """Keep the mean over the channels of the variance that a norm finds."""

    def keep(part: nn.Module, taken: tuple[Tensor, ...]) -> None:
        by_channel = taken[0].transpose(0, 1).flatten(1)
        variances.append(float(by_channel.var(dim=1, unbiased=False).mean()))

    return norm.register_forward_pre_hook(keep)


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
