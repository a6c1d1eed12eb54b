"""The loss of a module with one or several exits."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.errors import ModuleError

Logits = tuple[Tensor, ...]
SOFTNESS = 3.0  # temperature of the answers that an exit learns from another


def exits(module: Callable[[Tensor], Any], images: Tensor, classes: int) -> Logits:
    """Run the module and return the logits of every exit, each float32 (B, classes).

    images: normalised, (B, C, H, W). Raises ModuleError if the module gives anything but logits of that shape.
    """
    logits = exit_outputs(module, images)
    for number, one in enumerate(logits, start=1):
        if one.shape != (len(images), classes):
            raise ModuleError(
                f"exit {number} gave logits of shape {tuple(one.shape)}; it must be ({len(images)}, {classes})"
            )
    return tuple(one.float() for one in logits)


def exit_outputs(module: Callable[[Tensor], Any], images: Tensor) -> Logits:
    """Run the module and return the tensor of every exit, whatever its shape and dtype.

    Raises ModuleError if the module gives anything but a tensor or a tuple of tensors.
    """
    output = module(images)
    tensors = (output,) if isinstance(output, Tensor) else output
    if (
        not isinstance(tensors, tuple | list)
        or not tensors
        or not all(isinstance(t, Tensor) for t in tensors)
    ):
        raise ModuleError(
            f"forward gave {type(output).__name__}; it must give one logit tensor, or a tuple of them"
        )
    return tuple(tensors)


def exit_weights(module: nn.Module, exits: int) -> tuple[float, ...]:
    """Return the module's `exit_weights`, or 1 for each exit. Raises ModuleError if their number differs."""
    given: Sequence[float] | None = getattr(module, "exit_weights", None)
    if given is None:
        return (1.0,) * exits
    if len(given) != exits:
        raise ModuleError(
            f"the module has {len(given)} exit weights for {exits} exits; there must be one for each"
        )
    return tuple(float(weight) for weight in given)


def exit_loss(
    logits: Logits,
    batch: Batch,
    weights: tuple[float, ...],
    smoothing: float,
    distil: float = 0.0,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Return the weighted sum over the exits of their losses, in float32; exits of weight 0 learn nothing.

    The loss of an exit is the mean cross-entropy with smoothed labels; of several labels an image, the mean over the
    labels of their binary cross-entropy. Of every exit but the last, the share `distil` is the divergence from the last
    exit's answers instead, which learn nothing by it. Where pairs of images were mixed (mixup), the losses of the two
    labels are mixed by the same share.
    class_weights: of `trainer.data.balance`; each image's loss is multiplied by the weight of its class.
    """
    losses = [_loss(one, batch, smoothing, class_weights) for one in logits]
    if distil:
        losses[:-1] = [
            torch.lerp(loss, _divergence(one, logits[-1].detach(), batch.y.ndim == 2), distil)
            for loss, one in zip(losses, logits[:-1], strict=False)
        ]
    pairs = [*zip(weights, losses, strict=True)]
    terms = [weight * loss for weight, loss in pairs if weight] or [0.0 * losses[-1]]
    return sum(terms[1:], start=terms[0])


def summed_loss(logits: Tensor, y: Tensor) -> Tensor:
    """Return the sum over the images of their losses, labels neither smoothed nor weighted."""
    if y.ndim == 2:
        return F.binary_cross_entropy_with_logits(logits, y.float(), reduction="sum") / y.shape[1]
    return F.cross_entropy(logits, y, reduction="sum")


def _divergence(logits: Tensor, teacher: Tensor, multilabel: bool) -> Tensor:
    """The mean Kullback-Leibler divergence of softened answers, on the scale of a cross-entropy's gradient.

    Source: Hinton, Vinyals and Dean, arXiv:1503.02531; between the exits of one network Phuong and Lampert, ICCV 2019.
    """
    if multilabel:  # the sigmoid of z is the softmax of (z, 0): each label is a problem of two classes
        logits, teacher = (
            torch.stack((one, torch.zeros_like(one)), -1).flatten(0, 1) for one in (logits, teacher)
        )
    soft, wanted = (F.log_softmax(one / SOFTNESS, dim=1) for one in (logits, teacher))
    return F.kl_div(soft, wanted, reduction="batchmean", log_target=True) * SOFTNESS**2


def _loss(logits: Tensor, batch: Batch, smoothing: float, class_weights: Tensor | None) -> Tensor:
    first = _mean(logits, batch.y, smoothing, class_weights)
    if batch.other is None or batch.share is None:
        return first
    return torch.lerp(_mean(logits, batch.other, smoothing, class_weights), first, batch.share)


def _mean(logits: Tensor, y: Tensor, smoothing: float, class_weights: Tensor | None) -> Tensor:
    if y.ndim == 2:
        weights = None if class_weights is None else torch.where(y == 1, class_weights[1], class_weights[0])
        wanted = y.float() * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(logits, wanted, weights)
    if class_weights is None:
        return F.cross_entropy(logits, y, label_smoothing=smoothing)
    each = F.cross_entropy(logits, y, label_smoothing=smoothing, reduction="none")
    return (each * class_weights[y]).mean()
