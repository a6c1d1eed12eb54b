"""Saliency: proxies of what the kernels of an untrained network have to say."""

import math

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.loop import exits
from trainer.proxies.specimen import NORMS, biases, gradients, kernels, loss, specimen, total


def synflow(module: nn.Module, batch: Batch) -> float:
    """Logarithm of the sum over all kernels of |w dR/dw|, R the sum of the logits that an image of ones gives.

    All kernels and biases are taken positive and norms left out, so that R sums over all paths what flows through
    them; in float64, as it grows with the power of the depth. Tanaka et al., "Pruning neural networks without any data
    by iteratively conserving synaptic flow" (NeurIPS 2020, arXiv:2006.05467); without norms and on a whole network as
    Abdelfattah et al. (arXiv:2101.08134) have it.
    """
    straight = specimen(module).double().eval()
    _leave_out_norms(straight)
    with torch.no_grad():
        for tensor in (*kernels(straight), *biases(straight)):
            tensor.abs_()
    # twice the same image: a group norm refuses a single value, though what it gives is left out
    ones = torch.ones(2, *batch.x.shape[1:], dtype=torch.float64, device=batch.x.device)
    flow = total(exits.logits(straight, ones)) / len(ones)
    value = _saliency(flow, kernels(straight))
    return math.log(value) if value > 0 else -math.inf


def snip(module: nn.Module, batch: Batch) -> float:
    """Sum over all kernels of |w dL/dw|, L the training loss.

    Lee et al., "SNIP: single-shot network pruning based on connection sensitivity" (ICLR 2019, arXiv:1810.02340).
    """
    copied = specimen(module)
    return _saliency(loss(copied, batch), kernels(copied))


def grad_norm(module: nn.Module, batch: Batch) -> float:
    """Sum over the kernels of the length of dL/dw, L the training loss (Abdelfattah et al., arXiv:2101.08134)."""
    copied = specimen(module)
    return sum(float(g.norm()) for g in gradients(loss(copied, batch), kernels(copied)))


def _saliency(of: Tensor, weights: list[nn.Parameter]) -> float:
    found = gradients(of, weights)
    return sum(float((w.detach() * g).abs().sum()) for w, g in zip(weights, found, strict=True))


def _leave_out_norms(module: nn.Module) -> None:
    """Let norms give what they take; a copy of it, for the activation behind one may overwrite it."""
    for part in module.modules():
        if isinstance(part, NORMS):
            part.register_forward_hook(lambda norm, taken, given: taken[0].clone())
