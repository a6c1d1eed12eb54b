"""Specimen: a copy of a network that a zero-cost proxy may change, and what is read off it."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.loop import exits

BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)
NORMS = (*BATCH_NORMS, nn.GroupNorm, nn.LayerNorm, nn.modules.instancenorm._InstanceNorm)


class Undefined(Exception):
    """A network that a proxy says nothing of; the message says why."""


def specimen(module: nn.Module) -> nn.Module:
    """A copy in eval mode, but for batch norms, which take the statistics of the batch.

    So all paths are run, nothing is dropped, and no chance is needed.
    """
    copied = copy.deepcopy(module).eval()
    for part in copied.modules():
        if isinstance(part, BATCH_NORMS):
            part.train()
    return copied


def kernels(module: nn.Module) -> list[nn.Parameter]:
    """What is learned and has two dimensions or more: no biases, no scales of norms, no places of taps."""
    return [p for p in module.parameters() if p.requires_grad and p.ndim > 1]


def biases(module: nn.Module) -> list[nn.Parameter]:
    """Parameters of that name, those of norms among them."""
    return [p for name, p in module.named_parameters() if name.rpartition(".")[2] == "bias"]


def total(logits: Sequence[Tensor]) -> Tensor:
    """The sum of all logits of all exits."""
    return torch.stack([one.sum() for one in logits]).sum()


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """The training loss over all exits, without smoothing."""
    logits = exits.logits(module, batch.x)
    return exits.loss(logits, batch, exits.weights(module, len(logits)), 0.0)


def gradients(of: Tensor, wanted: Sequence[Tensor]) -> list[Tensor]:
    """The gradient by each tensor, zero by those that have no part in it.

    Raises Undefined where there is nothing to derive by, and where none gets through.
    """
    if not wanted:
        raise Undefined("nothing with a kernel is learned")
    if not of.requires_grad:
        raise Undefined("no gradient gets through the network")
    found = torch.autograd.grad(of, wanted, allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for g, w in zip(found, wanted, strict=True)]
