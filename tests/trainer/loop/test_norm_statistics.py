"""The statistics of batch norms are those of the evaluated weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

import genome
from genome import zoo
from trainer import Budget, Data, Recipe, Split, fit
from trainer.hardware.precision import Form
from trainer.loop.norm_statistics import FEWEST, NormStatistics

CPU = torch.device("cpu")
FORM = Form("fp32", "contiguous")


class Shared(nn.Module):
    """A norm that two layers pass."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.norm(x) + 3.0)


def first(digits: Data, count: int) -> Data:
    return replace(digits, train=Split(digits.train.x[:count], digits.train.y[:count]))


def renewed(module: nn.Module, data: Data, batch: int = FEWEST) -> nn.Module:
    NormStatistics(data, CPU, FORM).renew(module.train(), batch)
    return module


def test_statistics_are_the_mean_over_train_images(digits: Data) -> None:
    norm = nn.BatchNorm2d(1)
    renewed(norm, first(digits, 200))
    pixels = digits.train.x[:200].double() / digits.white
    assert norm.running_mean is not None and norm.running_var is not None
    assert norm.running_mean.item() == pytest.approx(
        (pixels.mean().item() - digits.mean[0]) / digits.std[0], abs=1e-5
    )
    assert norm.running_var.item() == pytest.approx((pixels.std() / digits.std[0]).item() ** 2, rel=1e-4)


@pytest.mark.parametrize("count", range(2, 14))
def test_no_batch_has_one_image(digits: Data, count: int) -> None:
    """A norm without height and width can't take one image."""
    sizes = []
    flat = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64))
    flat[1].register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    renewed(flat, first(digits, count), batch=2)
    assert sum(sizes) == count and min(sizes) >= 2


def test_a_shared_norm_has_the_mean_over_its_passes(digits: Data) -> None:
    module = renewed(Shared(), digits)
    assert isinstance(module, Shared) and module.norm.running_mean is not None
    assert module.norm.running_mean.item() == pytest.approx(1.5, abs=0.1)  # of 0 and 3


def test_modes_momentum_and_counts_are_kept(digits: Data) -> None:
    module = nn.Sequential(
        nn.BatchNorm2d(1, momentum=0.3), nn.Dropout(0.5), nn.BatchNorm2d(1).eval(), nn.Flatten()
    )
    module[0](torch.ones(2, 1, 3, 3))
    NormStatistics(digits, CPU, FORM).renew(module, FEWEST)
    assert [part.training for part in module] == [True, True, False, True]
    assert (module[0].momentum, module[0].num_batches_tracked.item()) == (0.3, 1)
    assert (module[2].running_mean.item(), module[2].running_var.item()) == (0.0, 1.0), (
        "a frozen norm is as it was"
    )


def test_a_module_that_raises_has_its_momentum_again(digits: Data) -> None:
    module = nn.Sequential(nn.BatchNorm2d(1), nn.Linear(3, 3))
    with pytest.raises(RuntimeError, match="shapes"):
        renewed(module, digits)
    assert module[0].momentum == 0.1


def test_an_early_evaluation_is_that_of_the_weights(digits: Data) -> None:
    """ResNet-20 after one epoch at a high rate; by the statistics of its last steps the loss was above 3."""
    torch.manual_seed(0)
    module = genome.build(genome.resolve(zoo.resnet(20, (1, 8, 8), 10)), seed=0)
    recipe = Recipe(optimizer="muon", lr=0.1, batch=32, epochs=9)
    (row,) = fit(module, digits, Budget(rungs=(1,)), lambda *_: True, recipe=recipe).curve
    assert row.train_loss is not None and row.valid_loss is not None
    assert row.valid_loss < row.train_loss and row.valid_accuracy > 0.8


def test_a_network_without_norms_is_evaluated_as_before(digits: Data) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    assert NormStatistics.norms(module) == []
    assert fit(module, digits, recipe=Recipe(epochs=1)).outcome == "done"
