"""Recipes: complete, checked, and the schedules that they name."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from trainer import Recipe, RecipeError, load
from trainer.loop.optimizer import optimizer_of
from trainer.loop.training import augment
from trainer.recipe.schedules import SCHEDULES, cosine, linear, one_cycle


def test_defaults_follow_the_optimizer_and_are_written_out() -> None:
    assert (Recipe().lr, Recipe().weight_decay) == (0.1, 5e-4)
    assert Recipe() == Recipe(optimizer="muon", crop="auto")
    adamw = Recipe(optimizer="adamw")
    assert (adamw.lr, adamw.weight_decay) == (3e-3, 0.05)
    assert Recipe.parse(adamw.to_dict()) == adamw
    assert None not in (adamw.to_dict()["lr"], adamw.to_dict()["weight_decay"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": "adam"}, "optimizer is 'adam'; it must be one of sgd, adamw, muon"),
        ({"lr": 0}, "lr is 0; it must be a number above 0"),
        ({"lr": "1e-3"}, "lr is '1e-3'; it must be a number above 0"),
        ({"lr": float("nan")}, "lr is nan; it must be a number above 0"),
        ({"lr": float("inf")}, "lr is inf; it must be a number above 0"),
        ({"batch": 0}, "batch is 0; it must be a whole number of 1..1,000,000"),
        ({"batch": True}, "batch is True; it must be a whole number of 1..1,000,000"),
        ({"epochs": 1.5}, "epochs is 1.5; it must be a whole number of 1..100,000"),
        ({"schedule": "step"}, "schedule is 'step'; it must be one of one-cycle, cosine, linear"),
        ({"warmup": 1}, "warmup is 1; it must be a number of 0 or more and below 1"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0; it must be a number of 0 or more and below 1"),
        ({"momentum": 0}, "momentum is 0; it must be a number above 0 and below 1"),
        ({"nesterov": 0}, "nesterov is 0; it must be true or false"),
        ({"distil": 1.1}, "distil is 1.1; it must be a number of 0..1"),
        ({"freeze": 1}, "freeze is 1; it must be a number of 0 or more and below 1"),
        ({"clip": 0}, "clip is 0; it must be a number above 0, or null"),
        ({"crop": -1}, "crop is -1; it must be auto, a whole number of 0..1,024, or null"),
        ({"flip": 1}, "flip is 1; it must be true or false"),
        ({"precision": "fp16"}, "precision is 'fp16'; it must be one of auto, fp32, bf16"),
        ({"epoch": 3}, "a recipe has no 'epoch'; did you mean epochs?"),
    ],
)
def test_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.parse(values)
    assert str(caught.value) == message


def lrs(scheduler: torch.optim.lr_scheduler.LRScheduler, steps: int) -> list[float]:
    seen = []
    for _ in range(steps):
        seen.append(float(scheduler.get_last_lr()[0]))
        scheduler.optimizer.step()
        scheduler.step() if len(seen) < steps else None
    return seen


def sgd() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)


@pytest.mark.parametrize(("steps", "warmup"), [(200, 0.25), (37, 0.3)])
def test_one_cycle_is_torch_s(steps: int, warmup: float) -> None:
    theirs = lrs(torch.optim.lr_scheduler.OneCycleLR(sgd(), 0.4, steps, pct_start=warmup), steps)
    assert [0.4 * one_cycle(step, steps, warmup) for step in range(steps)] == pytest.approx(theirs, abs=1e-9)


def test_cosine_is_torch_s() -> None:
    theirs = lrs(torch.optim.lr_scheduler.CosineAnnealingLR(sgd(), 100), 100)
    assert [0.4 * cosine(step, 100, 0.0) for step in range(100)] == pytest.approx(theirs, abs=1e-9)


def test_linear_is_torch_s() -> None:
    theirs = lrs(torch.optim.lr_scheduler.LinearLR(sgd(), 1.0, 0.0, total_iters=100), 100)
    assert [0.4 * linear(step, 100, 0.0) for step in range(100)] == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(
    ("steps", "warmup"), [(1, 0.0), (1, 0.5), (2, 0.9), (3, 0.0), (1000, 0.01), (10, 0.99)]
)
def test_factors_stay_in_bounds_and_fall_at_the_end(name: str, steps: int, warmup: float) -> None:
    factors = [SCHEDULES[name](step, steps, warmup) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[-1] == min(factors[round(warmup * steps) :] or factors[-1:])


def test_weight_decay_spares_norms_and_biases(net: Any) -> None:
    made = optimizer_of(net(), Recipe(weight_decay=0.01))
    decay = {
        parameter.ndim: group["weight_decay"] for group in made.param_groups for parameter in group["params"]
    }
    assert decay == {4: 0.01, 2: 0.01, 1: 0.0}
    assert all(group["nesterov"] and group["momentum"] == 0.9 for group in made.param_groups)
    assert isinstance(optimizer_of(net(), Recipe(optimizer="adamw")), torch.optim.AdamW)


@pytest.mark.parametrize("nesterov", [True, False])
def test_momentum_is_nesterov_s_or_plain(nesterov: bool) -> None:
    """Against the formulas: v = m v + g, then p -= lr v, or with Nesterov p -= lr (g + m v)."""
    module = torch.nn.Linear(1, 1, bias=False)
    optimizer = optimizer_of(
        module, Recipe(optimizer="sgd", lr=0.1, momentum=0.5, weight_decay=0.0, nesterov=nesterov)
    )
    weight, velocity = module.weight.item(), 0.0
    for gradient in (1.0, -3.0, 2.0):
        module.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
        velocity = 0.5 * velocity + gradient
        weight -= 0.1 * (gradient + 0.5 * velocity if nesterov else velocity)
        assert module.weight.item() == pytest.approx(weight, abs=1e-6)


def test_a_key_that_an_earlier_version_lacked_tells_trainings_apart_only_where_it_is_set() -> None:
    assert Recipe().to_dict()["nesterov"] is True and "nesterov" not in Recipe().identity()
    assert Recipe(nesterov=False).identity()["nesterov"] is False
    assert Recipe(distil=0.5).identity()["distil"] == 0.5
    assert Recipe().identity() == {
        k: v for k, v in Recipe().to_dict().items() if k not in ("nesterov", "distil", "freeze", "balance")
    }


@pytest.mark.parametrize(
    ("crop", "epochs", "padding"),
    [("auto", 9, 0), ("auto", 12, 1), ("auto", 90, 4), (None, 1, 4), (2, 90, 2)],
)
def test_the_crop_grows_with_the_epochs(crop: int | str | None, epochs: int, padding: int) -> None:
    data = load("digits")
    large = replace(data, input=(1, 32, 32))
    assert augment(Recipe(crop=crop, epochs=epochs), large).padding == padding


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_a_step_may_leave_weights_without_a_gradient(kind: str) -> None:
    """Drop-path leaves weights without a gradient: they stay as they are, and start with their first gradient."""
    torch.manual_seed(0)
    recipe = Recipe(optimizer=kind, momentum=0.9, weight_decay=0.01)
    ours = torch.nn.ModuleList(torch.nn.Linear(3, 3) for _ in range(2))
    theirs = copy.deepcopy(ours)
    given = optimizer_of(ours, recipe)
    groups = [{**group, "params": []} for group in given.param_groups]
    for group in groups:
        group["params"] = [p for p in theirs.parameters() if (p.ndim < 2) == (group["weight_decay"] == 0)]
    made = type(given)([{**group, "fused": False} for group in groups])
    for live in ((0,), (0, 1), (1,), (0, 1)):
        for net, step in ((ours, given), (theirs, made)):
            step.zero_grad()
            sum(net[i](torch.ones(2, 3)).square().sum() for i in live).backward()
            step.step()
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine, other)
