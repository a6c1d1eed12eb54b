"""Several seeds trained as one network give what each gives by itself. Real digits, real small networks."""

import copy
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tests.trainer.conftest import TwoExits
from trainer import Budget, Recipe, Report, fit, fit_seeds
from trainer.data.batches import Batch
from trainer.data.data import Data
from trainer.fused.step import FusedStep
from trainer.fused.training import reader
from trainer.hardware.precision import Form
from trainer.loop.optimizer import optimizer

SEEDS = (3, 5, 11)
FORM = Form("fp32", "contiguous")
QUICK = Recipe(epochs=2, lr=0.02, layout="contiguous")


def made(seed: int) -> nn.Module:
    """Two exits with batch norm, no dropout."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TwoExits()


def step_alone(module: nn.Module, update: torch.optim.Optimizer, batch: Batch, recipe: Recipe) -> Tensor:
    """A step as torch's own functions do it."""
    update.zero_grad()
    terms = [
        weight * nn.functional.cross_entropy(logits, batch.y, label_smoothing=recipe.label_smoothing)
        for weight, logits in zip(module.exit_weights, module(batch.x), strict=True)
    ]
    loss = sum(terms)
    loss.backward()
    assert recipe.clip is not None
    nn.utils.clip_grad_norm_(module.parameters(), recipe.clip)
    update.step()
    return loss.detach()


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_steps_are_those_of_each_seed_in_float64(digits: Data, name: str) -> None:
    """Loss, gradient clipped by its own norm, weights, running statistics; augmented digits."""
    # a constant rate: the schedule's has a test of its own below
    recipe = Recipe(optimizer=name, lr=0.01, schedule="cosine", warmup=0.0, epochs=1000, clip=0.5, cutout=2)
    alone = [made(seed).double() for seed in SEEDS]
    together = [copy.deepcopy(module) for module in alone]
    step = FusedStep(together, recipe, FORM, 10**9, torch.device("cpu"))
    updates = [optimizer(module, recipe) for module in alone]
    readers = [reader(digits, replace(recipe, seed=seed), FORM).epoch(0) for seed in SEEDS]
    for _, batches in zip(range(4), zip(*readers, strict=True), strict=False):
        fine = [batch._replace(x=batch.x.double()) for batch in batches]
        losses = step(fine)
        rows = zip(alone, updates, fine, strict=True)
        wanted = torch.stack([step_alone(*row, recipe) for row in rows])
        torch.testing.assert_close(losses, wanted, rtol=1e-9, atol=1e-9)
    for own, fused in zip(alone, together, strict=True):
        for key, value in own.state_dict().items():
            torch.testing.assert_close(fused.state_dict()[key], value, rtol=1e-9, atol=1e-9)


def alone(digits: Data, seed: int, recipe: Recipe, make: Callable[[int], nn.Module] = made) -> Report:
    return fit(make(seed), digits, recipe=replace(recipe, seed=seed))


def log_of(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.name == "trainer")


@pytest.mark.parametrize("more", [{}, {"mixup": 0.3, "optimizer": "adamw", "lr": 0.001}])
def test_reports_are_those_of_fit(
    digits: Data, caplog: pytest.LogCaptureFixture, more: dict[str, object]
) -> None:
    caplog.set_level(logging.INFO, "trainer")
    recipe = replace(QUICK, **more)
    reports = fit_seeds(made, digits, seeds=SEEDS, recipe=recipe, fuse="always")
    assert "3 seeds are trained as one network" in log_of(caplog)
    for seed, report in zip(SEEDS, reports, strict=True):
        wanted = alone(digits, seed, recipe)
        assert (report.outcome, report.reason, report.epochs) == ("done", wanted.reason, 2)
        assert report.recipe == wanted.recipe and report.seed == seed
        for row, own in zip(report.curve, wanted.curve, strict=True):
            assert row.train_loss == pytest.approx(own.train_loss, rel=1e-4)
            assert row.valid_loss == pytest.approx(own.valid_loss, rel=1e-3)
        assert report.last_weights is not None and wanted.last_weights is not None
        for key, value in wanted.last_weights.items():
            torch.testing.assert_close(report.last_weights[key], value, rtol=1e-2, atol=1e-3)
        assert Report.from_json(report.to_json()) == report
    assert len({report.curve[0].train_loss for report in reports}) == 3


def test_a_seed_that_breaks_is_reported_and_leaves_the_others_alone(digits: Data) -> None:
    def poisoned(seed: int) -> nn.Module:
        module = made(seed)
        if seed == 5:
            nn.init.constant_(module.late[2].bias, torch.inf)
        return module

    broken = fit_seeds(poisoned, digits, seeds=SEEDS, recipe=QUICK, fuse="always")
    whole = fit_seeds(made, digits, seeds=SEEDS, recipe=QUICK, fuse="always")
    assert [report.outcome for report in broken] == ["done", "failed", "done"]
    assert broken[1].kind == "not-finite" and broken[1].last_weights is None and broken[1].curve == ()
    assert broken[1].reason == "the training loss was not finite at step 1, in epoch 1"
    for place in (0, 2):
        first, second = broken[place].last_weights, whole[place].last_weights
        assert first is not None and second is not None
        assert all(value.equal(second[key]) for key, value in first.items())


def test_all_seeds_breaking_ends_it(digits: Data) -> None:
    recipe = replace(QUICK, lr=1e9, clip=None, warmup=0.0, epochs=50)
    reports = fit_seeds(made, digits, seeds=SEEDS, recipe=recipe, fuse="always")
    assert {report.kind for report in reports} == {"not-finite"}


def test_one_budget_is_for_all_seeds(digits: Data) -> None:
    recipe = replace(QUICK, epochs=10_000)
    reports = fit_seeds(made, digits, Budget(per_trial=0.6), SEEDS, recipe=recipe, fuse="always")
    assert {(report.outcome, report.kind) for report in reports} == {("cut", "timeout")}
    assert reports[0].reason.startswith("per_trial of 0.6 s was used up after ")
    assert len({report.seconds for report in reports}) == 1
    reports = fit_seeds(made, digits, Budget(device_time=0.6), SEEDS, recipe=recipe, fuse="never")
    assert {(report.outcome, report.kind) for report in reports} == {("cut", "timeout")}
    assert reports[0].reason.startswith("per_trial of 0.2 s was used up after ")


class Looking(nn.Module):
    """A network that looks at a number on its way."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x if x.mean().item() < 100 else -x)[1]


class Scaled(nn.Module):
    """A network that keeps a tensor of its own where nobody can find it."""

    def __init__(self, inner: nn.Module, seed: int) -> None:
        super().__init__()
        self.inner, self.scale = inner, [torch.tensor(1.0 + seed)]

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x * self.scale[0])[1]


def with_joins(seed: int) -> nn.Module:
    module = made(seed)
    module.joins = {3: "paths"}
    return module


@pytest.mark.parametrize(
    ("make", "change", "why"),
    [
        (with_joins, {}, "it draws paths for each batch"),
        (lambda seed: Looking(made(seed)), {}, "RuntimeError: vmap"),
        (lambda seed: Scaled(made(seed), seed), {}, "running_mean is another when they are run as one"),
        (made, {"average": "ema"}, "the recipe has average ema"),
        (made, {"epochs": 1}, "are over before a rehearsal has paid"),
    ],
)
def test_what_cannot_be_one_is_trained_one_after_another(
    digits: Data,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[int], nn.Module],
    change: dict[str, object],
    why: str,
) -> None:
    caplog.set_level(logging.INFO, "trainer")
    recipe = replace(QUICK, **{"epochs": 1, **change})
    fuse = "auto" if "epochs" in change else "always"
    reports = fit_seeds(make, digits, seeds=SEEDS[:2], recipe=recipe, fuse=fuse)
    assert "2 seeds are trained one after another: " in log_of(caplog) and why in log_of(caplog)
    for seed, report in zip(SEEDS, reports, strict=False):
        wanted = alone(digits, seed, recipe, make)
        assert report.last_weights is not None and wanted.last_weights is not None
        assert all(value.equal(report.last_weights[key]) for key, value in wanted.last_weights.items())


def test_the_rehearsal_decides_and_is_remembered(digits: Data, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trainer")
    recipe = replace(QUICK, epochs=8)
    fit_seeds(made, digits, seeds=SEEDS, recipe=recipe)
    first = log_of(caplog)
    assert "times as fast" in first
    caplog.clear()
    fit_seeds(made, digits, seeds=SEEDS, recipe=recipe)
    assert [word for word in log_of(caplog).split() if word[0].isdigit()] == [
        word for word in first.split() if word[0].isdigit()
    ]


def test_random_state_is_left_alone_and_words_are_checked(digits: Data) -> None:
    before = torch.get_rng_state()
    fit_seeds(made, digits, seeds=SEEDS, recipe=replace(QUICK, epochs=1), fuse="always")
    assert torch.get_rng_state().equal(before)
    with pytest.raises(ValueError, match="fuse is 'often'; it must be one of auto, always, never"):
        fit_seeds(made, digits, fuse="often")
