"""Stages of a training: which exits learn in which epochs."""

from enum import Enum
from typing import NamedTuple

from trainer.recipe import Recipe


class Part(Enum):
    """What learns."""

    ALL = "all exits"
    TRUNK = "the last exit and what it needs"
    HEADS = "what only the other exits need"


class Stage(NamedTuple):
    """Some epochs of a training. The learning rate runs through its whole schedule in each."""

    first: int  # the first epoch, from 0
    epochs: int
    learns: Part = Part.ALL

    def weights(self, of_all: tuple[float, ...]) -> tuple[float, ...]:
        """Return the factors of the exits in the loss, 0 for those that do not learn."""
        if self.learns is Part.TRUNK:
            return (*[0.0 for _ in of_all[:-1]], of_all[-1])
        return (*of_all[:-1], 0.0) if self.learns is Part.HEADS else of_all


def stages(recipe: Recipe, weights: tuple[float, ...]) -> tuple[Stage, ...]:
    """Return the stages of a recipe. weights: of the exits in the loss.

    There is one stage where nothing is frozen: by the recipe, for lack of a second epoch, or because the last exit or
    all others learn nothing.
    """
    heads = min(max(round(recipe.freeze * recipe.epochs), 1), recipe.epochs - 1) if recipe.freeze else 0
    if not heads or not any(weights[:-1]) or not weights[-1]:
        return (Stage(0, recipe.epochs),)
    trunk = recipe.epochs - heads
    return Stage(0, trunk, Part.TRUNK), Stage(trunk, heads, Part.HEADS)
