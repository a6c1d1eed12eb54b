"""Saliency: proxies of gradients by the kernels of an untrained network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trainer.proxies._registry import proxy

if TYPE_CHECKING:
    from torch import Tensor, nn

    from trainer.data.batches import Batch


@proxy
def synflow(module: nn.Module, batch: Batch) -> float:
    """Logarithm of the sum over all kernels of |w dR/dw|, R the sum of the logits of an image of ones.

    All kernels and biases are made positive and norms are skipped, so that R is the flow summed over all paths; in
    float64, because it grows exponentially with the depth. Tanaka et al., "Pruning neural networks without any data
    by iteratively conserving synaptic flow" (NeurIPS 2020, arXiv:2006.05467); without norms and on a whole network as
    in Abdelfattah et al. (arXiv:2101.08134).
    """
    import torch

    from trainer.loop.loss import exit_outputs
    from trainer.proxies._network import biases, evaluation_copy, kernels, total

    copied = evaluation_copy(module).double().eval()
    _skip_norms(copied)
    with torch.no_grad():
        for tensor in (*kernels(copied), *biases(copied)):
            tensor.abs_()
    # Two equal images, because a group norm refuses a single value even though its output is skipped.
    ones = torch.ones(2, *batch.x.shape[1:], dtype=torch.float64, device=batch.x.device)
    flow = total(exit_outputs(copied, ones)) / len(ones)
    value = _saliency(flow, kernels(copied))
    return math.log(value) if value > 0 else -math.inf


@proxy
def snip(module: nn.Module, batch: Batch) -> float:
    """Sum over all kernels of |w dL/dw|, L the training loss.

    Lee et al., "SNIP: single-shot network pruning based on connection sensitivity" (ICLR 2019, arXiv:1810.02340).
    """
    from trainer.proxies._network import evaluation_copy, kernels, loss

    copied = evaluation_copy(module)
    return _saliency(loss(copied, batch), kernels(copied))


@proxy
def grad_norm(module: nn.Module, batch: Batch) -> float:
    """Sum over the kernels of the norm of dL/dw, L the training loss (Abdelfattah et al., arXiv:2101.08134)."""
    from trainer.proxies._network import evaluation_copy, gradients, kernels, loss

    copied = evaluation_copy(module)
    return sum(float(g.norm()) for g in gradients(loss(copied, batch), kernels(copied)))


def _saliency(of: Tensor, weights: list[nn.Parameter]) -> float:
    from trainer.proxies._network import gradients

    found = gradients(of, weights)
    return sum(float((w.detach() * g).abs().sum()) for w, g in zip(weights, found, strict=True))


def _skip_norms(module: nn.Module) -> None:
    """Make norms return a copy of their input; a copy, because a later activation may overwrite it in place."""
    from trainer.proxies._network import NORMS

    for part in module.modules():
        if isinstance(part, NORMS):
            part.register_forward_hook(lambda norm, taken, given: taken[0].clone())
