"""Zen-score: how much a small change of a random image changes the output of a random network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trainer.proxies._registry import proxy

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from trainer.data.batches import Batch

CHANGE = 0.01  # of the image, in standard deviations of its pixels
REPEATS, IMAGES = 2, 16


@proxy
def zen(module: nn.Module, batch: Batch) -> float:
    """Logarithm of the mean change of the output, plus the logarithms of the deviations in batch norms.

    Kernels and images are drawn from a normal distribution with a fixed seed. Lin et al., "Zen-NAS" (ICCV 2021,
    arXiv:2102.01063). The paper takes the last feature map and removes shortcuts; a module does not expose either, so
    this score takes the logits and keeps shortcuts. In float64, because values without norms are large.
    """
    import torch

    from trainer.proxies._network import evaluation_copy

    copied = evaluation_copy(module).double()
    generator = torch.Generator().manual_seed(0)
    like = batch.x[:IMAGES].double()
    with torch.no_grad():
        return sum(_score(copied, like, generator) for _ in range(REPEATS)) / REPEATS


def _score(module: nn.Module, like: Tensor, generator: torch.Generator) -> float:
    from trainer.loop.loss import exit_outputs
    from trainer.proxies._network import BATCH_NORMS

    _draw(module, generator)
    x, change = _normal(like, generator), _normal(like, generator)
    variances: list[float] = []
    hooks = [_listen(part, variances) for part in module.modules() if isinstance(part, BATCH_NORMS)]
    before = exit_outputs(module, x)
    for hook in hooks:
        hook.remove()
    after = exit_outputs(module, x + CHANGE * change)
    moved = sum(float((a - b).abs().sum(dim=1).mean()) for a, b in zip(after, before, strict=True))
    return _log(moved) + sum(0.5 * _log(variance) for variance in variances)


def _draw(module: nn.Module, generator: torch.Generator) -> None:
    """Draw kernels from a normal distribution; set biases to zero and the scales of norms to one.

    A kernel of zeros stays zero: random offsets of a deformable convolution would lie outside the image.
    """
    from torch import Tensor

    from trainer.proxies._network import NORMS, biases, kernels

    for kernel in kernels(module):
        if bool(kernel.any()):
            kernel.copy_(_normal(kernel, generator))
    for bias in biases(module):
        bias.zero_()
    for part in module.modules():
        if isinstance(part, NORMS) and isinstance(part.weight, Tensor):
            part.weight.fill_(1.0)


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return normal numbers, drawn on the CPU so that every device gets the same."""
    import torch

    return torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like.device)


def _listen(norm: nn.Module, variances: list[float]) -> torch.utils.hooks.RemovableHandle:
    """Append the mean over the channels of the variance of the norm's input to `variances`."""

    def keep(part: nn.Module, taken: tuple[Tensor, ...]) -> None:
        by_channel = taken[0].transpose(0, 1).flatten(1)
        variances.append(float(by_channel.var(dim=1, unbiased=False).mean()))

    return norm.register_forward_pre_hook(keep)


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
