"""The averages of weights that a recipe may name: one decorated function each. Importing this file loads no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    # (average, weights, step, ema_decay): updates in place after the step, counted from 1
    Update = Callable[[list[Tensor], list[Tensor], int, float], None]

LOOKAHEAD_EVERY = 5  # steps; k of the paper
LOOKAHEAD_SHARE = 0.5  # alpha of the paper


@dataclass(frozen=True)
class AverageKind:
    """An average of the weights along the training."""

    parameters: bool
    """Whether a copy of the parameters is averaged at all."""
    buffers: bool
    """Whether the running statistics of norms are averaged with the parameters."""
    update: Update


AVERAGES: dict[str, AverageKind] = {}


def average(name: str, *, parameters: bool = True, buffers: bool = False) -> Callable[[Update], Update]:
    """Register the decorated function under a name."""

    def register(update: Update) -> Update:
        AVERAGES[name] = AverageKind(parameters, buffers, update)
        return update

    return register


@average("none", parameters=False)
def no_average(average: list[Tensor], weights: list[Tensor], step: int, decay: float) -> None:
    """Keep no copy: the weights of the last step are evaluated."""


@average("ema", buffers=True)
def ema(average: list[Tensor], weights: list[Tensor], step: int, decay: float) -> None:
    """average += (1 - d) (weights - average), d = min(ema_decay, (1 + step) / (10 + step))."""
    import torch

    torch._foreach_lerp_(average, weights, 1 - min(decay, (1 + step) / (10 + step)))


@average("lookahead")
def lookahead(average: list[Tensor], weights: list[Tensor], step: int, decay: float) -> None:
    """average += (weights - average) / 2 after every fifth step, from which the weights continue.

    Zhang et al., "Lookahead optimizer: k steps forward, 1 step back" (arXiv:1907.08610).
    """
    import torch

    if step % LOOKAHEAD_EVERY == 0:
        torch._foreach_lerp_(average, weights, LOOKAHEAD_SHARE)
        torch._foreach_copy_(weights, average)
