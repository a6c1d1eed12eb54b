"""Muon: SGD whose steps on matrices are orthogonal (Jordan et al., kellerjordan.github.io/posts/muon, 2024)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trainer.recipe.rooms import room

STEPS = 3  # of Newton-Schulz; five gave no more accuracy
QUINTIC = (3.4445, -4.7750, 2.0315)  # x -> a x + b x^3 + c x^5 for each singular value; Jordan's numbers
EPSILON = 1e-7  # least norm that a matrix is divided by


class Momenta(NamedTuple):
    """Parameters of one group that have a gradient, their gradients and their momenta."""

    parameters: list[Tensor]
    gradients: list[Tensor]
    buffers: list[Tensor]


class Muon(torch.optim.Optimizer):
    """SGD with momentum; the momentum of a matrix is replaced by the nearest orthogonal matrix before it is applied.

    A kernel (out, in, kh, kw) is the matrix (out, in * kh * kw). Its step is scaled by sqrt(max(1, rows / columns)), as
    in torch.optim.Muon, which takes matrices alone; its weight decay is decoupled. Norms, biases and other parameters
    of one dimension take the step of SGD. A step reads `grad_scale` and `found_inf` as torch's fused optimizers do:
    gradients are divided by the one, and no weight changes where the other is 1. The host never waits for a GPU.
    groups: parameters with their `weight_decay`; lr: a tensor on the device if the step is to be captured in a graph.
    """

    grad_scale: Tensor | None = None
    found_inf: Tensor | None = None

    def __init__(
        self, groups: list[dict[str, Any]], lr: float | Tensor, momentum: float, nesterov: bool
    ) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": 0.0})
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change every parameter that has a gradient."""
        found, scale = _on_host(self.found_inf, 0.0), _on_host(self.grad_scale, 1.0)
        if isinstance(found, float) and found:
            return
        for group in self.param_groups:
            momenta = self._momenta(group["params"], found, scale)
            if not momenta.parameters:
                continue
            lr = group["lr"] * (1 - found)
            steps = orthogonal(_directions(momenta, group["momentum"], group["nesterov"]))
            if group["weight_decay"]:
                torch._foreach_mul_(momenta.parameters, 1 - lr * group["weight_decay"])
            torch._foreach_sub_(momenta.parameters, torch._foreach_mul(steps, lr))

    def _momenta(self, parameters: Sequence[Tensor], found: float | Tensor, scale: float | Tensor) -> Momenta:
        """Return what has a gradient, which is divided by `scale`, and zero where `found` is 1."""
        live = [p for p in parameters if p.grad is not None]
        gradients = [p.grad for p in live if p.grad is not None]
        if gradients and not (isinstance(scale, float) and scale == 1.0):
            gradients = list(torch._foreach_div(gradients, scale))
        if isinstance(found, Tensor):
            gradients = [torch.where(found == 0, gradient, 0.0) for gradient in gradients]
        return Momenta(live, gradients, [self.state[p]["momentum_buffer"] for p in live])


def _on_host(number: Tensor | None, absent: float) -> float | Tensor:
    """Return a tensor of the CPU as a number, which is faster; one of a GPU as it is, since a number would wait."""
    if number is None:
        return absent
    return number.item() if number.device.type == "cpu" else number


def _directions(momenta: Momenta, momentum: float, nesterov: bool) -> Sequence[Tensor]:
    """Update the momenta in place, v = m v + g, and return the steps of SGD: v, or Nesterov's g + m v."""
    _, gradients, buffers = momenta
    torch._foreach_mul_(buffers, momentum)
    torch._foreach_add_(buffers, gradients)
    return torch._foreach_add(gradients, buffers, alpha=momentum) if nesterov else buffers


def orthogonal(steps: Sequence[Tensor]) -> list[Tensor]:
    """Return the steps, those of matrices (out, ..) with singular values near 1 times sqrt(max(1, rows / columns)).

    Matrices of about one size run as one batch.
    """
    batches: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, one in enumerate(steps):
        if one.ndim >= 2:
            batches[room(*_sides(one))].append(place)
    made = list(steps)
    for sides, places in batches.items():
        padded = steps[places[0]].new_zeros(len(places), *sides)
        for own, place in zip(padded, places, strict=True):
            _corner(own, steps[place]).copy_(steps[place].flatten(1))
        for own, place in zip(newton_schulz(padded), places, strict=True):
            rows, columns = _sides(steps[place])
            turned = _corner(own, steps[place]) * math.sqrt(max(1.0, rows / columns))
            made[place] = turned.reshape(steps[place].shape)
    return made


def newton_schulz(matrices: Tensor) -> Tensor:
    """Bring the singular values of (N, rows, columns), rows <= columns, near 1: to 0.7 .. 1.2 from 0.1 of the norm on.

    A matrix of zeros stays zero, and so do rows and columns of zeros.
    """
    x: Tensor = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp_min(EPSILON)
    a, b, c = QUINTIC
    for _ in range(STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def _sides(step: Tensor) -> tuple[int, int]:
    """Return the rows and columns of a kernel's matrix."""
    return len(step), step.numel() // len(step)


def _corner(padded: Tensor, step: Tensor) -> Tensor:
    """Return the view (rows, columns) of the part of a padded matrix that belongs to a step."""
    rows, columns = _sides(step)
    return padded[:rows, :columns] if rows <= columns else padded[:columns, :rows].mT
