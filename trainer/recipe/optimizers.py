"""The optimizers that a recipe may name: one decorated function each. Importing this file loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer.recipe.rooms import numbers_of_update

if TYPE_CHECKING:
    import torch

    # groups of parameters with their weight decay; learning rate; momentum of the recipe, and whether it is Nesterov's
    Make = Callable[[list[dict[str, Any]], float | torch.Tensor, float, bool], torch.optim.Optimizer]


@dataclass(frozen=True)
class OptimizerKind:
    """An optimizer with its defaults."""

    lr: float
    """Peak learning rate of a recipe that names none."""
    weight_decay: float
    """Weight decay of a recipe that names none."""
    has_momentum: bool
    """Whether `momentum` and `nesterov` of the recipe are used."""
    make: Make
    kept: int = 1
    """Numbers that are kept for each parameter."""
    update: Callable[[Sequence[tuple[int, int]]], int] = lambda matrices: 0
    """The peak of the numbers alive during an update, from the matrices (rows, columns) among the parameters."""


OPTIMIZERS: dict[str, OptimizerKind] = {}


def optimizer(
    name: str,
    *,
    lr: float,
    weight_decay: float,
    has_momentum: bool = False,
    kept: int = 1,
    update: Callable[[Sequence[tuple[int, int]]], int] = lambda matrices: 0,
) -> Callable[[Make], Make]:
    """Register the decorated function under a name."""

    def register(make: Make) -> Make:
        OPTIMIZERS[name] = OptimizerKind(lr, weight_decay, has_momentum, make, kept, update)
        return make

    return register


@optimizer("sgd", lr=0.1, weight_decay=5e-4, has_momentum=True)
def sgd(
    groups: list[dict[str, Any]], lr: float | torch.Tensor, momentum: float, nesterov: bool
) -> torch.optim.Optimizer:
    """SGD with Nesterov or plain momentum."""
    import torch

    made = torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov, fused=True)
    # Drop-path leaves some gradients of a step None. The fused step refuses a list in which some momentum buffers are
    # missing; with a buffer of zeros the first momentum still equals the gradient.
    for group in made.param_groups:
        for parameter in group["params"]:
            made.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return made


@optimizer("adamw", lr=3e-3, weight_decay=0.05, kept=2)
def adamw(
    groups: list[dict[str, Any]], lr: float | torch.Tensor, momentum: float, nesterov: bool
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, arXiv:1711.05101); the recipe's momentum is not used."""
    import torch

    return torch.optim.AdamW(groups, lr=lr, fused=True, capturable=isinstance(lr, torch.Tensor))


@optimizer("muon", lr=0.1, weight_decay=5e-4, has_momentum=True, update=numbers_of_update)
def muon(
    groups: list[dict[str, Any]], lr: float | torch.Tensor, momentum: float, nesterov: bool
) -> torch.optim.Optimizer:
    """SGD whose steps on kernels and matrices are orthogonal (trainer.recipe.muon)."""
    from trainer.recipe.muon import Muon

    return Muon(groups, lr, momentum, nesterov)
