"""A copy of a network that a zero-cost proxy may change, and its kernels, biases and gradients."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.loop.loss import exit_loss, exit_outputs, exit_weights
from trainer.proxies._registry import UndefinedProxy

BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)
NORMS = (*BATCH_NORMS, nn.GroupNorm, nn.LayerNorm, nn.modules.instancenorm._InstanceNorm)


def evaluation_copy(module: nn.Module) -> nn.Module:
    """Return a copy in eval mode, except for batch norms, which take the statistics of the batch.

    All paths are run, dropout is off, and no random number is drawn.
    """
    copied = copy.deepcopy(module).eval()
    for part in copied.modules():
        if isinstance(part, BATCH_NORMS):
            part.train()
    return copied


def kernels(module: nn.Module) -> list[nn.Parameter]:
    """Return the trainable parameters of two dimensions or more: no biases, scales of norms or offsets of taps."""
    return [p for p in module.parameters() if p.requires_grad and p.ndim > 1]


def biases(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters named bias, those of norms included."""
    return [p for name, p in module.named_parameters() if name.rpartition(".")[2] == "bias"]


def total(logits: Sequence[Tensor]) -> Tensor:
    """Return the sum of all logits of all exits."""
    return torch.stack([one.sum() for one in logits]).sum()


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Return the training loss over all exits, without label smoothing."""
    logits = exit_outputs(module, batch.x)
    return exit_loss(logits, batch, exit_weights(module, len(logits)), 0.0)


def gradients(of: Tensor, wanted: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradient by each tensor, zero for a tensor that does not affect the result.

    Raises UndefinedProxy if there is no tensor, or if no gradient passes through the network.
    """
    if not wanted:
        raise UndefinedProxy("no kernel is trainable")
    if not of.requires_grad:
        raise UndefinedProxy("no gradient passes through the network")
    found = torch.autograd.grad(of, wanted, allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for g, w in zip(found, wanted, strict=True)]
