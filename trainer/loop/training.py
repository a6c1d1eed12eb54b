"""Training: a module on its way through a recipe, one epoch at a time."""

import logging
import math
from typing import Any, NamedTuple

import torch
from torch import nn

from trainer.data.augment import Augment
from trainer.data.batches import Batch, Epochs, Normalise
from trainer.data.data import Data
from trainer.data.residence import placed
from trainer.hardware.meter import Pace
from trainer.hardware.precision import Form
from trainer.loop.best_weights import better
from trainer.loop.context import Setting
from trainer.loop.deadline import Deadline
from trainer.loop.evaluation import Scores, evaluate
from trainer.loop.nan_guard import blame
from trainer.loop.precision_probe import chosen
from trainer.loop.progress import Progress
from trainer.loop.runner import Runner
from trainer.loop.state import gathered, origin, restored
from trainer.loop.step import Step
from trainer.outcome import NotFinite, is_memory
from trainer.recipe import Recipe
from trainer.report import Row, finite

AGREE_EVERY = 10  # steps between two looks of several ranks at whether to stop
SETTLED_STEPS = 20  # after so many the time of a step is known
EVALUATION_BATCH = 1024  # on CUDA; on a CPU large batches leave the cache

log = logging.getLogger("trainer")


class Trained(NamedTuple):
    """What an epoch's steps came to; complete: whether budget and user let all of them be done."""

    loss: float
    images: int
    seconds: float
    complete: bool


class Training:
    """The state of one `fit`: optimizer, step, random streams, curve. Ask for `epoch()` until `is_done`.

    With a checkpoint in the setting it goes on from what that holds. Raises CheckpointError, ModuleError.
    """

    def __init__(self, module: nn.Module, data: Data, recipe: Recipe, setting: Setting) -> None:
        self._module, self._recipe, self._setting = module, recipe, setting
        device = setting.device
        checkpoint = setting.checkpoint
        self._origin = origin(module, recipe.to_dict(), data.digest()) if checkpoint else {}
        kept = checkpoint.load_of(self._origin) if checkpoint else None
        with setting.meter:
            self._data = placed(data, device)
            module.to(device)
            self.form = self._chosen(kept)
            self._epochs = self._read()
            steps = recipe.epochs * self._epochs.steps
            self._step = Step(
                module,
                recipe,
                self.form,
                len(data.classes),
                steps,
                device,
                setting.parts,
                setting.ranks,
                setting.peak,
            )
            self._runner = Runner(module, self._step, recipe, setting)
            begun = Progress(torch.zeros((), device=device))
            self.progress = begun if kept is None else self._restore(kept)
        self._deadline = Deadline(setting.budget, len(data.valid) / min(recipe.batch, len(data.train)))
        self._pace = Pace(device)
        self.is_stopped = False  # by the user
        self._evaluation_batch = 2 * recipe.batch
        if device.type == "cuda":
            self._evaluation_batch = max(self._evaluation_batch, EVALUATION_BATCH)

    @property
    def input(self) -> tuple[int, int, int]:
        return self._data.input

    @property
    def is_compiled(self) -> bool:
        return self._runner.is_compiled

    @property
    def accumulate(self) -> int:
        return self._step.accumulate

    @property
    def is_done(self) -> bool:
        """Whether every epoch of the recipe is complete, or the last ones brought nothing."""
        progress, patience = self.progress, self._recipe.patience
        if patience is None or progress.epochs == self._recipe.epochs:
            return progress.epochs == self._recipe.epochs
        return self._setting.ranks.agree(progress.epochs_since_best() >= patience)

    def why_cut(self) -> str:
        """The sentence of a trial that the budget ended."""
        return self._deadline.sentence(self.progress.epochs, self._recipe.epochs)

    def why_done(self) -> str:
        """The sentence of one that came to its end."""
        if self.progress.epochs == self._recipe.epochs:
            return "all epochs were trained"
        return f"{self._recipe.patience} epochs brought nothing better, after {self.progress.epochs} epochs"

    def epoch(self) -> Row | None:
        """Train an epoch, or what the budget allows of it, and evaluate.

        None where not one step was left, or where it was asked to stop. Raises NotFinite, TooMuchMemory, and whatever
        the module raises.
        """
        setting, progress = self._setting, self.progress
        with setting.meter:
            trained = self._train()
            if trained.images == 0 or self.is_stopped:
                return None
            scores = self._evaluate()
            row = self._row(trained, scores)
            progress.close(trained.complete)
            progress.curve.append(row)
            with self._step.average.used():
                progress.best = better(self._module, progress.best, row, scores)
            self._keep(always=False)
        return row

    def keep(self) -> None:
        """Write the checkpoint now, where there is one."""
        self._keep(always=True)

    def _train(self) -> Trained:
        """The steps of an epoch, or of what is left of it. Nothing in here waits for a CUDA device but the pace."""
        setting, progress = self._setting, self.progress
        self._module.train()
        begun = now = setting.meter.read()
        earlier, complete = progress.epoch_seconds, True
        setting.parts.begin()
        for batch in self._epochs.epoch(progress.epochs, progress.batches):
            if self._must_stop(now):
                complete = False
                break
            setting.parts.mark("data")
            self._advance(batch)
            before, now = now, setting.meter.seconds
            progress.epoch_seconds = earlier + now - begun
            self._deadline.step_took(now - before)
            self._keep(always=False)
        progress.epoch_seconds = earlier + setting.meter.read() - begun
        setting.parts.settle()
        self._check()
        mean = progress.loss.item() / max(progress.epoch_images, 1)
        return Trained(mean, progress.epoch_images, progress.epoch_seconds, complete)

    def _must_stop(self, now: float) -> bool:
        """Whether the budget or the user ends the epoch here; several ranks ask each other now and then."""
        ranks = self._setting.ranks
        if ranks.size > 1 and self.progress.batches % AGREE_EVERY:
            return False
        self.is_stopped = ranks.agree(self._setting.stop_asked())
        return ranks.agree(self._deadline.is_near(now)) or self.is_stopped

    def _advance(self, batch: Batch) -> None:
        """A step, its checks and its place in the progress."""
        progress = self.progress
        if progress.steps >= SETTLED_STEPS and len(batch.y) == self._epochs.largest:
            self._runner.compile(batch, self._left_seconds())
        loss = self._runner(batch)
        progress.add(loss, len(batch.y))
        self._pace.step()
        if self._setting.device.type == "cpu":  # where looking at a number makes nobody wait
            self._check(batch)

    def _evaluate(self) -> Scores:
        setting = self._setting
        setting.ranks.average_buffers(self._module)
        start = setting.meter.read()
        try:
            scores = self._scores()
        except Exception as error:
            if not is_memory(error):
                raise
            scores = None
        if scores is None:  # outside the handler, whose exception holds what filled the device
            self._evaluation_batch = max(self._evaluation_batch // 2, 1)
            scores = self._scores()
        seconds = setting.meter.read() - start
        setting.parts.seconds["evaluation"] += seconds
        self._deadline.evaluation_took(seconds)
        if not math.isfinite(scores.loss):
            raise NotFinite(f"the validation loss was {scores.loss} after {self.progress.steps} steps")
        return scores

    def _scores(self) -> Scores:
        data, form = self._data, self.form
        with self._step.average.used():
            return evaluate(
                self._module,
                data.valid,
                data,
                self._setting.device,
                self._evaluation_batch,
                precision=form.precision,
                layout=form.layout,
            )

    def _row(self, trained: Trained, scores: Scores) -> Row:
        return Row(
            epoch=self.progress.epochs + 1,
            complete=trained.complete,
            train_loss=finite(trained.loss),
            valid_loss=finite(scores.loss),
            valid_accuracy=scores.accuracy,
            seconds=self._setting.meter.seconds,
            images_per_second=trained.images / max(trained.seconds, 1e-9),
        )

    def _check(self, batch: Batch | None = None) -> None:
        """Raise NotFinite with step and layer where a loss or gradient was not finite."""
        bad = self._step.guard.step()
        if bad is None:
            return
        epoch, number = divmod(bad - 1, self._epochs.steps)
        batch = batch or next(self._epochs.epoch(epoch, number))
        cause = blame(self._module, lambda: self._step.loss(batch))
        raise NotFinite(f"the training loss was not finite at step {bad}, in epoch {epoch + 1}: {cause}")

    def _left_seconds(self) -> float:
        """What the steps that are left will take at the speed so far."""
        progress = self.progress
        done = progress.seconds + progress.epoch_seconds
        left = self._recipe.epochs * self._epochs.steps - progress.steps
        seconds = left * done / max(progress.steps, 1)
        limit = self._setting.budget.limit()
        return seconds if limit is None else min(seconds, limit[0] - self._setting.meter.seconds)

    def _chosen(self, kept: dict[str, Any] | None) -> Form:
        if kept is not None:
            form = Form(*kept["form"])
            form.lay_out(self._module)
            return form
        limit, recipe = self._setting.budget.limit(), self._recipe
        steps = recipe.epochs * -(-len(self._data.train) // recipe.batch)
        self._setting.parts.begin()
        form = chosen(
            self._module, self._data, recipe, self._setting.device, steps, None if limit is None else limit[0]
        )
        self._setting.parts.mark("probe")
        return form

    def _read(self) -> Epochs:
        data, recipe, setting = self._data, self._recipe, self._setting
        return Epochs(
            data.train,
            Normalise(data, setting.device, self.form),
            augment(recipe, data),
            recipe.batch,
            recipe.seed,
            mixup=recipe.mixup,
            device=setting.device,
            rank=setting.ranks.rank,
            ranks=setting.ranks.size,
        )

    def _keep(self, always: bool) -> None:
        """Write the checkpoint where it is due."""
        setting = self._setting
        checkpoint = setting.checkpoint
        if checkpoint is None or not setting.ranks.is_first or not (always or checkpoint.is_due):
            return
        try:
            state = gathered(self._module, self._step, self.progress, setting)
            checkpoint.save({**self._origin, **state, "form": list(self.form), "compiled": self.is_compiled})
        except (OSError, MemoryError, RuntimeError) as error:  # no room; the training is none the worse
            log.warning("%s is not written: %s", checkpoint.path, " ".join(str(error).split())[:200])
        setting.parts.begin()  # what that took belongs to no part

    def _restore(self, kept: dict[str, Any]) -> Progress:
        progress = restored(kept, self._module, self._step, self._setting)
        if kept["compiled"]:
            self._runner.use_compiled(next(self._epochs.epoch(0)))
        return progress


def augment(recipe: Recipe, data: Data) -> Augment:
    """The recipe's augmentation: flips only where they keep the class, padding by the image's size."""
    padding = min(data.input[1:]) // 8 if recipe.crop is None else recipe.crop
    return Augment(padding, recipe.flip and data.mirror, recipe.cutout)
