"""Running statistics of batch norms, taken anew from train images before an evaluation.

The statistics that training leaves behind are averages over its last steps, whose weights differ: after few steps at a
high learning rate they describe none of them. Wu and Johnson, "Rethinking 'Batch' in BatchNorm" (arXiv:2105.07576),
section 3, take them from the weights that are evaluated, as it is done here.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainer.data.batches import Normalise
from trainer.data.data import Data
from trainer.hardware.modes import evaluating
from trainer.hardware.precision import Form

# A tenth of the train images, within these bounds: fewer cost accuracy at the end, more cost time (docs/training.md).
SHARE, FEWEST, MOST = 10, 256, 1024

LEAST = 4  # images of a batch, so that none is left with one, which batch norm cannot take


class NormStatistics:
    """Takes the statistics of a module from the same train images each time, without augmentation or dropout."""

    def __init__(self, data: Data, device: torch.device, form: Form) -> None:
        self._split, self._device, self._form = data.train, device, form
        self._normalise = Normalise(data, device, form)
        self._chosen = _chosen(len(data.train))

    @property
    def images(self) -> int:
        """Images that pass in a renewal."""
        return len(self._chosen)

    @staticmethod
    def norms(module: nn.Module) -> list[_BatchNorm]:
        """Return the norms that have statistics."""
        return [
            part for part in module.modules() if isinstance(part, _BatchNorm) and part.track_running_stats
        ]

    def renew(self, module: nn.Module, batch: int) -> None:
        """Renew the statistics of all norms that are in train mode, in batches of up to `batch` images.

        The module's modes are kept; norms in eval mode, as frozen ones, keep their statistics.
        """
        norms = [norm for norm in self.norms(module) if norm.training]
        if not norms:
            return
        batches = self._chosen.tensor_split(math.ceil(self.images / max(batch, LEAST)))
        with evaluating(module), _renewed(norms), self._form.autocast(self._device):
            for chosen in batches:
                images = self._split.x[chosen.to(self._split.x.device)]
                module(self._normalise(images.to(self._device)))


def _chosen(count: int) -> Tensor:
    """The places of the images, in random order, since a data set may be sorted by class."""
    images = min(max(count // SHARE, FEWEST), MOST)
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))[:images]


@contextmanager
def _renewed(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Inside, the statistics of norms are the mean over the batches that pass, a shared norm's over all its passes."""
    before = [(norm, norm.momentum, _count(norm).clone()) for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None  # an equal weight for each batch since the reset
    try:
        yield
    finally:
        for norm, momentum, count in before:
            norm.momentum = momentum
            _count(norm).copy_(count)


def _count(norm: _BatchNorm) -> Tensor:
    assert norm.num_batches_tracked is not None, "a norm with statistics counts its batches"
    return norm.num_batches_tracked
