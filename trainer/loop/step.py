"""Step: one optimizer step on one batch."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.hardware.peak_memory import Peak
from trainer.hardware.precision import Form
from trainer.hardware.ranks import Ranks
from trainer.hardware.time_by_part import TimeByPart
from trainer.loop.loss import exit_loss, exit_weights, exits
from trainer.loop.nan_guard import NanGuard
from trainer.loop.optimizer import optimizer_of
from trainer.loop.stages import Stage
from trainer.loop.weight_average import WeightAverage
from trainer.recipe import Recipe
from trainer.recipe.schedules import SCHEDULES

SAMPLES = 3  # first steps whose memory is sampled


class Step:
    """Forward, loss, backward, clip, update, average: no operation waits for the device.

    steps: steps of the whole schedule.  class_weights: of `trainer.data.balance`.
    """

    def __init__(
        self,
        module: nn.Module,
        recipe: Recipe,
        form: Form,
        classes: int,
        steps: int,
        device: torch.device,
        parts: TimeByPart,
        ranks: Ranks,
        peak: Peak | None = None,
        class_weights: Tensor | None = None,
    ) -> None:
        self.run: Callable[..., Any] = module  # or the compiled module
        self.accumulate = recipe.accumulate  # parts of a batch
        self.taken = 0  # steps done
        self.rate = recipe.lr  # of the last step
        self.stage = Stage(0, recipe.epochs)
        self.guard = NanGuard(device)
        self.average = WeightAverage(module, recipe)
        self._module, self._recipe, self._form = module, recipe, form
        self._classes, self._steps, self._device = classes, steps, device
        self._parts, self._peak, self._ranks = parts, peak, ranks
        self._class_weights = None if class_weights is None else class_weights.to(device)
        # On CUDA a tensor, so that a captured step reads the current rate.
        self._lr = torch.tensor(recipe.lr, device=device) if device.type == "cuda" else None
        self.optimizer = optimizer_of(module, recipe, self._lr)
        self._weights = [*module.parameters()]

    def __call__(self, batch: Batch) -> Tensor:
        """Do the step and return the mean loss of the batch, on the device."""
        self.set_rate()
        loss = self.update(batch)
        self.taken += 1
        return loss

    @property
    def is_uniform(self) -> bool:
        """Whether every step consists of the same operations on the device."""
        recipe = self._recipe
        is_single = recipe.average == "none" and not recipe.freeze and self._ranks.size == 1
        return self.accumulate == 1 and is_single

    def set_rate(self) -> None:
        """Set the optimizer's learning rate to the schedule's value for this step."""
        recipe = self._recipe
        each, stage = self._steps // recipe.epochs, self.stage
        done, steps = self.taken - stage.first * each, stage.epochs * each
        self.rate = rate = recipe.lr * SCHEDULES[recipe.schedule](done, steps, recipe.warmup)
        if self._lr is not None:
            self._lr.fill_(rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate if self._lr is None else self._lr

    def load_optimizer(self, state: dict[str, Any]) -> None:
        """Restore the momenta of a checkpoint."""
        self.optimizer.load_state_dict(state)
        self.set_rate()

    def update(self, batch: Batch) -> Tensor:
        """Do the part of a step that runs on the device and can be captured."""
        for weight in self._weights:  # optimizer.zero_grad is slower by some per cent of a small step
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
        """Return the loss of a forward pass."""
        with self._form.autocast(self._device):
            logits = exits(run or self.run, batch.x, self._classes)
        weights = self.stage.weights(exit_weights(self._module, len(logits)))
        recipe = self._recipe
        return exit_loss(logits, batch, weights, recipe.label_smoothing, recipe.distil, self._class_weights)

    def _gradient(self, part: Batch, share: float) -> Tensor:
        loss = self.loss(part)
        loss = loss if share == 1 else loss * share
        self._parts.mark("forward")
        if (
            self._peak is not None and self.taken < SAMPLES
        ):  # most memory is in use between forward and backward
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
            # The fused step divides the gradients by it, without a separate pass over them.
            self.optimizer.grad_scale = (norm / clip).clamp_(min=1.0)  # type: ignore[attr-defined]
        self.optimizer.found_inf = self.guard.check(number)  # type: ignore[attr-defined]
        self.optimizer.step()
        self.average.step()
