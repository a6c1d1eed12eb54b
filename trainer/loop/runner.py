"""Runner: does the steps of a training the fastest way that works on its device."""

import gc
import logging
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.loop.compiled import compiled, repays
from trainer.loop.context import Setting
from trainer.loop.cuda_graph import Graphed, can_be_graphed
from trainer.loop.step import Step
from trainer.outcome import TooMuchMemory, is_memory
from trainer.recipe import Recipe

MEMORY_EVERY = 20  # steps between two looks at the device's memory
EAGER_STEPS = 20  # before a step is captured: the first ones set up what later ones reuse
LAUNCH_BOUND = 0.6  # share of a step's time that the host needs to launch it

log = logging.getLogger("trainer")


class Runner:
    """Calls a step; where the device is full, in parts from then on.

    On CUDA a step that is the same each time is captured as a graph; a long training is compiled.
    """

    def __init__(self, module: nn.Module, step: Step, recipe: Recipe, setting: Setting) -> None:
        self._module, self._step, self._recipe, self._setting = module, step, recipe, setting
        self._run: Callable[[Batch], Tensor] = step
        self._done = 0
        self._launching, self._since = 0.0, 0.0
        self._is_decided = self.is_compiled = False

    def __call__(self, batch: Batch) -> Tensor:
        """Do a step; its loss, on the device."""
        try:
            self._check_memory()
            started = time.perf_counter()
            loss = self._run(batch)
            self._launching += time.perf_counter() - started
        except Exception as error:
            if not self._can_halve(error, batch):
                raise
            said = str(error)
        else:
            self._done += 1
            self._capture(batch)
            return loss
        # Outside the handler: the exception's frames hold the tensors that filled the device.
        self._halve(said)
        return self._step(batch)

    def compile(self, batch: Batch, left_seconds: float) -> None:
        """Compile the module for batches of this size where the recipe wants it, or what is left repays it."""
        wanted, is_decided = self._recipe.compile, self._is_decided
        self._is_decided = True
        if is_decided or wanted == "never" or (wanted == "auto" and not repays(left_seconds)):
            return
        self.use_compiled(batch, keep_slower=wanted == "always")

    def use_compiled(self, batch: Batch, keep_slower: bool = True) -> None:
        """Compile the module, whatever that costs."""
        step, setting = self._step, self._setting
        setting.parts.begin()
        run = compiled(
            self._module, lambda run: step.loss(batch, run), len(batch.y), setting.device, keep_slower
        )
        setting.parts.mark("compile")
        if run is not None:
            step.run, self._run = run, step
            self._is_decided = self.is_compiled = True

    def _can_halve(self, error: Exception, batch: Batch) -> bool:
        """Whether it was for want of memory, for the first time, and there are two parts with two images each."""
        first = self._step.accumulate == self._recipe.accumulate
        return is_memory(error) and first and len(batch.y) >= 4 * self._step.accumulate

    def _halve(self, said: str) -> None:
        self._step.accumulate *= 2
        self._run = self._step
        self._module.zero_grad(set_to_none=True)
        gc.collect()
        if self._setting.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._setting.device)
        log.warning(
            "%s; the step goes on with its batch in %d parts, gradients added", said, self._step.accumulate
        )

    def _check_memory(self) -> None:
        limit = self._setting.budget.memory
        if self._setting.device.type != "cuda" or limit is None or self._done % MEMORY_EVERY:
            return
        peak = self._setting.peak.bytes
        if peak is not None and peak > limit:
            raise TooMuchMemory(f"training took {peak:,} bytes on the device; the budget allows {limit:,}")

    def _capture(self, batch: Batch) -> None:
        """Capture the step as a graph where launching it takes most of its time; the first steps show that."""
        if self._done == EAGER_STEPS // 2:
            self._launching, self._since = 0.0, time.perf_counter()
        if self._done != EAGER_STEPS or not can_be_graphed(self._module, self._step, self._setting.device):
            return
        if self._launching < LAUNCH_BOUND * (time.perf_counter() - self._since):
            return
        try:
            self._run = Graphed(self._step, batch, self._setting.parts)
        except Exception as error:
            log.warning("the step is not captured as a CUDA graph: %s", " ".join(str(error).split())[:200])
