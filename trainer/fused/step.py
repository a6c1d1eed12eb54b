"""FusedStep: one step of the optimizer for several networks of one architecture."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.fused.module import Fused
from trainer.hardware.precision import Form
from trainer.loop import exits
from trainer.loop.optimizer import optimizer
from trainer.loop.schedule import CURVES
from trainer.recipe import Recipe


class FusedStep:
    """Forward, loss, backward, clip and update, each network's by itself; the learning rate is one.

    steps: how many the schedule has.  taken: how many were done.
    A network whose loss is not finite goes on with numbers that are not; the others do not see them.
    """

    def __init__(
        self, modules: Sequence[nn.Module], recipe: Recipe, form: Form, steps: int, device: torch.device
    ) -> None:
        self.fused = Fused(modules)
        self.taken = 0
        self._optimizer = optimizer(self.fused.leaves, recipe)
        self._module, self._recipe, self._form = modules[0], recipe, form
        self._steps, self._device = steps, device

    def __call__(self, batches: Sequence[Batch]) -> Tensor:
        """Do the step with a batch for each network, all of one size; their losses (K,), on the device."""
        recipe = self._recipe
        rate = recipe.lr * CURVES[recipe.schedule](self.taken, self._steps, recipe.warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        losses = self.gradients(batches)
        if recipe.clip is not None:
            self.fused.clip(recipe.clip)
        self._optimizer.step()
        self.taken += 1
        return losses

    def gradients(self, batches: Sequence[Batch]) -> Tensor:
        """Forward and backward; the losses (K,)."""
        self._optimizer.zero_grad(set_to_none=True)
        batch = _stacked(batches)
        with self._form.autocast(self._device):
            logits = self.fused(batch.x)
        weights = exits.weights(self._module, len(logits))

        def loss(logits: tuple[Tensor, ...], batch: Batch) -> Tensor:
            return exits.loss(logits, batch, weights, self._recipe.label_smoothing)

        mapped = Batch(*[None if tensor is None else 0 for tensor in batch])  # type: ignore[arg-type]
        losses: Tensor = torch.vmap(loss, in_dims=(0, mapped))(logits, batch)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        return losses.detach()


def _stacked(batches: Sequence[Batch]) -> Batch:
    """One batch whose tensors have a dimension for the networks in front."""
    columns = zip(*batches, strict=True)
    return Batch(*[None if column[0] is None else torch.stack(column) for column in columns])  # type: ignore[arg-type]
