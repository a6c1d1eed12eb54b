"""The recipe of a training, and the optimizers, schedules and averages of weights that it may name. Loads no torch."""

from trainer.recipe.recipe import Recipe, RecipeError

__all__ = ["Recipe", "RecipeError"]
