"""Tally: what a network says of the images of a split, counted by class on the device."""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from trainer.data.data import Split
from trainer.loop.auc import aucs

MOST_CONFUSED = 100  # classes of a confusion matrix in a report
MOST_RANKED = (
    1 << 26
)  # logits of a split (256 MiB) from which on the AUC is computed only where it is asked for

ByClass = dict[str, list[Any]]


def answers(logits: Tensor, y: Tensor) -> Tensor:
    """Return what logits (B, K) say in the form of y: classes (B,), or labels (B, K) of probability above 1/2."""
    return (logits > 0).long() if y.ndim == 2 else logits.argmax(1)


def hit(logits: Tensor, y: Tensor) -> Tensor:
    """Return whether each image is classified correctly, (B,); of several labels, all must be right."""
    right = answers(logits, y) == y
    return right.all(1) if y.ndim == 2 else right


class Tally:
    """Counts over the batches of a split.

    Nothing waits for the device before the first property is read.
    """

    def __init__(self, split: Split, classes: int, device: torch.device, *, rank: bool = False) -> None:
        self._is_multilabel, self._images = split.y.ndim == 2, len(split)
        self._classes = torch.arange(classes, device=device)
        self._counts = torch.zeros(3, classes, dtype=torch.int64, device=device)
        cells = classes**2 if classes <= MOST_CONFUSED and not self._is_multilabel else 0
        self._cells = torch.zeros(cells, dtype=torch.int64, device=device)
        self._is_ranked = rank or len(split) * classes <= MOST_RANKED
        self._logits: list[Tensor] = []
        self._labels: list[Tensor] = []

    def add(self, logits: Tensor, y: Tensor) -> None:
        """Count a batch: logits (B, K) of the last exit, classes (B,) or labels (B, K)."""
        said = answers(logits, y)
        # Comparisons and scatter_add_ in place of bincount, for which the host would wait.
        says, has = self._marks(said), self._marks(y)
        self._counts += torch.stack([(says & has).sum(0), says.sum(0), has.sum(0)])
        if len(self._cells):
            self._cells.scatter_add_(0, y * len(self._classes) + said, torch.ones_like(y))
        if self._is_ranked:
            self._logits.append(logits)
            self._labels.append(y)

    def scores(self) -> dict[str, Any]:
        """Return balanced accuracy, macro F1 and AUC; classes that are neither there nor said do not count."""
        right, said, there = self._counts.cpu().double()
        recalls = right / there
        if self._is_multilabel:
            absent = self._images - there
            recalls = torch.cat([recalls, (absent - said + right) / absent])
        return {
            "balanced_accuracy": _mean(recalls),
            "macro_f1": _mean(2 * right / (said + there)),
            "auc": _mean(self._areas),
        }

    def by_class(self) -> ByClass:
        """Return, for each class, its images, those that are said to be of it, those rightly, and its AUC."""
        right, said, there = self._counts.tolist()
        areas = [None if area != area else area for area in self._areas.tolist()]
        return {"images": there, "predicted": said, "right": right, "auc": areas}

    def confusion(self) -> list[list[int]] | None:
        """Return the images by class (rows) and said class (columns).

        None for more than `MOST_CONFUSED` classes, and for several labels an image.
        """
        size = len(self._classes)
        return self._cells.view(size, size).tolist() if len(self._cells) else None

    def _marks(self, y: Tensor) -> Tensor:
        """Return whether each image has each class, (B, K)."""
        return y == 1 if self._is_multilabel else y[:, None] == self._classes

    @cached_property
    def _areas(self) -> Tensor:
        if not self._is_ranked:
            return torch.full((len(self._classes),), torch.nan)
        return aucs(torch.cat(self._logits), torch.cat(self._labels)).cpu()


def _mean(values: Tensor) -> float | None:
    """Return the mean of the values that are defined."""
    defined = values[~values.isnan()]
    return defined.mean().item() if len(defined) else None
