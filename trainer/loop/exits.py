"""Exits: what a module gives back, one logit tensor or several, and the loss over them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.errors import ModuleError

Logits = tuple[Tensor, ...]


def forward(module: Callable[[Tensor], Any], x: Tensor, classes: int) -> Logits:
    """Logits of every exit, each float32 (B, classes). Raises ModuleError for anything else."""
    exits = logits(module, x)
    for number, one in enumerate(exits, start=1):
        if one.shape != (len(x), classes):
            raise ModuleError(
                f"exit {number} gave logits of shape {tuple(one.shape)}; it must be ({len(x)}, {classes})"
            )
    return tuple(one.float() for one in exits)


def logits(module: Callable[[Tensor], Any], x: Tensor) -> Logits:
    """What every exit gives, whatever its shape and number format. Raises ModuleError where it is no tensor."""
    output = module(x)
    exits = (output,) if isinstance(output, Tensor) else output
    if not isinstance(exits, tuple | list) or not exits or not all(isinstance(e, Tensor) for e in exits):
        raise ModuleError(
            f"forward gave {type(output).__name__}; it must give one logit tensor, or a tuple of them"
        )
    return tuple(exits)


def weights(module: nn.Module, exits: int) -> tuple[float, ...]:
    """The module's `exit_weights`, or 1 for each exit. Raises ModuleError where their number is another."""
    given: Sequence[float] | None = getattr(module, "exit_weights", None)
    if given is None:
        return (1.0,) * exits
    if len(given) != exits:
        raise ModuleError(
            f"the module has {len(given)} exit weights for {exits} exits; there must be one for each"
        )
    return tuple(float(weight) for weight in given)


def loss(given: Logits, batch: Batch, weight: tuple[float, ...], smoothing: float) -> Tensor:
    """Weighted sum over the exits of the mean cross-entropy in float32, with smoothed labels.

    Where pairs of images were mixed, it is the same mix of their two losses.
    """
    terms = [w * _loss(e, batch, smoothing) for w, e in zip(weight, given, strict=True)]
    return sum(terms[1:], start=terms[0])


def _loss(logits: Tensor, batch: Batch, smoothing: float) -> Tensor:
    first = F.cross_entropy(logits, batch.y, label_smoothing=smoothing)
    if batch.other is None or batch.share is None:
        return first
    return torch.lerp(F.cross_entropy(logits, batch.other, label_smoothing=smoothing), first, batch.share)
