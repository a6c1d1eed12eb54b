"""Together: several seeds of one architecture on their way through a recipe, as one network."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainer.budget import Budget
from trainer.data.batches import Epochs, Normalise
from trainer.data.data import Data
from trainer.fused.step import FusedStep
from trainer.hardware.meter import Meter
from trainer.hardware.precision import Form
from trainer.loop.best_weights import Best, better, copy_weights
from trainer.loop.deadline import Deadline
from trainer.loop.evaluation import Scores, evaluate
from trainer.loop.training import augment
from trainer.outcome import Outcome
from trainer.recipe import Recipe
from trainer.report import Report, Row, finite


@dataclass
class Member:
    """One of the networks: what it reads and how far it came. ending: None while it is trained."""

    module: nn.Module
    reader: Epochs
    recipe: Recipe
    epochs: int = 0  # complete ones
    curve: list[Row] = field(default_factory=list)
    best: Best | None = None
    ending: Outcome | None = None


class Trained(NamedTuple):
    """What an epoch's steps came to, for each network.  losses: summed over the images, (K,)."""

    losses: Tensor
    images: int
    seconds: float
    complete: bool


class Together:
    """The state of one training of K networks, on the CPU. `run` it, then ask for the `reports`.

    Seconds that a report states are the network's share: a K-th of what the meter has.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        seeds: Sequence[int],
        data: Data,
        recipe: Recipe,
        form: Form,
        budget: Budget,
        meter: Meter,
    ) -> None:
        self._data, self._recipe, self._form, self._meter = data, recipe, form, meter
        self.members = [
            Member(module, reader(data, own, Form(form.precision, "contiguous")), own)
            for module, own in zip(modules, [replace(recipe, seed=seed) for seed in seeds], strict=True)
        ]
        steps = recipe.epochs * self.members[0].reader.steps
        self._step = FusedStep(modules, recipe, form, steps, torch.device("cpu"))
        self._deadline = Deadline(budget, len(data.valid) / min(recipe.batch, len(data.train)))
        self._images, self._seconds = 0, 0.0

    def run(self) -> None:
        """Train until every network has its ending. Raises whatever a module raises."""
        with self._meter:
            for number in range(self._recipe.epochs):
                self._epoch(number)
                if not self._alive:
                    return
            self._end(Outcome("done", None, "all epochs were trained"))

    def reports(self) -> tuple[Report, ...]:
        """A report on each network."""
        return tuple([self._report(member) for member in self.members])

    @property
    def _alive(self) -> list[Member]:
        return [member for member in self.members if member.ending is None]

    def _end(self, ending: Outcome) -> None:
        for member in self._alive:
            member.ending = ending

    def _epoch(self, number: int) -> None:
        """An epoch, or what the budget allows of it, and its evaluation."""
        trained = self._train(number)
        if trained.images:
            begun = self._meter.seconds
            for member, loss in zip(self.members, trained.losses.tolist(), strict=True):
                if member.ending is None:
                    self._close(member, number, loss / trained.images, trained)
            self._deadline.evaluation_took(self._meter.seconds - begun)
        if not trained.complete:
            self._end(Outcome("cut", "timeout", self._deadline.sentence(number, self._recipe.epochs)))

    def _train(self, number: int) -> Trained:
        self._step.fused.module.train()
        begun = now = self._meter.seconds
        losses, images, complete = torch.zeros(len(self.members)), 0, True
        for batches in zip(*[member.reader.epoch(number) for member in self.members], strict=True):
            if self._deadline.is_near(now) or not self._alive:
                complete = False
                break
            found = self._step(batches)
            self._check(found, number)
            losses += found * len(batches[0].y)
            images += len(batches[0].y)
            before, now = now, self._meter.seconds
            self._deadline.step_took(now - before)
        self._images += images
        self._seconds += now - begun
        return Trained(losses, images, now - begun, complete)

    def _check(self, losses: Tensor, number: int) -> None:
        """Let the networks fail whose loss is not finite."""
        if losses.isfinite().all():
            return
        step = f"at step {self._step.taken}, in epoch {number + 1}"
        for member, loss in zip(self.members, losses.tolist(), strict=True):
            if member.ending is None and not math.isfinite(loss):
                member.ending = Outcome("failed", "not-finite", f"the training loss was not finite {step}")

    def _close(self, member: Member, number: int, loss: float, trained: Trained) -> None:
        """Evaluate a network after an epoch."""
        scores = self._scores(member.module)
        if not math.isfinite(scores.loss):
            said = f"the validation loss was {scores.loss} after {self._step.taken} steps"
            member.ending = Outcome("failed", "not-finite", said)
            return
        row = Row(
            epoch=number + 1,
            complete=trained.complete,
            train_loss=finite(loss),
            valid_loss=scores.loss,
            valid_accuracy=scores.accuracy,
            seconds=self._meter.seconds / len(self.members),
            images_per_second=len(self.members) * trained.images / max(trained.seconds, 1e-9),
        )
        member.epochs += trained.complete
        member.curve.append(row)
        member.best = better(member.module, member.best, row, scores)

    def _scores(self, module: nn.Module) -> Scores:
        data, form = self._data, self._form
        # channels_last, as the packed kernels lie: in another layout they would be the module's own no more
        return evaluate(
            module,
            data.valid,
            data,
            "cpu",
            2 * self._recipe.batch,
            precision=form.precision,
            layout="channels_last",
        )

    def _report(self, member: Member) -> Report:
        best, ending, steps, count = member.best, member.ending, self._step.taken, len(self.members)
        assert ending is not None
        return Report(
            outcome=ending.outcome,
            kind=ending.kind,
            reason=ending.reason,
            epochs=member.epochs,
            best_epoch=best.epoch if best else None,
            valid_accuracy=best.scores.accuracy if best else None,
            valid_loss=best.scores.loss if best else None,
            exits=best.scores.exits if best else (),
            curve=tuple(member.curve),
            seconds=self._meter.seconds / count,
            images_per_second=count * self._images / self._seconds if steps else None,
            recipe=member.recipe.to_dict(),
            device="cpu",
            torch=str(torch.__version__),
            threads=torch.get_num_threads(),
            seed=member.recipe.seed,
            peak_memory_bytes=None,  # of one network among several nothing is known
            precision=self._form.precision,
            layout="channels_last",
            step_seconds=self._seconds / steps / count if steps else None,
            best_weights=best.weights if best else None,
            last_weights=copy_weights(member.module) if ending.outcome != "failed" else None,
        )


def reader(data: Data, recipe: Recipe, form: Form) -> Epochs:
    """The train images in the order and with the draws of the recipe's seed."""
    normalise = Normalise(data, torch.device("cpu"), form)
    return Epochs(data.train, normalise, augment(recipe, data), recipe.batch, recipe.seed, mixup=recipe.mixup)
