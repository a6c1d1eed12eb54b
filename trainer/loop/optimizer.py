"""The optimizer of a recipe for one module."""

import torch
from torch import nn

from trainer.errors import ModuleError
from trainer.recipe import Recipe
from trainer.recipe.optimizers import OPTIMIZERS


def optimizer_of(
    module: nn.Module, recipe: Recipe, lr: float | torch.Tensor | None = None
) -> torch.optim.Optimizer:
    """Return the recipe's optimizer, with weight decay on kernels and matrices only.

    lr: by default the recipe's; a tensor on the device if the step is to be captured in a graph.
    Raises ModuleError for a module without a trainable parameter.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not trained:
        raise ModuleError("the module has no parameter to train")
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    rate = recipe.lr if lr is None else lr
    return OPTIMIZERS[recipe.optimizer].make(groups, rate, recipe.momentum, recipe.nesterov)
