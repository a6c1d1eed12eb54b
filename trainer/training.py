"""Training: a module on its way through a recipe, one epoch at a time."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainer import exits
from trainer.augment import Augment
from trainer.batches import Epochs, Normalise
from trainer.budget import Budget
from trainer.data import Data
from trainer.deadline import Deadline
from trainer.meter import Meter, Pace
from trainer.optimizer import optimizer
from trainer.outcome import NotFinite, TooMuchMemory
from trainer.precision import autocast, layout
from trainer.recipe import Recipe
from trainer.report import Row, finite
from trainer.schedule import CURVES
from trainer.scores import Scores, evaluate
from trainer.weights import Best, better

# Reading the loss makes the host wait for a CUDA device, so it is read at every twentieth step only.
CHECK_EVERY = 20


class Trained(NamedTuple):
    """What an epoch's steps came to; complete: whether the budget let all of them be done."""

    loss: float
    images: int
    seconds: float
    complete: bool


class Training:
    """The state of one `fit`: optimizer, step, random streams, curve. Ask for `epoch()` until `is_done`."""

    def __init__(
        self,
        module: nn.Module,
        data: Data,
        recipe: Recipe,
        budget: Budget,
        device: torch.device,
        meter: Meter,
    ) -> None:
        self._module, self._data, self._recipe = module, data.to(device), recipe
        self._device, self._meter, self._memory = device, meter, budget.memory
        with meter:
            memory_format = layout(module, device, data.pixels)
            module.to(device)
            module.to(memory_format=memory_format)
            normalise = Normalise(data, device, memory_format)
            self._epochs = Epochs(
                self._data.train, normalise, augment(recipe, data), recipe.batch, recipe.seed
            )
            self._optimizer = optimizer(module, recipe)
        self._deadline = Deadline(budget, len(data.valid) / min(recipe.batch, len(data.train)))
        self._pace = Pace(device)
        self._step = 0
        self.epochs = 0  # complete ones
        self.images = 0
        self.train_seconds = 0.0
        self.curve: list[Row] = []
        self.best: Best | None = None

    @property
    def is_done(self) -> bool:
        """Whether every epoch of the recipe is complete."""
        return self.epochs == self._recipe.epochs

    def why_cut(self) -> str:
        """The sentence of a trial that the budget ended."""
        return self._deadline.sentence(self.epochs, self._recipe.epochs)

    def epoch(self) -> Row | None:
        """Train an epoch, or what the budget allows of it, and evaluate; None where not one step was left.

        Raises NotFinite, TooMuchMemory, and whatever the module raises.
        """
        with self._meter:
            trained = self._train()
            if trained.images == 0:
                return None
            scores = self._evaluate()
        self.epochs += trained.complete
        self.images += trained.images
        self.train_seconds += trained.seconds
        row = Row(
            epoch=self.epochs + (not trained.complete),
            complete=trained.complete,
            train_loss=finite(trained.loss),
            valid_loss=finite(scores.loss),
            valid_accuracy=scores.accuracy,
            seconds=self._meter.seconds,
            images_per_second=trained.images / max(trained.seconds, 1e-9),
        )
        self.curve.append(row)
        self.best = better(self._module, self.best, row, scores)
        return row

    def _train(self) -> Trained:
        """The steps of an epoch. Only the check and the pace wait for the device."""
        self._module.train()
        start = now = self._meter.read()
        images, complete = 0, True
        total = torch.zeros((), device=self._device)
        for number, (x, y) in enumerate(self._epochs):
            if self._deadline.is_near(now):
                complete = False
                break
            total += self._train_step(x, y) * len(y)
            images += len(y)
            self._pace.step()
            if number % CHECK_EVERY == 0:
                self._check(total)
            before, now = now, self._meter.seconds
            self._deadline.step_took(now - before)
        self._check(total)
        return Trained(total.item() / max(images, 1), images, self._meter.read() - start, complete)

    def _train_step(self, x: Tensor, y: Tensor) -> Tensor:
        """One step of the optimizer; gives the loss, still on the device."""
        recipe = self._recipe
        factor = CURVES[recipe.schedule](self._step, recipe.epochs * self._epochs.steps, recipe.warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = recipe.lr * factor
        self._optimizer.zero_grad(set_to_none=True)
        with autocast(recipe.precision, self._device):
            logits = exits.forward(self._module, x, len(self._data.classes))
        loss = exits.loss(logits, y, exits.weights(self._module, len(logits)), recipe.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        if recipe.clip is not None:
            nn.utils.clip_grad_norm_(self._module.parameters(), recipe.clip)
        self._optimizer.step()
        self._step += 1
        return loss.detach()

    def _evaluate(self) -> Scores:
        start = self._meter.read()
        # Twice the batch: without gradients that needs less memory than a training step.
        batch, precision = 2 * self._recipe.batch, self._recipe.precision
        scores = evaluate(
            self._module, self._data.valid, self._data, self._device, batch, precision=precision
        )
        self._deadline.evaluation_took(self._meter.read() - start)
        if not math.isfinite(scores.loss):
            raise NotFinite(f"the validation loss was {scores.loss} after {self._step} steps")
        return scores

    def _check(self, total: Tensor) -> None:
        if not math.isfinite(total.item()):
            raise NotFinite(
                f"the training loss was not finite by step {self._step}, in epoch {self.epochs + 1}"
            )
        peak = peak_bytes(self._device)
        if peak is not None and self._memory is not None and peak > self._memory:
            raise TooMuchMemory(
                f"training took {peak:,} bytes on the device; the budget allows {self._memory:,}"
            )


def augment(recipe: Recipe, data: Data) -> Augment:
    """The recipe's augmentation: flips only where they keep the class, padding by the image's size."""
    padding = min(data.input[1:]) // 8 if recipe.crop is None else recipe.crop
    return Augment(padding, recipe.flip and data.mirror, recipe.cutout)


def peak_bytes(device: torch.device) -> int | None:
    """Most bytes held on a CUDA device since the trial began; None on the CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
