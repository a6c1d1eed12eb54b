"""One step of the optimizer: parts of a batch, averages, values that are not finite, and the end of the memory."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from trainer import Budget, Recipe, fit
from trainer.data.batches import Batch
from trainer.data.data import Data
from trainer.hardware.precision import Form
from trainer.hardware.ranks import Ranks
from trainer.hardware.time_by_part import TimeByPart
from trainer.loop.nan_guard import NanGuard
from trainer.loop.step import Step
from trainer.loop.weight_average import WeightAverage
from trainer.recipe.averages import LOOKAHEAD_EVERY

Make = Callable[..., nn.Module]
CPU = torch.device("cpu")
PLAIN = Recipe(precision="fp32", layout="contiguous")


def step(module: nn.Module, recipe: Recipe) -> Step:
    return Step(module, recipe, Form("fp32", "contiguous"), 10, 100, CPU, TimeByPart(CPU), Ranks())


def batch(count: int = 8) -> Batch:
    chance = torch.Generator().manual_seed(0)
    return Batch(torch.randn(count, 1, 8, 8, generator=chance), torch.arange(count) % 10)


def linear() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
@pytest.mark.parametrize("clip", [1e-3, 0.5, 1e6, None])
def test_a_clipped_step_is_torch_s(clip: float | None, optimizer: str) -> None:
    ours, theirs = linear(), linear()
    recipe = replace(PLAIN, clip=clip, optimizer=optimizer, label_smoothing=0.0)
    train, plain = step(ours, recipe), step(theirs, replace(recipe, clip=None))
    for _ in range(3):
        train(batch())
        plain.optimizer.zero_grad()
        torch.nn.functional.cross_entropy(theirs(batch().x), batch().y).backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(theirs.parameters(), clip)
        plain.set_rate()
        plain.optimizer.step()
        plain.taken += 1
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("count", [8, 9])
def test_gradients_of_the_parts_add_up(count: int) -> None:
    whole, parted = linear(), linear()
    for module, accumulate in ((whole, 1), (parted, 3)):
        step(module, replace(PLAIN, accumulate=accumulate))(batch(count))
    for ours, theirs in zip(parted.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_moving_average_is_its_formula() -> None:
    module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10))
    averaged = [tensor.clone() for tensor in (*module.parameters(), *list(module.buffers())[:2])]
    train = step(module, replace(PLAIN, average="ema", ema_decay=0.3))
    for number in range(1, 6):
        train(batch())
        decay = min(0.3, (1 + number) / (10 + number))
        live = [*module.parameters(), *list(module.buffers())[:2]]
        averaged = [decay * a + (1 - decay) * b.detach() for a, b in zip(averaged, live, strict=True)]
    before = deepcopy(module.state_dict())
    with train.average.used():
        for a, b in zip(averaged, [*module.parameters(), *list(module.buffers())[:2]], strict=True):
            torch.testing.assert_close(a, b.detach())
    assert all(value.equal(before[name]) for name, value in module.state_dict().items())


def test_lookahead_steps_back_every_fifth_step() -> None:
    module, plain = linear(), linear()
    start = [p.detach().clone() for p in module.parameters()]
    ours, theirs = step(module, replace(PLAIN, average="lookahead")), step(plain, PLAIN)
    for _ in range(LOOKAHEAD_EVERY):
        ours(batch())
        theirs(batch())
    for a, b, c in zip(module.parameters(), plain.parameters(), start, strict=True):
        torch.testing.assert_close(a, (b + c) / 2)


def test_no_average_costs_nothing() -> None:
    module = linear()
    average = WeightAverage(module, PLAIN)
    with average.used():
        assert average.state()["average"] == []


def test_mixed_labels_share_the_loss() -> None:
    module, (x, y, _, _) = linear(), batch()
    train = step(module, PLAIN)
    first, second = train.loss(Batch(x, y)), train.loss(Batch(x, y.flip(0)))
    mixed = train.loss(Batch(x, y, y.flip(0), torch.tensor(0.3)))
    torch.testing.assert_close(mixed, 0.3 * first + 0.7 * second)


# --- values that are not finite


def test_the_guard_keeps_weights_and_names_the_step() -> None:
    module = linear()
    train = step(module, replace(PLAIN, average="ema"))
    train(batch())
    good = deepcopy(module.state_dict())
    assert train.guard.step() is None
    bad = Batch(torch.full((8, 1, 8, 8), float("nan")), torch.zeros(8, dtype=torch.long))
    for one in (bad, batch()):  # after the bad step nothing changes, even in a good step
        train(one)
        assert all(value.equal(good[name]) for name, value in module.state_dict().items())
        assert train.guard.step() == 2


def test_the_guard_sees_infinity_and_never_forgets() -> None:
    guard = NanGuard(CPU)
    assert [guard.check(torch.tensor(value)).item() for value in (1.0, float("inf"), 2.0)] == [0, 1, 1]
    assert guard.step() == 2


class Poison(nn.Module):
    """Returns its input; from a given call on, one number of it is not finite."""

    def __init__(self, good_calls: int, backward: bool = False) -> None:
        super().__init__()
        self.calls, self.backward = good_calls, backward

    def forward(self, x: Tensor) -> Tensor:
        self.calls -= self.training
        if self.calls >= 0 or not self.training:
            return x
        if self.backward:  # sqrt has slope infinity at 0
            return x + (x.flatten()[0] * 0).sqrt()
        return x / torch.zeros(())


@pytest.mark.parametrize("clip", [5.0, None])
def test_a_loss_that_is_not_finite_names_step_and_layer(digits: Data, net: Make, clip: float | None) -> None:
    module = net()
    module.insert(2, Poison(25))
    report = fit(module, digits, recipe=replace(PLAIN, clip=clip, epochs=3))
    assert (report.outcome, report.kind, report.epochs) == ("failed", "not-finite", 1)
    assert report.reason == (
        "the training loss was not finite at step 26, in epoch 2: "
        "2 is the first layer whose output is not finite"
    )


def test_a_gradient_that_is_not_finite_names_the_weight(digits: Data) -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), Poison(3, backward=True), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)
    )
    report = fit(module, digits, recipe=PLAIN)
    assert report.reason == (
        "the training loss was not finite at step 4, in epoch 1: "
        "the gradient of 0.bias is the first that is not finite"
    )


# --- the end of the memory


class Hungry(nn.Module):
    """A network that raises out-of-memory above a number of images, either in training or in evaluation."""

    def __init__(self, net: nn.Module, most: int, training: bool = True) -> None:
        super().__init__()
        self.net, self.most, self.when = net, most, training

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.most and self.training == self.when:
            torch.empty(2**60)
        return self.net(x)  # type: ignore[no-any-return]


def test_a_full_device_gets_half_the_batch_and_the_same_steps(digits: Data) -> None:
    def made() -> nn.Module:  # without batch norm and dropout, so that halves give the same gradient
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))

    recipe = replace(PLAIN, epochs=2)
    hungry, plain = made(), made()
    report = fit(Hungry(hungry, most=32), digits, recipe=recipe)
    fit(plain, digits, recipe=recipe)
    assert (report.outcome, report.epochs, report.accumulate) == ("done", 2, 2)
    for ours, theirs in zip(hungry.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)


def test_a_device_too_full_for_half_the_batch_fails_with_both_numbers(digits: Data, net: Make) -> None:
    report = fit(Hungry(net(), most=31), digits, recipe=PLAIN, predicted_bytes=12345)
    assert (report.outcome, report.kind, report.accumulate) == ("failed", "out-of-memory", 2)
    assert report.reason.startswith("the device ran out of memory: ")
    assert "12,345 bytes predicted" in report.reason
    assert report.predicted_memory_bytes == 12345
    if report.peak_memory_bytes is not None:
        assert f"({report.peak_memory_bytes:,} bytes seen at most" in report.reason


def test_an_evaluation_too_large_is_halved(digits: Data, net: Make) -> None:
    report = fit(Hungry(net(), most=64, training=False), digits, recipe=replace(PLAIN, epochs=2))
    assert (report.outcome, report.epochs, report.accumulate) == ("done", 2, 1)


def test_the_deadline_holds_for_halves_too(digits: Data, net: Make, ticking: None) -> None:
    report = fit(Hungry(net(), 32), digits, Budget(per_trial=0.5), recipe=replace(PLAIN, epochs=10_000))
    assert (report.outcome, report.accumulate) == ("cut", 2)


# --- early stop


def test_patience_ends_a_training_that_brings_nothing(digits: Data, net: Make) -> None:
    recipe = replace(PLAIN, epochs=50, patience=3, lr=1e-9, weight_decay=0.0)
    report = fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), digits, recipe=recipe)
    assert report.outcome == "done" and report.best_epoch is not None
    assert report.epochs == report.best_epoch + 3 < 50
    assert report.reason == f"3 epochs brought nothing better, after {report.epochs} epochs"
