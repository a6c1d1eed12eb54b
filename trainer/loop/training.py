"""Training: one module trained by a recipe, one epoch at a time."""

import math
import time
from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from trainer.data.augment import Augment
from trainer.data.balance import class_weights
from trainer.data.batches import Batch, Epochs, Normalise
from trainer.data.data import Data
from trainer.data.residence import placed
from trainer.hardware.meter import Pace
from trainer.hardware.precision import Form, layouts
from trainer.loop.context import TrainContext
from trainer.loop.deadline import Deadline
from trainer.loop.evaluation import Evaluator, Scores
from trainer.loop.freezing import Freezing
from trainer.loop.nan_guard import cause_of_nan
from trainer.loop.precision_probe import fastest_form
from trainer.loop.progress import Progress
from trainer.loop.runner import Runner
from trainer.loop.state import identity, restore, save_state, with_current_names
from trainer.loop.step import Step
from trainer.outcome import NotFinite
from trainer.recipe import Recipe
from trainer.report import Row, finite

AGREE_EVERY = 10  # steps between two exchanges among several ranks on whether to stop
EPOCHS_PER_PIXEL = 10  # of `crop: auto`: a short training sees no image often enough to need more of them
SETTLED_STEPS = 20  # steps after which the seconds of a step are known


class Trained(NamedTuple):
    """The result of an epoch's training steps."""

    loss: float  # mean over the images
    images: int
    seconds: float
    complete: bool  # False if the budget or the user stopped the epoch
    began_at: float  # unix seconds
    ended_at: float

    @classmethod
    def of(cls, progress: Progress, complete: bool, began_at: float) -> "Trained":
        """Return what the epoch in progress has come to by now. Reading its loss waits for the device."""
        images = progress.epoch_images
        loss = progress.loss.item() / max(images, 1)
        return cls(loss, images, progress.epoch_seconds, complete, began_at, time.time())


class Training:
    """The state of one `fit`: optimizer, step, random streams, curve. Call `epoch()` until `is_done`.

    Resumes from the context's checkpoint if there is one. Raises CheckpointError, ModuleError.
    """

    def __init__(self, module: nn.Module, data: Data, recipe: Recipe, context: TrainContext) -> None:
        self._module, self._recipe, self._context = module, recipe, context
        device, checkpoint = context.device, context.checkpoint
        self._identity = identity(module, recipe.identity(), data.digest()) if checkpoint else {}
        current = partial(with_current_names, module=module)
        stored = checkpoint.load_of(self._identity, current) if checkpoint else None
        with context.meter:
            self._data = placed(data, device)
            self.input = data.input
            module.to(device)
            self._freezing = Freezing(module, recipe)
            form = None if stored is None else Form(*stored["form"])
            self.form = _form(module, self._data, recipe, context, form)
            self._epochs = _epochs(self._data, recipe, context, self.form)
            self._steps = recipe.epochs * self._epochs.steps
            self._step = _step(module, recipe, self.form, data, self._steps, context)
            self._runner = Runner(module, self._step, recipe, context)
            self.progress = Progress(torch.zeros((), device=device))
            if stored is not None:
                self.progress = restore(stored, module, self._step, context)
                if stored["compiled"]:
                    self._runner.use_compiled(next(self._epochs.epoch(0)))
        batch, is_ranked = 2 * recipe.batch, context.goal == "auc"
        self._evaluator = Evaluator(module, self._data, device, self.form, batch, auc=is_ranked)
        self._deadline = Deadline(context.budget, self._evaluator.images / min(recipe.batch, len(data.train)))
        self._pace = Pace(device)
        self.is_stopped = False  # by the user

    @property
    def is_compiled(self) -> bool:
        return self._runner.is_compiled

    @property
    def accumulate(self) -> int:
        return self._step.accumulate

    @property
    def is_done(self) -> bool:
        """Whether every epoch of the recipe is complete, or `patience` epochs brought no better evaluation."""
        progress, patience = self.progress, self._recipe.patience
        if patience is None or progress.epochs == self._recipe.epochs:
            return progress.epochs == self._recipe.epochs
        return self._context.ranks.agree(self._freezing.is_settled(progress, patience))

    def why_cut(self) -> str:
        """Return the reason of a trial that the budget ended."""
        return self._deadline.sentence(self.progress.epochs, self._recipe.epochs)

    def epoch(self) -> Row | None:
        """Train an epoch, or the part of it that the budget allows, and evaluate.

        Returns None if no step was left or the user stopped it. Raises NotFinite, TooMuchMemory, and whatever the
        module raises.
        """
        progress, average = self.progress, self._step.average
        with self._context.meter:
            trained = self._train()
            if trained.images == 0 or self.is_stopped:
                return None
            self._context.ranks.average_buffers(self._module)
            with average.used():
                scores = self._evaluate()
                row = _row(progress.epochs + 1, trained, scores, self._context.meter.seconds, self._step.rate)
                progress.close(trained.complete)
                progress.curve.append(row)
                progress.best = self._freezing.better(progress, row, scores, self._context.goal)
            self._save_if_due()
        return row

    def save(self) -> None:
        """Write the checkpoint now, if the context has one."""
        if self._context.checkpoint is not None and self._context.ranks.is_first:
            constant = {**self._identity, "form": list(self.form), "compiled": self.is_compiled}
            save_state(self._module, self._step, self.progress, self._context, constant)

    def _save_if_due(self) -> None:
        if self._context.checkpoint is not None and self._context.checkpoint.is_due:
            self.save()

    def _train(self) -> Trained:
        """Train the rest of an epoch. Only the pace makes the host wait for a CUDA device here."""
        context, progress = self._context, self.progress
        self._freezing.enter(progress, self._step)
        began_at, start = time.time(), context.meter.read()
        now = start
        earlier, complete = progress.epoch_seconds, True
        context.parts.begin()
        for batch in self._epochs.epoch(progress.epochs, progress.batches):
            if self._must_stop(now):
                complete = False
                break
            context.parts.mark("data")
            self._advance(batch)
            before, now = now, context.meter.seconds
            progress.epoch_seconds = earlier + now - start
            self._deadline.step_took(now - before)
            self._save_if_due()
        progress.epoch_seconds = earlier + context.meter.read() - start
        context.parts.settle()
        self._check()
        return Trained.of(progress, complete, began_at)

    def _must_stop(self, now: float) -> bool:
        """Whether the budget or the user ends the epoch before the next step; ranks agree every few steps."""
        ranks = self._context.ranks
        if ranks.size > 1 and self.progress.batches % AGREE_EVERY:
            return False
        self.is_stopped = ranks.agree(self._context.stop_asked())
        return ranks.agree(self._deadline.is_near(now)) or self.is_stopped

    def _advance(self, batch: Batch) -> None:
        """Do one step, check it and count it."""
        progress = self.progress
        if progress.steps >= SETTLED_STEPS and len(batch.y) == self._epochs.largest:
            self._runner.compile(batch, self._seconds_left())
        loss = self._runner(batch)
        progress.add(loss, len(batch.y))
        self._pace.step()
        if self._context.device.type == "cpu":  # reading a number does not wait there
            self._check(batch)

    def _evaluate(self) -> Scores:
        context = self._context
        start = context.meter.read()
        scores = self._evaluator()
        seconds = context.meter.read() - start
        context.parts.seconds["evaluation"] += seconds
        self._deadline.evaluation_took(seconds)
        if not math.isfinite(scores.loss):
            raise NotFinite(f"the validation loss was {scores.loss} after {self.progress.steps} steps")
        return scores

    def _seconds_left(self) -> float:
        """Return the expected seconds of the remaining steps, no more than the budget allows."""
        seconds, limit = self.progress.seconds_left(self._steps), self._context.budget.limit()
        return seconds if limit is None else min(seconds, limit[0] - self._context.meter.seconds)

    def _check(self, batch: Batch | None = None) -> None:
        """Raise NotFinite if the loss or gradient of a step was not finite."""
        if (bad := self._step.guard.step()) is not None:
            epoch, number = divmod(bad - 1, self._epochs.steps)
            batch = batch or next(self._epochs.epoch(epoch, number))
            cause = cause_of_nan(self._module, lambda: self._step.loss(batch))
            raise NotFinite(f"the training loss was not finite at step {bad}, in epoch {epoch + 1}: {cause}")


def augment(recipe: Recipe, data: Data) -> Augment:
    """Return the recipe's augmentation: flips only if they keep the class, padding by the image's size."""
    return Augment(_padding(recipe, min(data.input[1:])), recipe.flip and data.mirror, recipe.cutout)


def _padding(recipe: Recipe, side: int) -> int:
    """Return the pixels of padding before the crop of images whose shorter side has that many pixels."""
    if isinstance(recipe.crop, int):
        return recipe.crop
    return side // 8 if recipe.crop is None else min(side // 8, recipe.epochs // EPOCHS_PER_PIXEL)


def _form(module: nn.Module, data: Data, recipe: Recipe, context: TrainContext, stored: Form | None) -> Form:
    """Lay the module out in the form of a checkpoint, or in the fastest one, and return it."""
    if stored is not None:
        able = layouts(module, context.device)  # an earlier version may have stored another
        form = stored if stored.layout in able else stored._replace(layout=able[0])
        form.lay_out(module)
        return form
    limit = context.budget.limit()
    steps = recipe.epochs * -(-len(data.train) // recipe.batch)
    context.parts.begin()
    form = fastest_form(module, data, recipe, context.device, steps, None if limit is None else limit[0])
    context.parts.mark("probe")
    return form


def _step(
    module: nn.Module, recipe: Recipe, form: Form, data: Data, steps: int, context: TrainContext
) -> Step:
    return Step(
        module,
        recipe,
        form,
        len(data.classes),
        steps,
        context.device,
        context.parts,
        context.ranks,
        context.peak,
        class_weights(recipe, data),
    )


def _epochs(data: Data, recipe: Recipe, context: TrainContext, form: Form) -> Epochs:
    return Epochs(
        data.train,
        Normalise(data, context.device, form),
        augment(recipe, data),
        recipe.batch,
        recipe.seed,
        mixup=recipe.mixup,
        balanced=recipe.balance == "sampling",
        device=context.device,
        rank=context.ranks.rank,
        ranks=context.ranks.size,
    )


def _row(epoch: int, trained: Trained, scores: Scores, seconds: float, rate: float) -> Row:
    return Row(
        epoch=epoch,
        complete=trained.complete,
        train_loss=finite(trained.loss),
        valid_loss=finite(scores.loss),
        seconds=seconds,
        images_per_second=trained.images / max(trained.seconds, 1e-9),
        learning_rate=rate,
        began_at=round(trained.began_at, 3),
        trained_at=round(trained.ended_at, 3),
        ended_at=round(time.time(), 3),
        **scores.as_valid(),
    )
