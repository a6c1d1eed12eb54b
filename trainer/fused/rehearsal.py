"""Rehearsal: whether networks that are trained as one learn the same, and how much quicker."""

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.fused.step import FusedStep
from trainer.hardware.precision import Form
from trainer.hardware.ranks import Ranks
from trainer.hardware.time_by_part import Parts
from trainer.loop.step import Step
from trainer.recipe import Recipe

ROUNDS = 3  # timed steps of either, in turn
STEPS = 100  # of the schedule; so few are done that their rate is no matter
# Sums in another order change a gradient by 1e-6 of its length or so, in bf16 by 1e-2; a mistake by all of it.
TOLERANCE = {"fp32": 1e-2, "bf16": 1e-1}
NOTHING = 1e-4  # of the whole gradient: one that is 0 but for rounding, as of a bias before a norm


class DifferentError(Exception):
    """Networks that come out otherwise when they are run as one; the message says where."""


class Rehearsal:
    """Steps of several networks as one, and of the last of them by itself, as `fit` would do them.

    modules: one for each seed, on the CPU.  alone: equal to the last.  None of them is of use afterwards.
    Raises whatever making one network of them raises.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        alone: nn.Module,
        recipe: Recipe,
        form: Form,
        classes: int,
    ) -> None:
        device = torch.device("cpu")
        form.lay_out(alone)
        self._alone, self._modules = alone, modules
        self._tolerance = TOLERANCE[form.precision]
        self._one = Step(alone, recipe, form, classes, STEPS, device, Parts(device), Ranks())
        self._all = FusedStep(modules, recipe, form, STEPS, device)

    def compare(self, batches: Sequence[Batch]) -> None:
        """Forward and backward without dropout. Raises DifferentError, and what running them as one raises."""
        fused = self._all.fused
        for module in (self._alone, fused.module):
            _steady(module)
        losses = self._all.gradients(batches)
        loss = self._one.loss(batches[-1])
        loss.backward()  # type: ignore[no-untyped-call]
        self._alike("the loss", losses[-1], loss.detach())
        own = [_gradient(p) for p in self._alone.parameters()]
        whole = torch.stack([g.norm() for g in own]).norm()
        for (name, _), leaf, gradient in zip(self._alone.named_parameters(), fused.leaves, own, strict=True):
            lane = fused.lanes(_gradient(leaf))[-1].view_as(gradient)
            self._alike(f"the gradient of {name}", lane, gradient, NOTHING * whole)
        for (name, buffer), lane in zip(
            self._alone.named_buffers(), self._modules[-1].buffers(), strict=True
        ):
            self._alike(name, lane.float(), buffer.float())

    def gain(self, batches: Sequence[Batch]) -> float:
        """How many times as fast a step of all as one is, against one after another."""
        self._alone.train(), self._all.fused.module.train()
        one, as_one = math.inf, math.inf
        for _ in range(ROUNDS):
            one = min(one, _seconds(lambda: self._one(batches[-1])))
            as_one = min(as_one, _seconds(lambda: self._all(batches)))
        return len(batches) * one / as_one

    def _alike(self, what: str, found: Tensor, wanted: Tensor, nothing: Tensor | float = 1e-6) -> None:
        distance = (found - wanted).norm()
        # the other way round, a number that is none would pass
        if not distance <= self._tolerance * wanted.norm() + nothing:
            raise DifferentError(f"{what} is another when they are run as one")


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _steady(module: nn.Module) -> None:
    """Training mode, dropout left out."""
    module.train()
    for part in module.modules():
        if isinstance(part, nn.modules.dropout._DropoutNd):
            part.eval()


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
