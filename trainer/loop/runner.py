"""Runner: does the steps of a training in the fastest way that works on its device."""

import gc
import logging
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.loop.compiled import compiled, repays
from trainer.loop.context import TrainContext
from trainer.loop.cuda_graph import CapturedStep, can_be_captured
from trainer.loop.step import Step
from trainer.outcome import TooMuchMemory, is_memory
from trainer.recipe import Recipe

MEMORY_EVERY = 20  # steps between two checks of the device's memory
EAGER_STEPS = 20  # steps before one is captured: the first steps set up what later ones reuse
LAUNCH_BOUND = 0.6  # least share of a step's time for launching that makes capturing pay

log = logging.getLogger("trainer")


class Runner:
    """Does steps; after running out of memory, with every batch in two parts.

    On CUDA a step that is always the same is captured as a graph; a long training is compiled.
    """

    def __init__(self, module: nn.Module, step: Step, recipe: Recipe, context: TrainContext) -> None:
        self._module, self._step, self._recipe, self._context = module, step, recipe, context
        self._run: Callable[[Batch], Tensor] = step
        self._done = 0
        self._launching, self._since = 0.0, 0.0
        self._is_decided = self.is_compiled = False

    def __call__(self, batch: Batch) -> Tensor:
        """Do a step and return its loss, on the device."""
        try:
            self._check_memory()
            started = time.perf_counter()
            loss = self._run(batch)
            self._launching += time.perf_counter() - started
        except Exception as error:
            if not self._can_halve(error, batch):
                raise
            message = str(error)
        else:
            self._done += 1
            self._capture(batch)
            return loss
        # Outside the handler: the exception's frames hold the tensors that filled the device.
        self._halve(message)
        return self._step(batch)

    def compile(self, batch: Batch, seconds_left: float) -> None:
        """Compile the module for batches of this size if the recipe demands it or the remaining steps repay it."""
        wanted, is_decided = self._recipe.compile, self._is_decided
        self._is_decided = True
        if is_decided or wanted == "never" or (wanted == "auto" and not repays(seconds_left)):
            return
        self.use_compiled(batch, keep_slower=wanted == "always")

    def use_compiled(self, batch: Batch, keep_slower: bool = True) -> None:
        """Compile the module, whatever the cost."""
        step, context = self._step, self._context
        context.parts.begin()
        run = compiled(
            self._module, lambda run: step.loss(batch, run), len(batch.y), context.device, keep_slower
        )
        context.parts.mark("compile")
        if run is not None:
            step.run, self._run = run, step
            self._is_decided = self.is_compiled = True

    def _can_halve(self, error: Exception, batch: Batch) -> bool:
        """Whether the memory ran out for the first time, and each half would have two images or more."""
        first = self._step.accumulate == self._recipe.accumulate
        return is_memory(error) and first and len(batch.y) >= 4 * self._step.accumulate

    def _halve(self, message: str) -> None:
        self._step.accumulate *= 2
        self._run = self._step
        self._module.zero_grad(set_to_none=True)
        gc.collect()
        if self._context.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._context.device)
        log.warning(
            "%s; each batch now runs in %d parts whose gradients are added", message, self._step.accumulate
        )

    def _check_memory(self) -> None:
        limit = self._context.budget.memory
        if self._context.device.type != "cuda" or limit is None or self._done % MEMORY_EVERY:
            return
        peak = self._context.peak.bytes
        if peak is not None and peak > limit:
            raise TooMuchMemory(f"training took {peak:,} bytes on the device; the budget allows {limit:,}")

    def _capture(self, batch: Batch) -> None:
        """Capture the step as a graph if launching took most of the time of the first steps."""
        if self._done == EAGER_STEPS // 2:
            self._launching, self._since = 0.0, time.perf_counter()
        if self._done != EAGER_STEPS or not can_be_captured(self._module, self._step, self._context.device):
            return
        if self._launching < LAUNCH_BOUND * (time.perf_counter() - self._since):
            return
        try:
            self._run = CapturedStep(self._step, batch, self._context.parts)
        except Exception as error:
            log.warning("the step is not captured as a CUDA graph: %s", " ".join(str(error).split())[:200])
