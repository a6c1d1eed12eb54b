"""On a CUDA device, where there is one: the same promises, and those that only such a device can keep."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from trainer import Budget, Recipe, evaluate, fit, latency
from trainer.data import Data
from trainer.precision import usual

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

Make = Callable[..., nn.Module]
RECIPE = Recipe(epochs=8, batch=32)


def test_a_network_learns_in_bf16_and_comes_home(digits: Data, net: Make) -> None:
    module = net()
    before = torch.cuda.get_rng_state()
    report = fit(module, digits, recipe=RECIPE, device="cuda")
    assert (report.outcome, report.epochs) == ("done", 8)
    assert (report.valid_accuracy or 0) > 0.9
    assert report.peak_memory_bytes is not None and report.peak_memory_bytes > digits.train.x.numel()
    assert report.best_weights is not None
    assert {value.device.type for value in report.best_weights.values()} == {"cpu"}
    assert torch.cuda.get_rng_state().equal(before)
    module.load_state_dict(report.best_weights)
    on_cpu = evaluate(module, digits.valid, digits, "cpu").accuracy
    assert on_cpu == pytest.approx(report.valid_accuracy, abs=0.02)  # bf16 against fp32


def test_a_trial_is_cut_at_its_limit(digits: Data, net: Make) -> None:
    report = fit(net(), digits, Budget(per_trial=2.0), recipe=Recipe(epochs=100_000), device="cuda")
    assert (report.outcome, report.kind) == ("cut", "timeout")
    assert report.seconds == pytest.approx(2.0, abs=0.1)


class Hungry(nn.Module):
    """Asks for far more than a device has."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.net(x)
        return logits + torch.ones(2**42, device=x.device).sum()


def test_out_of_memory_is_an_outcome_and_gives_back_what_it_took(digits: Data, net: Make) -> None:
    home = digits.to("cuda")
    before = torch.cuda.memory_allocated()
    report = fit(Hungry(net()), home, recipe=RECIPE, device="cuda")
    assert (report.outcome, report.kind) == ("failed", "out-of-memory")
    assert torch.cuda.memory_allocated() < before + 2**20
    assert fit(net(), home, recipe=Recipe(epochs=1), device="cuda").outcome == "done"


def test_the_budget_s_memory_is_kept(digits: Data, net: Make) -> None:
    report = fit(net(64), digits, Budget(memory=1_000_000), recipe=RECIPE, device="cuda")
    assert (report.outcome, report.kind) == ("failed", "out-of-memory")
    assert report.reason.endswith("the budget allows 1,000,000")


def test_layout_and_latency(net: Make) -> None:
    assert usual(net(), torch.device("cuda"), 64).layout == "channels_last"
    assert 0 < latency(net(), (1, 8, 8), "cuda") < 1
