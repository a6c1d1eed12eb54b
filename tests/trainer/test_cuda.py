"""On a CUDA device, where there is one: the same promises, and the promises that only such a device can keep."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from trainer import Budget, Recipe, evaluate, fit, latency
from trainer.data.augment import Augment
from trainer.data.batches import Epochs, Normalise
from trainer.data.data import Data
from trainer.data.residence import Streamed
from trainer.hardware.peak_flops import measured
from trainer.hardware.precision import Form, usual
from trainer.hardware.ranks import Ranks
from trainer.hardware.time_by_part import TimeByPart
from trainer.loop.cuda_graph import CapturedStep
from trainer.loop.step import Step
from trainer.proxies import PROXIES, proxies

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

Make = Callable[..., nn.Module]
RECIPE = Recipe(epochs=8, batch=32)


def test_proxies_are_those_of_the_cpu(net: Make) -> None:
    module, images, labels = net(), torch.randn(16, 1, 8, 8), torch.arange(16) % 10
    here = proxies(module, images, labels, PROXIES)
    there = proxies(module.to("cuda"), images.cuda(), labels.cuda(), PROXIES)
    assert there == pytest.approx(here, rel=0.02)


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
    assert report.epochs > 0 and report.seconds < 60


class Hungry(nn.Module):
    """Requests far more memory than a device has."""

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
    assert "the budget allows 1,000,000" in report.reason and report.accumulate == 2


def test_layout_and_latency(net: Make) -> None:
    assert usual(net(), torch.device("cuda")).layout == "channels_last"
    assert 0 < latency(net(), (1, 8, 8), "cuda") < 1


FORM = Form("fp32", "channels_last")


def steps(module: nn.Module, data: Data, recipe: Recipe) -> tuple[Step, Epochs, TimeByPart]:
    device = torch.device("cuda", 0)
    parts = TimeByPart(device)
    epochs = Epochs(data.train, Normalise(data, device, FORM), Augment(1, True, 2), recipe.batch, seed=0)
    FORM.lay_out(module)
    return Step(module, recipe, FORM, 10, 1000, device, parts, Ranks()), epochs, parts


@pytest.mark.parametrize("average", ["none", "ema", "lookahead"])
def test_nothing_in_an_epoch_waits_for_the_device(digits: Data, net: Make, average: str) -> None:
    step, epochs, parts = steps(net().to("cuda"), digits.to("cuda"), Recipe(average=average, batch=32))
    step(next(epochs.epoch(0)))
    torch.cuda.set_sync_debug_mode("error")
    try:
        parts.begin()
        for batch in epochs.epoch(1):
            parts.mark("data")
            step(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.cuda.synchronize()
    parts.settle()
    assert all(parts.seconds[part] > 0 for part in ("data", "forward", "backward", "step"))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_a_captured_step_is_the_same_step(digits: Data, net: Make, optimizer: str) -> None:
    recipe, home = Recipe(optimizer=optimizer, batch=32), digits.to("cuda")
    weights = []
    for graphed in (False, True):
        module = net().to("cuda")
        module[3] = nn.Identity()  # no dropout: a graph draws other numbers
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            step, epochs, parts = steps(module, home, recipe)
            run = step
            for number, batch in enumerate(epochs.epoch(0)):
                if graphed and number == 10:
                    run = CapturedStep(step, batch, parts)
                run(batch)
        torch.cuda.synchronize()
        assert step.taken == epochs.steps and step.guard.step() is None
        weights.append([p.detach().clone() for p in module.parameters()])
    for ours, theirs in zip(*weights, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_a_loss_that_is_not_finite_is_found_at_the_end_of_the_epoch(digits: Data, net: Make) -> None:
    report = fit(net(), digits, recipe=Recipe(lr=1e30, clip=None, warmup=0.0), device="cuda")
    assert (report.outcome, report.kind) == ("failed", "not-finite")
    assert report.reason.startswith("the training loss was not finite at step ")


def test_images_on_the_host_are_streamed(digits: Data) -> None:
    device = torch.device("cuda", 0)
    order, draws = Epochs(digits.train, Normalise(digits, device, FORM), Augment(1), 32, 0).drawn(0)
    there = Streamed(digits.train, 1, device)
    for start in range(0, 320, 32):
        part = slice(start, start + 32)
        x, y = there.take(order[part], draws.pick(part).to(device))
        assert x.device == y.device == device and y.cpu().equal(digits.train.y[order[part]])


def test_the_ceiling_of_a_device() -> None:
    device = torch.device("cuda", 0)
    assert measured(device, "bf16") > measured(device, "fp32") > 1e12
