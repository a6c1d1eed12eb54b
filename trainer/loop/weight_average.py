"""Averages of the weights along the training: what is evaluated and kept instead of those of the last step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from trainer.recipe import Recipe

LOOKAHEAD_EVERY = 5  # steps; with the share, k and alpha of the paper
LOOKAHEAD_SHARE = 0.5


class Average:
    """A copy of a module's weights that follows them.

    ema: average <- average + (1 - d) (weights - average) after step t, d = min(ema_decay, (1 + t) / (10 + t)); the
    statistics of norms are averaged with them.
    lookahead: average <- average + (weights - average) / 2 after every fifth step, from where the weights go on
    (Zhang et al., "Lookahead optimizer: k steps forward, 1 step back", arXiv:1907.08610).
    none: no copy.
    """

    def __init__(self, module: nn.Module, recipe: Recipe) -> None:
        self._follow: Callable[[], None] = {
            "none": lambda: None,
            "ema": self._move,
            "lookahead": self._look_ahead,
        }[recipe.average]
        self._decay, self._steps = recipe.ema_decay, 0
        self._live: list[Tensor] = [] if recipe.average == "none" else [*module.parameters()]
        if recipe.average == "ema":
            self._live += [buffer for buffer in module.buffers() if buffer.is_floating_point()]
        self._average = [tensor.detach().clone() for tensor in self._live]

    @torch.no_grad()
    def step(self) -> None:
        """Follow a step of the optimizer."""
        self._steps += 1
        self._follow()

    @contextmanager
    def used(self) -> Iterator[None]:
        """Inside, the module has the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs of it."""
        return {"steps": self._steps, "average": self._average}

    def restore(self, state: dict[str, Any]) -> None:
        self._steps = state["steps"]
        for own, kept in zip(self._average, state["average"], strict=True):
            own.copy_(kept)

    def _move(self) -> None:
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        torch._foreach_lerp_(self._average, [tensor.detach() for tensor in self._live], 1 - decay)

    def _look_ahead(self) -> None:
        if self._steps % LOOKAHEAD_EVERY == 0:
            live = [tensor.detach() for tensor in self._live]
            torch._foreach_lerp_(self._average, live, LOOKAHEAD_SHARE)
            torch._foreach_copy_(live, self._average)

    def _swap(self) -> None:
        for tensor, kept in zip(self._live, self._average, strict=True):
            tensor.data, kept.data = kept.data, tensor.data
