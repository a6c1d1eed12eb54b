"""Evaluation: accuracy and loss of a network on a split."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from trainer.data.batches import Normalise
from trainer.data.data import Data, Split
from trainer.hardware.devices import device_of
from trainer.hardware.modes import evaluating
from trainer.hardware.precision import Form, usual
from trainer.loop.loss import Logits, exits, summed_loss
from trainer.loop.norm_statistics import NormStatistics
from trainer.loop.tally import ByClass, Tally, answers, hit
from trainer.outcome import is_memory
from trainer.report import GOALS

CUDA_BATCH = 1024  # least images of a batch on CUDA; on a CPU large batches leave the cache


@dataclass(frozen=True)
class Scores:
    """How well a network does on a split."""

    accuracy: float
    """Share of the images that the last exit classifies correctly; of several labels an image, all must be right."""
    loss: float
    """Mean cross-entropy of the last exit, labels not smoothed; of several labels, the mean of their binary ones."""
    exits: tuple[float, ...]
    """The accuracy of every exit."""
    predicted: Tensor | None = field(default=None, compare=False, repr=False)
    """int64 (N,), the class that the last exit gives each image, or its labels (N, K) of 0 and 1, on the CPU; where it
    was asked for."""
    logits: Tensor | None = field(default=None, compare=False, repr=False)
    """float32 (N, K), of the last exit, on the CPU; where they were asked for."""
    balanced_accuracy: float = 0.0
    """Mean over the classes of the share of their images that the last exit classifies correctly; of several labels,
    the mean over the labels and over the images with and without it."""
    macro_f1: float = 0.0
    """Mean over the classes of the F1 score of the last exit; classes that are neither there nor said do not count."""
    auc: float | None = None
    """Mean over the classes of the area under the ROC curve of each against all others (`trainer.loop.auc`); None where
    all images are of one class, and for splits of very many logits where it was not asked for."""
    by_class: ByClass = field(default_factory=dict, compare=False, repr=False)
    """For each class: `images`, `predicted`, `right`, and `auc`, as in a report."""
    confusion: list[list[int]] | None = field(default=None, compare=False, repr=False)
    """Images by class (rows) and predicted class (columns); None for many classes."""

    def as_valid(self) -> dict[str, Any]:
        """Return the scores by which an epoch may be the best, by their names in a row and a report."""
        return {f"valid_{name}": getattr(self, name) for name in GOALS}

    @property
    def mean_accuracy(self) -> float:
        """Mean over the exits of their accuracies."""
        return sum(self.exits) / len(self.exits)


def evaluate(
    module: nn.Module,
    split: Split,
    data: Data,
    device: str | torch.device = "cpu",
    batch: int = 512,
    *,
    precision: str = "auto",
    layout: str = "auto",
    predictions: bool = False,
    logits: bool = False,
    auc: bool = False,
) -> Scores:
    """Score a module on a split of the data, in large batches, without gradients, in eval mode.

    The module is moved to the device and into the layout; its train or eval mode is restored.
    precision, layout: as in a recipe; auto is what suits most networks.
    predictions: whether the scores hold the class of each image.
    logits: whether the scores hold the logits of the last exit.
    auc: whether the AUC is computed however many logits the split has; it is for fewer than 67 million.
    Raises ValueError for an empty split or an absent device, ModuleError for an output that is not logits.
    """
    losses: list[Tensor] = []
    hits: list[Tensor] = []
    said: list[Tensor] = []
    told: list[Tensor] = []
    tally = Tally(split, len(data.classes), device_of(device), rank=auc)
    # No .item() in the loop: the sums stay on the device, so that the host never waits.
    with _batches(module, split, data, device, batch, precision, layout) as batches:
        for found, y in batches:
            losses.append(summed_loss(found[-1], y))
            tally.add(found[-1], y)
            hits.append(torch.stack([hit(one, y).sum() for one in found]))
            if predictions:
                said.append(answers(found[-1], y))
            if logits:
                told.append(found[-1].float())
        loss = torch.stack(losses).cpu().double().sum().item() / len(split)
        correct = torch.stack(hits).sum(0).tolist()
    accuracies = tuple(count / len(split) for count in correct)
    return Scores(
        accuracies[-1],
        loss,
        accuracies,
        torch.cat(said).cpu() if predictions else None,
        torch.cat(told).cpu() if logits else None,
        by_class=tally.by_class(),
        confusion=tally.confusion(),
        **tally.scores(),
    )


def exit_logits(
    module: nn.Module,
    split: Split,
    data: Data,
    device: str | torch.device = "cpu",
    batch: int = 512,
    *,
    precision: str = "auto",
    layout: str = "auto",
) -> Logits:
    """Return the logits of every exit for a split, each float32 (N, classes) on the CPU; otherwise as `evaluate`."""
    with _batches(module, split, data, device, batch, precision, layout) as batches:
        parts = [logits for logits, _ in batches]
        return tuple([torch.cat(of_exit).cpu() for of_exit in zip(*parts, strict=True)])


@contextmanager
def _batches(
    module: nn.Module,
    split: Split,
    data: Data,
    device: str | torch.device,
    batch: int,
    precision: str,
    layout: str,
) -> Iterator[Iterator[tuple[Logits, Tensor]]]:
    """Give the logits of every exit and the labels, batch by batch, on the device; inside, in eval mode."""
    if len(split) == 0:
        raise ValueError("the split is empty; at least one image is needed for scores")
    place = device_of(device)
    module.to(place)
    form = usual(module, place, precision, layout)
    form.lay_out(module)
    normalise = Normalise(data, place, form)
    pairs = zip(torch.split(split.x, batch), torch.split(split.y, batch), strict=True)
    with evaluating(module), form.autocast(place):
        yield ((exits(module, normalise(x.to(place)), len(data.classes)), y.to(place)) for x, y in pairs)


class Evaluator:
    """Scores one module on the valid images, its batch norms' statistics taken anew.

    After running out of memory it works in batches of half the size.
    """

    def __init__(
        self,
        module: nn.Module,
        data: Data,
        device: torch.device,
        form: Form,
        batch: int,
        *,
        auc: bool = False,
    ) -> None:
        self._module, self._data, self._device, self._form, self._auc = module, data, device, form, auc
        self._batch = max(batch, CUDA_BATCH) if device.type == "cuda" else batch
        self._statistics = NormStatistics(data, device, form)

    @property
    def images(self) -> int:
        """Images that pass the module: those for the statistics of its norms, and the valid ones."""
        renewing = self._statistics.images if self._statistics.norms(self._module) else 0
        return renewing + len(self._data.valid)

    def __call__(self) -> Scores:
        try:
            return self._scores()
        except Exception as error:
            if not is_memory(error):
                raise
        # Outside the handler: the exception's frames hold the tensors that filled the device.
        self._batch = max(self._batch // 2, 1)
        return self._scores()

    def _scores(self) -> Scores:
        data, form = self._data, self._form
        self._statistics.renew(self._module, self._batch)
        return evaluate(
            self._module,
            data.valid,
            data,
            self._device,
            self._batch,
            precision=form.precision,
            layout=form.layout,
            auc=self._auc,
        )
