"""The optimizer of a recipe."""

import torch
from torch import nn

from trainer.errors import ModuleError
from trainer.recipe import Recipe


def optimizer(
    module: nn.Module, recipe: Recipe, lr: float | torch.Tensor | None = None
) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, or AdamW; weight decay on kernels and matrices only.

    lr: by default the recipe's; a tensor on the device where the step is to be captured in a graph.
    Raises ModuleError for a module with nothing to train.
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
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=rate, fused=True, capturable=isinstance(rate, torch.Tensor))
    made = torch.optim.SGD(groups, lr=rate, momentum=recipe.momentum, nesterov=True, fused=True)
    # A step's drop-path leaves some gradients None. The fused step refuses buffers of which only some are there,
    # and from zeros the first momentum is the gradient all the same.
    for parameter in trained:
        made.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return made
