"""Areas under the ROC curve of the classes, from the logits of all images of a split."""

import torch
from torch import Tensor


def aucs(logits: Tensor, y: Tensor) -> Tensor:
    """Return the area under the ROC curve of each class against all others, float64 (K,).

    It is the share of pairs of an image of the class and another one in which the first has the higher probability;
    equal ones count half (Hanley and McNeil, Radiology 143, 1982). NaN for a class that all images have, or none.
    logits: (N, K).  y: classes (N,), or labels (N, K) of 0 and 1.
    """
    scores = logits.double() if y.ndim == 2 else _ordered_as_softmax(logits.double())
    marks = (y[:, k] == 1 if y.ndim == 2 else y == k for k in range(logits.shape[1]))
    return torch.stack([_area(one, has) for one, has in zip(scores.T.contiguous(), marks, strict=True)])


def _ordered_as_softmax(logits: Tensor) -> Tensor:
    """Return scores that order the images of every class as its probability does; they saturate less."""
    if logits.shape[1] == 2:
        return logits - logits.flip(1)
    # Sorted, so that equal probabilities of two images are equal to the last bit.
    return logits - logits.sort(1).values.logsumexp(1, keepdim=True)


def _area(scores: Tensor, has: Tensor) -> Tensor:
    """Return the area of one class: scores (N,), whether each image is of it, bool (N,) -> ()."""
    ordered, ours = scores.sort().values, scores[has]
    # from 1 on; equal scores share the mean of their ranks
    ranks = (
        torch.searchsorted(ordered, ours) + torch.searchsorted(ordered, ours, right=True) + 1
    ).double() / 2
    count = has.sum().double()
    return (ranks.sum() - count * (count + 1) / 2) / (count * (len(has) - count))
