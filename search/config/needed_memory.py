"""The memory that a training and an evaluation need at their peak, predicted from plan and recipe."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import genome.memory
from genome import Plan
from genome.op import FLOAT_BYTES
from trainer import Recipe
from trainer.recipe.averages import AVERAGES
from trainer.recipe.optimizers import OPTIMIZERS

SMALLEST_BATCH, LARGEST_BATCH = 2, 256  # of `batch: auto`; larger ones learn less in the same epochs
EVALUATED = 2  # batches of a training that an evaluation takes at once


@dataclass(frozen=True)
class NeededMemory:
    """What a network needs with a recipe, whatever the batch.

    Everything is counted in float32, the most that a training may choose. Convolutions of a recipe with
    `layout: contiguous` copy maps, as those of oneDNN do on a CPU; else they take what those of channels_last take.
    What cuDNN and oneDNN take for themselves is not counted, nor are images that wait.
    """

    plan: Plan
    recipe: Recipe

    @cached_property
    def _training(self) -> genome.memory.Peak:
        return genome.memory.peak(self.plan, True, self.recipe.layout == "contiguous")

    @cached_property
    def _evaluation(self) -> genome.memory.Peak:
        return genome.memory.peak(self.plan, False, self.recipe.layout == "contiguous")

    @cached_property
    def _held(self) -> int:
        """The numbers that a training holds all the time: weights, momenta, their average and the best weights."""
        plan, recipe = self.plan, self.recipe
        kept = OPTIMIZERS[recipe.optimizer].kept
        averaged = plan.params if AVERAGES[recipe.average].parameters else 0
        return self._module + kept * plan.params + averaged + genome.memory.stored(plan)

    @cached_property
    def _module(self) -> int:
        plan = self.plan
        return plan.params + plan.fixed + sum(step.info.cost.norms for step in plan.steps)

    @cached_property
    def _updating(self) -> int:
        """The most numbers between two batches: gradients, and what an update or a copy of the weights takes."""
        plan, recipe = self.plan, self.recipe
        update = OPTIMIZERS[recipe.optimizer].update(genome.memory.matrices(plan))
        return plan.params + max(update, genome.memory.stored(plan))

    def training(self, batch: int) -> int:
        """The bytes at the peak of a training, its evaluations included."""
        part = -(-batch // self.recipe.accumulate)
        evaluation = FLOAT_BYTES * self.plan.params + self._evaluation.bytes(EVALUATED * batch)
        numbers = max(self._training.bytes(part), evaluation, FLOAT_BYTES * self._updating)
        return FLOAT_BYTES * self._held + numbers

    def largest_batch(self, most_bytes: int) -> int:
        """The largest power of two, of 2 to 256, whose training takes at most these bytes; 2 where none does."""
        batch = LARGEST_BATCH
        while batch > SMALLEST_BATCH and self.training(batch) > most_bytes:
            batch //= 2
        return batch

    def evaluation(self, batch: int) -> int:
        """The bytes at the peak of an evaluation alone."""
        return FLOAT_BYTES * self._module + self._evaluation.bytes(batch)
