"""Step: one step of the optimizer on one batch."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.hardware.peak_memory import Peak
from trainer.hardware.precision import Form
from trainer.hardware.ranks import Ranks
from trainer.hardware.time_by_part import Parts
from trainer.loop import exits
from trainer.loop.nan_guard import Guard
from trainer.loop.optimizer import optimizer
from trainer.loop.schedule import CURVES
from trainer.loop.weight_average import Average
from trainer.recipe import Recipe

SAMPLES = 3  # first steps whose memory is looked at


class Step:
    """Forward, loss, backward, clip, update, average: nothing in it waits for the device.

    steps: how many the schedule has.  taken: how many were done.
    run: the module, or what torch.compile made of it.  accumulate: parts of a batch for one step.
    """

    def __init__(
        self,
        module: nn.Module,
        recipe: Recipe,
        form: Form,
        classes: int,
        steps: int,
        device: torch.device,
        parts: Parts,
        ranks: Ranks,
        peak: Peak | None = None,
    ) -> None:
        self.run: Callable[..., Any] = module
        self.accumulate = recipe.accumulate
        self.taken = 0
        self.guard = Guard(device)
        self.average = Average(module, recipe)
        self._module, self._recipe, self._form = module, recipe, form
        self._classes, self._steps, self._device = classes, steps, device
        self._parts, self._peak, self._ranks = parts, peak, ranks
        # On CUDA a tensor, so that a captured step reads the rate of the day.
        self._lr = torch.tensor(recipe.lr, device=device) if device.type == "cuda" else None
        self.optimizer = optimizer(module, recipe, self._lr)
        self._weights = [*module.parameters()]

    def __call__(self, batch: Batch) -> Tensor:
        """Do the step; the mean loss of the batch, on the device."""
        self.set_rate()
        loss = self.update(batch)
        self.taken += 1
        return loss

    @property
    def is_uniform(self) -> bool:
        """Whether every step is the same operations on the device."""
        return self.accumulate == 1 and self._recipe.average == "none" and self._ranks.size == 1

    def set_rate(self) -> None:
        """Put the schedule's learning rate for this step into the optimizer."""
        recipe = self._recipe
        rate = recipe.lr * CURVES[recipe.schedule](self.taken, self._steps, recipe.warmup)
        if self._lr is not None:
            self._lr.fill_(rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate if self._lr is None else self._lr

    def load_optimizer(self, state: dict[str, Any]) -> None:
        """Go on with the momenta of a checkpoint."""
        self.optimizer.load_state_dict(state)
        self.set_rate()

    def update(self, batch: Batch) -> Tensor:
        """The part of a step that happens on the device, and so can be captured."""
        for weight in self._weights:  # the optimizer's own way is slower by some per cent of a small step
            weight.grad = None
        loss = torch.zeros((), device=self._device)
        for part in batch.parts(self.accumulate):
            share = len(part.y) / len(batch.y)
            loss += self._gradient(part, share)
        self._ranks.average_gradients(self._weights)
        self._apply(self._ranks.mean(loss))
        self._parts.mark("step")
        return loss

    def loss(self, batch: Batch, run: Callable[..., Any] | None = None) -> Tensor:
        """Forward and loss."""
        with self._form.autocast(self._device):
            logits = exits.forward(run or self.run, batch.x, self._classes)
        weights = exits.weights(self._module, len(logits))
        return exits.loss(logits, batch, weights, self._recipe.label_smoothing)

    def _gradient(self, part: Batch, share: float) -> Tensor:
        loss = self.loss(part)
        loss = loss if share == 1 else loss * share
        self._parts.mark("forward")
        if self._peak is not None and self.taken < SAMPLES:  # between forward and backward most is held
            self._peak.sample()
        loss.backward()  # type: ignore[no-untyped-call]
        self._parts.mark("backward")
        return loss.detach()

    def _apply(self, loss: Tensor) -> None:
        """Clip the gradient and change the weights, unless loss or gradient is not finite."""
        number, clip = loss, self._recipe.clip
        if clip is not None:
            gradients = [weight.grad for weight in self._weights if weight.grad is not None]
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))).float()
            number = loss + norm
            # The fused step divides by it on its way: no pass over the gradients of its own.
            self.optimizer.grad_scale = (norm / clip).clamp_(min=1.0)  # type: ignore[attr-defined]
        self.optimizer.found_inf = self.guard.check(number)  # type: ignore[attr-defined]
        self.optimizer.step()
        self.average.step()
