"""Balance: rare classes count like frequent ones, by weights of the loss or by the order of the images."""

import torch
from torch import Tensor

from trainer.data.data import Data
from trainer.errors import DataError
from trainer.recipe import Recipe


def check_balance(recipe: Recipe, data: Data) -> None:
    """Raise DataError where the recipe balances what these labels do not have."""
    if recipe.balance == "sampling" and data.is_multilabel:
        raise DataError(
            f"balance is sampling, but an image of {data.name} may have several labels, so that no order shows all of "
            "them equally often; balance: weights weighs them"
        )


def class_weights(recipe: Recipe, data: Data) -> Tensor | None:
    """Return the weight of each class in the loss, float32 (K,), or None where all are alike.

    A class of n of the N train images has N / (K n), as `class_weight="balanced"` of scikit-learn, so that the mean
    over the train images is 1. Of several labels an image, each label is a problem of two classes: (2, K), of images
    without and with it.
    """
    if recipe.balance != "weights":
        return None
    y, classes = data.train.y, len(data.classes)
    if data.is_multilabel:
        having = (y == 1).sum(0)
        counts = torch.stack([len(y) - having, having])
    else:
        counts = torch.bincount(y, minlength=classes)
    return (len(y) / (len(counts) * counts.clamp(min=1))).float()


def balanced_order(y: Tensor, generator: torch.Generator) -> Tensor:
    """Return as many images as there are, with equally many of each class (one more or less), in random order (N,).

    No image of a class is drawn once more often than another one before all of them are.
    y: classes (N,), on the device of the generator.
    """
    by_class, counts = y.argsort(stable=True), torch.bincount(y)
    groups = [group for group in torch.split(by_class, counts.tolist()) if len(group)]
    share, more = divmod(len(y), len(groups))
    lucky = set(_shuffled(len(groups), generator)[:more].tolist())
    drawn = [_drawn(group, share + (place in lucky), generator) for place, group in enumerate(groups)]
    return torch.cat(drawn)[_shuffled(len(y), generator)]


def _drawn(group: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return so many images of a class: all of them in random order, again and again."""
    rounds = -(-count // len(group))
    keys = torch.rand(rounds, len(group), generator=generator, device=generator.device)
    return group[keys.argsort(1).flatten()[:count]]


def _shuffled(count: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(count, generator=generator, device=generator.device)
