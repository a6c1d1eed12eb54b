"""Exits: what a module gives back, one logit tensor or several, and the loss over them."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from trainer.errors import ModuleError

Logits = tuple[Tensor, ...]


def forward(module: nn.Module, x: Tensor, classes: int) -> Logits:
    """Logits of every exit, each float32 (B, classes). Raises ModuleError for anything else."""
    output = module(x)
    exits = (output,) if isinstance(output, Tensor) else output
    if not isinstance(exits, tuple | list) or not exits or not all(isinstance(e, Tensor) for e in exits):
        raise ModuleError(
            f"forward gave {type(output).__name__}; it must give one logit tensor, or a tuple of them"
        )
    for number, logits in enumerate(exits, start=1):
        if logits.shape != (len(x), classes):
            raise ModuleError(
                f"exit {number} gave logits of shape {tuple(logits.shape)}; it must be ({len(x)}, {classes})"
            )
    return tuple(logits.float() for logits in exits)


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


def loss(logits: Logits, y: Tensor, weight: tuple[float, ...], smoothing: float) -> Tensor:
    """Weighted sum over the exits of the mean cross-entropy, with smoothed labels."""
    terms = [
        w * F.cross_entropy(e, y, label_smoothing=smoothing) for w, e in zip(weight, logits, strict=True)
    ]
    return sum(terms[1:], start=terms[0])
