"""Every error in a trial is an outcome with a reason; each error is provoked for real."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from trainer import Budget, DeviceError, Recipe, Report, evaluate, fit
from trainer.data.data import Data, Split

Make = Callable[..., nn.Module]


MANY = Recipe(epochs=10_000, precision="fp32", layout="contiguous")  # fixed, so that nothing is probed


class Fault(nn.Module):
    """A network that behaves differently from a given forward pass on."""

    def __init__(self, net: nn.Module, act: Callable[[torch.Tensor], torch.Tensor], calls: int = 0) -> None:
        super().__init__()
        self.net, self.act, self.calls = net, act, calls

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls -= 1
        logits: torch.Tensor = self.net(x)
        return logits if self.calls >= 0 else self.act(logits)


def test_a_loss_that_is_not_finite(digits: Data, net: Make) -> None:
    report = fit(net(), digits, recipe=Recipe(lr=1e9, clip=None, warmup=0.0, epochs=3))
    assert (report.outcome, report.kind) == ("failed", "not-finite")
    assert "loss" in report.reason and report.epochs < 3
    assert report.last_weights is None


def test_logits_that_are_not_a_number_in_validation_only(digits: Data, net: Make) -> None:
    module = Fault(net(), lambda logits: logits if torch.is_grad_enabled() else logits / 0 * 0)
    report = fit(module, digits, recipe=Recipe(epochs=2))
    assert (report.outcome, report.kind) == ("failed", "not-finite")
    assert report.reason == "the validation loss was nan after 20 steps"


def hungry(logits: torch.Tensor) -> torch.Tensor:
    return logits + torch.ones(2**50).sum()


def overflowing(logits: torch.Tensor) -> torch.Tensor:
    return logits + torch.ones(2**40, 2**40).sum()


def pythonic(logits: torch.Tensor) -> torch.Tensor:
    return logits + len(bytearray(2**60))


@pytest.mark.parametrize("act", [hungry, overflowing, pythonic])
def test_out_of_memory(digits: Data, net: Make, act: Callable[[torch.Tensor], torch.Tensor]) -> None:
    report = fit(Fault(net(), act), digits, recipe=Recipe(epochs=2))
    assert (report.outcome, report.kind, report.epochs) == ("failed", "out-of-memory", 0)
    assert report.reason.startswith("the device ran out of memory: ") and "\n" not in report.reason
    assert report.valid_accuracy is None and report.best_weights is None


def test_what_was_reached_before_the_fault_is_kept(digits: Data, net: Make) -> None:
    report = fit(Fault(net(), hungry, calls=30), digits, recipe=Recipe(epochs=3))
    assert (report.outcome, report.kind, report.epochs, len(report.curve)) == (
        "failed",
        "out-of-memory",
        1,
        1,
    )
    assert report.best_weights is not None and report.valid_accuracy == report.curve[0].valid_accuracy
    assert report.seconds > report.curve[0].seconds


def test_a_batch_too_small_for_batch_norm(digits: Data) -> None:
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(1, 10))
    report = fit(module, digits, recipe=Recipe(batch=1, epochs=1))
    assert (report.outcome, report.kind) == ("failed", "batch-too-small")
    assert report.reason.startswith(
        "the batch is too small for batch norm: Expected more than 1 value per channel"
    )


def test_a_last_batch_of_one_image_does_no_harm(digits: Data) -> None:
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(1, 10))
    few = replace(digits, train=Split(digits.train.x[:9], digits.train.y[:9]))
    assert fit(module, few, recipe=Recipe(batch=4, epochs=1)).outcome == "done"
    assert fit(module, few, recipe=Recipe(batch=1000, epochs=2)).epochs == 2


def test_any_other_exception_of_the_network(digits: Data, net: Make) -> None:
    def burst(logits: torch.Tensor) -> torch.Tensor:
        raise KeyError("lost\nkey")

    report = fit(Fault(net(), burst), digits)
    assert (report.outcome, report.kind) == ("failed", "error")
    assert report.reason == r"the network raised KeyError: 'lost\nkey'"


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda logits: logits[:, :9], "exit 1 gave logits of shape (64, 9); it must be (64, 10)"),
        (lambda logits: [], "forward gave list; it must give one logit tensor, or a tuple of them"),
        (
            lambda logits: {"out": logits},
            "forward gave dict; it must give one logit tensor, or a tuple of them",
        ),
        (
            lambda logits: logits.detach(),
            "the network raised RuntimeError: element 0 of tensors does not require",
        ),
    ],
)
def test_output_that_is_no_logits(
    digits: Data, net: Make, act: Callable[..., torch.Tensor], reason: str
) -> None:
    report = fit(Fault(net(), act), digits)
    assert (report.outcome, report.kind) == ("failed", "error")
    assert report.reason.startswith(reason)


def test_exit_weights_of_another_number(digits: Data, two_exits: nn.Module) -> None:
    two_exits.exit_weights = (1.0,)
    report = fit(two_exits, digits)
    assert report.reason == "the module has 1 exit weights for 2 exits; there must be one for each"


def test_nothing_to_train(digits: Data) -> None:
    report = fit(nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(10)), digits)
    assert (report.outcome, report.reason) == ("failed", "the module has no parameter to train")


def test_ctrl_c_passes_through(digits: Data, net: Make) -> None:
    def stop(logits: torch.Tensor) -> torch.Tensor:
        raise KeyboardInterrupt

    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        fit(Fault(net(), stop, calls=3), digits)
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize("seconds", [0.3, 0.8])
def test_a_trial_is_cut_at_its_limit(digits: Data, net: Make, ticking: None, seconds: float) -> None:
    report = fit(net(), digits, Budget(per_trial=seconds, device_time=100), recipe=MANY)
    assert (report.outcome, report.kind) == ("cut", "timeout")
    assert report.reason == f"per_trial of {seconds:g} s was used up after {report.epochs} of 10000 epochs"
    assert report.seconds == pytest.approx(seconds, abs=0.02)
    assert report.epochs > 0 and report.valid_accuracy is not None and report.last_weights is not None
    assert [row.complete for row in report.curve[:-1]] == [True] * (len(report.curve) - 1)


def test_a_cut_within_the_first_epoch_is_evaluated_still(digits: Data, net: Make, ticking: None) -> None:
    many = Split(digits.train.x.repeat(60, 1, 1, 1), digits.train.y.repeat(60))
    slow = replace(digits, train=many)
    report = fit(net(), slow, Budget(device_time=0.4), recipe=replace(MANY, batch=32, epochs=2))
    assert (report.outcome, report.epochs, report.best_epoch) == ("cut", 0, 1)
    assert report.reason == "device_time of 0.4 s was used up after 0 of 2 epochs"
    (row,) = report.curve
    assert not row.complete and row.valid_accuracy == report.valid_accuracy
    assert 0.3 < report.seconds < 0.42, "an evaluation by these clocks takes less than is reserved for it"


def test_seconds_before_the_fit_count(digits: Data, net: Make) -> None:
    report = fit(net(), digits, Budget(per_trial=5), recipe=Recipe(epochs=3), started_seconds=5.0)
    assert (report.outcome, report.epochs, report.curve, report.valid_accuracy) == ("cut", 0, (), None)
    assert report.seconds >= 5
    whole = fit(net(), digits, recipe=Recipe(epochs=1), started_seconds=7.0)
    assert whole.seconds >= whole.curve[0].seconds > 7


def test_devices_that_are_not_there(digits: Data, net: Make) -> None:
    for call in (
        lambda name: fit(net(), digits, device=name),
        lambda name: evaluate(net(), digits.valid, digits, name),
    ):
        with pytest.raises(DeviceError, match="device is 'gpu'; it must be cpu, cuda or cuda:N"):
            call("gpu")
        with pytest.raises(DeviceError, match="device is 'cuda:99'"):
            call("cuda:99")


def test_a_network_that_was_never_trained_has_a_complete_report() -> None:
    report = Report.failed("error", "no network", recipe=Recipe(seed=3), device="cpu", seconds=0.5)
    assert (report.outcome, report.kind, report.reason) == ("failed", "error", "no network")
    assert (report.epochs, report.seed, report.seconds, report.threads) == (
        0,
        3,
        0.5,
        torch.get_num_threads(),
    )
    assert Report.from_json(report.to_json()) == report
