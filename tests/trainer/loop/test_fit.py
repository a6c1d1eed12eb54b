"""Training real networks on real digits: accuracy, repeatability, counts and limits."""

import json
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.trainer.loop.timeless import timeless
from trainer import Budget, Recipe, Report, ReportError, Row, evaluate, fit, latency
from trainer.data.data import Data
from trainer.recipe.schedules import SCHEDULES

Make = Callable[..., nn.Module]
QUICK = Recipe(epochs=3)


@pytest.fixture(scope="module")
def learned(digits: Data) -> tuple[nn.Module, Report]:
    """Return a small network trained by the default recipe, with batches of 32, for eight epochs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = [nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        parts += [nn.Conv2d(16, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
        module = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 10))
    return module, fit(module, digits, recipe=Recipe(epochs=8, batch=32))


def test_a_small_network_learns_digits(learned: tuple[nn.Module, Report], digits: Data) -> None:
    module, report = learned
    assert (report.outcome, report.kind, report.epochs) == ("done", None, 8)
    assert report.valid_accuracy is not None and report.valid_accuracy > 0.95
    assert evaluate(module, digits.test, digits).accuracy > 0.95


def test_the_curve_has_a_row_an_epoch(learned: tuple[nn.Module, Report], digits: Data) -> None:
    _, report = learned
    assert [row.epoch for row in report.curve] == list(range(1, 9))
    assert all(row.complete and row.images_per_second > 0 for row in report.curve)
    recipe, steps = Recipe(**report.recipe), len(digits.train) // 32 + bool(len(digits.train) % 32)
    at_the_end = [
        recipe.lr * SCHEDULES[recipe.schedule](steps * epoch - 1, 8 * steps, recipe.warmup)
        for epoch in range(1, 9)
    ]
    assert [row.learning_rate for row in report.curve] == pytest.approx(at_the_end)
    seconds = [row.seconds for row in report.curve]
    assert seconds == sorted(seconds) and seconds[-1] <= report.seconds
    moments = [at for row in report.curve for at in (row.began_at, row.trained_at, row.ended_at)]
    assert moments == sorted(moments, key=lambda at: at or 0) and 0 < time.time() - (moments[0] or 0) < 3600
    losses = [row.train_loss for row in report.curve if row.train_loss is not None]
    assert losses[-1] < losses[0] / 2
    best = max(report.curve, key=lambda row: (row.valid_accuracy, -(row.valid_loss or 0), -row.epoch))
    assert (report.best_epoch, report.valid_accuracy, report.valid_loss) == (
        best.epoch,
        best.valid_accuracy,
        best.valid_loss,
    )


def test_best_and_last_weights_are_what_the_report_says(
    learned: tuple[nn.Module, Report], digits: Data
) -> None:
    module, report = learned
    assert report.best_weights is not None and report.last_weights is not None
    assert report.precision is not None and report.layout is not None  # bf16 where a probe found it faster
    score = partial(evaluate, module, digits.valid, digits, precision=report.precision, layout=report.layout)
    assert all(report.last_weights[name].equal(value) for name, value in module.state_dict().items())
    home = {value.data_ptr() for value in module.state_dict().values()}
    assert not home & {value.data_ptr() for value in report.best_weights.values()}
    module.load_state_dict(report.best_weights)
    scores = score(batch=256)
    assert (scores.accuracy, scores.loss) == (report.valid_accuracy, pytest.approx(report.valid_loss))
    module.load_state_dict(report.last_weights)
    assert score().accuracy == report.curve[-1].valid_accuracy


def test_a_report_survives_json(learned: tuple[nn.Module, Report]) -> None:
    _, report = learned
    again = Report.from_json(report.to_json())
    assert again == report and again.best_weights is None
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert (again.device, again.threads, again.seed) == ("cpu", 1, 0)
    assert Recipe.parse(again.recipe) == Recipe(epochs=8, batch=32)
    odd = replace(report, valid_loss=math.inf, seconds=math.nan)
    assert json.loads(odd.to_json(), parse_constant=pytest.fail)["valid_loss"] is None


def test_a_report_says_how_the_seconds_were_spent_and_how_near_the_hardware_it_came(
    learned: tuple[nn.Module, Report],
) -> None:
    _, report = learned
    assert (report.is_compiled, report.accumulate) == (False, 1)
    assert report.precision in ("fp32", "bf16") and report.layout in ("contiguous", "channels_last")
    for part in ("data", "forward", "backward", "step", "evaluation"):
        assert report.parts[part] > 0, part
    assert sum(report.parts.values()) <= report.seconds
    steps, images = 39, 1222  # an epoch of the train images in batches of 32
    assert report.step_seconds is not None and report.images_per_second is not None
    assert report.step_seconds * steps == pytest.approx(images / report.images_per_second)
    # by hand: 16 filters of 3x3 on 8x8, 32 of 3x3x16 on 4x4, 128 x 10; the first needs no gradient of its input
    first, rest = 9 * 16 * 64, 9 * 16 * 32 * 16 + 1280
    assert report.mfu is not None and report.ceiling_flops is not None
    rate = (4 * first + 6 * rest) * report.images_per_second
    assert report.mfu == pytest.approx(rate / report.ceiling_flops) and 0 < report.mfu < 1


def test_seconds_are_counted_to_their_part(digits: Data, net: Make) -> None:
    class Slow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            until = time.thread_time() + 0.02
            while time.thread_time() < until:
                pass
            return self.net(x)  # type: ignore[no-any-return]

    recipe = Recipe(epochs=1, batch=512, precision="fp32", layout="contiguous")
    report = fit(Slow(), digits, recipe=recipe)
    assert report.parts["forward"] >= 3 * 0.02 and report.parts["evaluation"] >= 0.02
    assert sum(report.parts.values()) <= report.seconds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plain: plain.pop("seconds"), "the report lacks 'seconds'"),
        (lambda plain: plain.update(colour=1), "the report has an unknown 'colour'"),
        (lambda plain: plain.update(outcome="fine"), "outcome is 'fine'; it must be one of done"),
        (lambda plain: plain.update(curve=3), "curve and exits must be lists"),
        (lambda plain: plain.update(curve=[3]), "a row must be a mapping, not int"),
    ],
)
def test_a_broken_report_is_refused(
    learned: tuple[nn.Module, Report], change: Callable[[dict[str, object]], object], message: str
) -> None:
    plain = learned[1].to_dict()
    change(plain)
    with pytest.raises(ReportError, match=message):
        Report.from_dict(plain)
    with pytest.raises(ReportError, match="a report must be JSON text"):
        Report.from_json("{")


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_two_fits_are_equal_bit_for_bit(digits: Data, net: Make, optimizer: str) -> None:
    recipe = Recipe(optimizer=optimizer, epochs=2, cutout=2)
    torch.manual_seed(1)
    first = fit(net(), digits, recipe=recipe)
    torch.manual_seed(2)  # the caller's random state has no effect, though the network has dropout
    second = fit(net(), digits, recipe=recipe)
    assert first.last_weights is not None and second.last_weights is not None
    assert all(value.equal(second.last_weights[name]) for name, value in first.last_weights.items())
    assert timeless(first) == timeless(second)
    other = fit(net(), digits, recipe=replace(recipe, seed=1))
    assert timeless(other) != timeless(first)


def test_a_probed_form_is_the_same_the_next_time(
    digits: Data, net: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENOME_CACHE", str(tmp_path))
    recipe, facts = Recipe(epochs=4, batch=31), tmp_path / "facts.json"  # enough steps for a probe
    reports, written = [], []
    for _ in range(2):
        reports.append(fit(net(), digits, recipe=recipe))
        written.append((facts.stat().st_mtime_ns, facts.read_text()))
    assert '"form ' in written[0][1] and written[0] == written[1], "nothing is measured twice"
    assert timeless(reports[0]) == timeless(reports[1])
    assert (reports[0].precision, reports[0].layout) == (reports[1].precision, reports[1].layout)


def test_random_state_mode_and_layout_are_left_alone(digits: Data, net: Make) -> None:
    module = net().eval()
    next(module.children()).train()
    before = (torch.get_rng_state(), random.getstate(), [part.training for part in module.modules()])
    fit(module, digits, recipe=Recipe(epochs=1))
    assert torch.get_rng_state().equal(before[0]) and random.getstate() == before[1]
    assert [part.training for part in module.modules()] == before[2]
    assert all(parameter.grad is None and parameter.is_contiguous() for parameter in module.parameters())


def test_every_exit_is_trained_and_the_last_one_reported(digits: Data, two_exits: nn.Module) -> None:
    report = fit(two_exits, digits, recipe=Recipe(epochs=6, batch=32))
    assert len(report.exits) == 2 and min(report.exits) > 0.5
    assert report.exits[-1] == report.valid_accuracy


def test_an_exit_of_weight_nothing_learns_nothing(digits: Data, two_exits: nn.Module) -> None:
    two_exits.exit_weights = (0.0, 1.0)
    before = two_exits.early[2].bias.clone()
    fit(two_exits, digits, recipe=Recipe(epochs=1, weight_decay=0))
    assert two_exits.early[2].bias.equal(before)


def test_rungs_are_asked_and_can_prune(digits: Data, net: Make) -> None:
    asked: list[tuple[int, Mapping[str, float]]] = []

    def stop_at_second(epoch: int, numbers: Mapping[str, float]) -> bool:
        asked.append((epoch, numbers))
        return epoch >= 2

    report = fit(net(), digits, Budget(rungs=(1, 2, 3)), stop_at_second, recipe=QUICK)
    assert (report.outcome, report.kind, report.epochs) == ("pruned", None, 2)
    assert report.reason == "pruned at the rung of epoch 2"
    assert [epoch for epoch, _ in asked] == [1, 2]
    row = report.curve[1]
    assert asked[1][1] == {
        "valid_accuracy": row.valid_accuracy,
        "valid_loss": row.valid_loss,
        "valid_balanced_accuracy": row.valid_balanced_accuracy,
        "valid_macro_f1": row.valid_macro_f1,
        "valid_auc": row.valid_auc,
        "seconds": row.seconds,
    }


def test_a_rung_after_the_last_epoch_cannot_prune(digits: Data, net: Make) -> None:
    report = fit(net(), digits, Budget(rungs=(1,)), lambda *_: True, recipe=Recipe(epochs=1))
    assert report.outcome == "done"


def test_time_in_callbacks_is_not_charged(digits: Data, net: Make) -> None:
    waits: list[float] = []

    def wait(row: Row) -> None:
        start = time.perf_counter()
        time.sleep(0.05)
        waits.append(time.perf_counter() - start)

    start = time.perf_counter()
    report = fit(net(), digits, recipe=replace(QUICK, epochs=2), on_epoch=wait)
    assert report.seconds <= time.perf_counter() - start - sum(waits)


def test_rows_are_told_and_errors_of_callbacks_pass(digits: Data, net: Make) -> None:
    rows: list[Row] = []
    report = fit(net(), digits, recipe=QUICK, on_epoch=rows.append)
    assert tuple(rows) == report.curve

    def burst(row: Row) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        fit(net(), digits, recipe=QUICK, on_epoch=burst)


def test_evaluate_counts_right(digits: Data) -> None:
    class Brightness(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x.mean((1, 2, 3)) * label for label in range(10)], 1)

    module = Brightness()
    scores = evaluate(module, digits.test, digits, batch=100)
    x = (digits.test.x / 255 - digits.mean[0]) / digits.std[0]
    logits = module(x)
    assert scores.accuracy == (logits.argmax(1) == digits.test.y).double().mean().item() == scores.exits[0]
    assert scores.loss == pytest.approx(nn.functional.cross_entropy(logits, digits.test.y).item(), rel=1e-5)
    assert module.training
    with pytest.raises(ValueError, match="the split is empty"):
        evaluate(module, type(digits.test)(digits.test.x[:0], digits.test.y[:0]), digits)


def test_latency_is_a_median_of_seconds(net: Make) -> None:
    module = net()
    assert 0 < latency(module, (1, 8, 8), repeats=9) < latency(net(96), (1, 48, 48), repeats=9) < 60
    assert module.training
    with pytest.raises(ValueError, match="repeats is 0"):
        latency(module, (1, 8, 8), repeats=0)


def test_bf16_runs_and_learns(digits: Data, net: Make) -> None:
    report = fit(net(), digits, recipe=replace(QUICK, precision="bf16"))
    assert report.outcome == "done" and (report.valid_accuracy or 0) > 0.6
    assert report.last_weights is not None
    assert {value.dtype for value in report.last_weights.values()} == {torch.float32, torch.int64}
