"""Scores: accuracy and loss of a network on a split."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.data.batches import Normalise
from trainer.data.data import Data, Split
from trainer.hardware.devices import device_of
from trainer.hardware.modes import evaluating
from trainer.hardware.precision import usual
from trainer.loop.exits import forward


@dataclass(frozen=True)
class Scores:
    """How well a network does on a split.

    accuracy, loss: of the last exit (share of the images; mean cross-entropy, unsmoothed).
    exits: the accuracy of every exit.
    """

    accuracy: float
    loss: float
    exits: tuple[float, ...]


def evaluate(
    module: nn.Module,
    split: Split,
    data: Data,
    device: str | torch.device = "cpu",
    batch: int = 512,
    *,
    precision: str = "auto",
    layout: str = "auto",
) -> Scores:
    """Score a module on a split of the data, in large batches, without gradients, in eval mode.

    The module is moved to the device, and into the layout; its train or eval mode is put back.
    precision, layout: as a recipe has them; auto is what suits most networks.
    Raises ValueError for an empty split or a device that is not there, ModuleError for an output that is not
    logits.
    """
    if len(split) == 0:
        raise ValueError("the split is empty; at least one image is needed for scores")
    place = device_of(device)
    module.to(place)
    form = usual(module, place, precision, layout)
    form.lay_out(module)
    normalise = Normalise(data, place, form)
    losses: list[Tensor] = []
    hits: list[Tensor] = []
    # One pass, no .item(): sums stay on the device until the end.
    with evaluating(module), form.autocast(place):
        for x, labels in zip(torch.split(split.x, batch), torch.split(split.y, batch), strict=True):
            y = labels.to(place)
            exits = forward(module, normalise(x.to(place)), len(data.classes))
            losses.append(F.cross_entropy(exits[-1], y, reduction="sum"))
            hits.append(torch.stack([(logits.argmax(1) == y).sum() for logits in exits]))
        loss = torch.stack(losses).cpu().double().sum().item() / len(split)
        right = torch.stack(hits).sum(0).tolist()
    accuracies = tuple(count / len(split) for count in right)
    return Scores(accuracies[-1], loss, accuracies)
