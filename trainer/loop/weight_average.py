"""The average of a module's weights along the training, which is evaluated instead of the weights of the last step."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from trainer.recipe import Recipe
from trainer.recipe.averages import AVERAGES


class WeightAverage:
    """The average that the recipe names (trainer.recipe.averages) of one module's weights."""

    def __init__(self, module: nn.Module, recipe: Recipe) -> None:
        self._kind = AVERAGES[recipe.average]
        self._decay, self._steps = recipe.ema_decay, 0
        self._live: list[Tensor] = [*module.parameters()] if self._kind.parameters else []
        if self._kind.buffers:
            self._live += [buffer for buffer in module.buffers() if buffer.is_floating_point()]
        self._average = [tensor.detach().clone() for tensor in self._live]

    @torch.no_grad()
    def step(self) -> None:
        """Update the average after a step of the optimizer."""
        self._steps += 1
        if self._live:
            live = [tensor.detach() for tensor in self._live]
            self._kind.update(self._average, live, self._steps, self._decay)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Inside, the module has the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold of the average."""
        return {"steps": self._steps, "average": self._average}

    def restore(self, state: dict[str, Any]) -> None:
        self._steps = state["steps"]
        for own, stored in zip(self._average, state["average"], strict=True):
            own.copy_(stored)

    def _swap(self) -> None:
        for tensor, other in zip(self._live, self._average, strict=True):
            tensor.data, other.data = other.data, tensor.data
