"""Evaluation: accuracy and loss of a network on a split."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.data.batches import Normalise
from trainer.data.data import Data, Split
from trainer.hardware.devices import device_of
from trainer.hardware.modes import evaluating
from trainer.hardware.precision import Form, usual
from trainer.loop.loss import Logits, exits
from trainer.outcome import is_memory

CUDA_BATCH = 1024  # least images of a batch on CUDA; on a CPU large batches leave the cache


@dataclass(frozen=True)
class Scores:
    """How well a network does on a split."""

    accuracy: float
    """Share of the images that the last exit classifies correctly."""
    loss: float
    """Mean cross-entropy of the last exit, labels not smoothed."""
    exits: tuple[float, ...]
    """The accuracy of every exit."""
    predicted: Tensor | None = field(default=None, compare=False, repr=False)
    """int64 (N,), the class that the last exit gives each image, on the CPU; where it was asked for."""
    balanced_accuracy: float = 0.0
    """Mean over the classes of the share of their images that the last exit classifies correctly."""
    macro_f1: float = 0.0
    """Mean over the classes of the F1 score of the last exit; classes that are neither there nor said do not count."""

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
) -> Scores:
    """Score a module on a split of the data, in large batches, without gradients, in eval mode.

    The module is moved to the device and into the layout; its train or eval mode is restored.
    precision, layout: as in a recipe; auto is what suits most networks.
    predictions: whether the scores hold the class of each image.
    Raises ValueError for an empty split or an absent device, ModuleError for an output that is not logits.
    """
    losses: list[Tensor] = []
    hits: list[Tensor] = []
    said_classes: list[Tensor] = []
    tallies: list[Tensor] = []
    # No .item() in the loop: the sums stay on the device, so that the host never waits.
    with _answers(module, split, data, device, batch, precision, layout) as answers:
        classes = torch.arange(len(data.classes), device=device)
        for logits, y in answers:
            losses.append(F.cross_entropy(logits[-1], y, reduction="sum"))
            tallies.append(_tally(logits[-1].argmax(1), y, classes))
            hits.append(torch.stack([(one.argmax(1) == y).sum() for one in logits]))
            if predictions:
                said_classes.append(logits[-1].argmax(1))
        loss = torch.stack(losses).cpu().double().sum().item() / len(split)
        correct = torch.stack(hits).sum(0).tolist()
        right, said, there = torch.stack(tallies).sum(0).cpu().double()
    accuracies = tuple(count / len(split) for count in correct)
    return Scores(
        accuracies[-1],
        loss,
        accuracies,
        torch.cat(said_classes).cpu() if predictions else None,
        balanced_accuracy=_mean(right / there, there > 0),
        macro_f1=_mean(2 * right / (said + there), said + there > 0),
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
    with _answers(module, split, data, device, batch, precision, layout) as answers:
        parts = [logits for logits, _ in answers]
        return tuple([torch.cat(of_exit).cpu() for of_exit in zip(*parts, strict=True)])


@contextmanager
def _answers(
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


def _tally(said: Tensor, y: Tensor, classes: Tensor) -> Tensor:
    """Return, for each class, how many images are of it and are said to be, are said to be, and are of it: (3, K)."""
    # Comparisons in place of bincount, for which the host would wait.
    says, has = said[:, None] == classes, y[:, None] == classes
    return torch.stack([(says & has).sum(0), says.sum(0), has.sum(0)])


def _mean(values: Tensor, counts: Tensor) -> float:
    """Return the mean of the values that count."""
    return values[counts].mean().item()


class Evaluator:
    """Scores one module on the valid images; after running out of memory, in batches of half the size."""

    def __init__(self, module: nn.Module, data: Data, device: torch.device, form: Form, batch: int) -> None:
        self._module, self._data, self._device, self._form = module, data, device, form
        self._batch = max(batch, CUDA_BATCH) if device.type == "cuda" else batch

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
        return evaluate(
            self._module,
            data.valid,
            data,
            self._device,
            self._batch,
            precision=form.precision,
            layout=form.layout,
        )
