"""Two stages: the trunk with the last exit, then the heads of the other exits on the frozen trunk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.trainer.loop.test_checkpoint import After, same
from trainer import Budget, Checkpoint, Data, Recipe, Row, fit
from trainer.loop.stages import Part, stages

RECIPE = Recipe(epochs=5, freeze=0.4, batch=128)  # three epochs of the trunk, two of the heads
STEPS = 10  # of an epoch


@pytest.fixture
def heads(two_exits: nn.Module) -> nn.Module:
    two_exits.early_heads = ("early",)
    return two_exits


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def differing(a: dict[str, Tensor], b: dict[str, Tensor]) -> set[str]:
    """Return the parts of the network whose parameters or running statistics differ."""
    return {name.split(".")[0] for name, value in a.items() if not value.equal(b[name])}


@given(
    st.integers(1, 300),
    st.floats(0, 0.99),
    st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=1, max_size=4),
)
def test_stages_share_the_epochs(epochs: int, freeze: float, factors: list[float]) -> None:
    found = stages(Recipe(epochs=epochs, freeze=freeze), tuple(factors))
    assert [one.first for one in found] == [sum(one.epochs for one in found[:i]) for i in range(len(found))]
    assert sum(one.epochs for one in found) == epochs and all(one.epochs >= 1 for one in found)
    kept = [one.weights(tuple(factors)) for one in found]
    assert [sum(column) for column in zip(*kept, strict=True)] == pytest.approx(factors)
    assert all(any(one) for one in kept) or not any(factors)
    two = freeze > 0 and epochs > 1 and any(factors[:-1]) and factors[-1] > 0
    assert [one.learns for one in found] == ([Part.TRUNK, Part.HEADS] if two else [Part.ALL])


def test_each_stage_changes_its_part_alone(digits: Data, heads: nn.Module) -> None:
    frozen = next(heads.first.parameters())
    frozen.requires_grad_(False)
    seen = [weights(heads)]
    report = fit(heads, digits, recipe=RECIPE, on_epoch=lambda row: seen.append(weights(heads)))
    assert all(differing(a, b) == {"first", "second", "late"} for a, b in pairwise(seen[:4]))
    best = max(report.curve[:3], key=lambda row: (row.valid_accuracy, -(row.valid_loss or 0)))
    assert differing(seen[best.epoch], seen[4]) == differing(seen[4], seen[5]) == {"early"}
    assert {row.valid_accuracy for row in report.curve[3:]} == {best.valid_accuracy}
    assert report.best_epoch in (4, 5)  # the heads of the first stage have learnt nothing
    assert report.exits[0] > 0.2 and report.valid_accuracy == best.valid_accuracy
    # what the caller froze stays so, and nothing else is
    assert [one for one in heads.parameters() if not one.requires_grad] == [frozen]
    assert all(part.training for part in heads.modules())


RANKED = """
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

import trainer


class Net(nn.Module):
    early_heads = ("early",)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.early, self.late = (nn.Sequential(nn.Flatten(), nn.Linear(144, 10)) for _ in range(2))

    def forward(self, x):
        x = self.first(x)
        return self.early(x), self.late(x)


rank, folder = int(sys.argv[1]), Path(sys.argv[2])
dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
net, seen = Net(), []
report = trainer.fit(
    net,
    trainer.load("digits"),
    recipe=trainer.Recipe(epochs=4, freeze=0.5, batch=256),
    ranks=trainer.Ranks(rank, 2),
    on_epoch=lambda row: seen.append({name: one.clone() for name, one in net.state_dict().items()}),
)
assert report.outcome == "done", report.reason
torch.save(seen, folder / f"rank{rank}.pt")
dist.destroy_process_group()
"""


def test_ranks_freeze_the_same_trunk(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", RANKED, str(rank), str(tmp_path)]) for rank in range(2)
    ]
    assert [one.wait(timeout=300) for one in started] == [0, 0]
    seen, others = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    assert all(not differing(mine, theirs) for mine, theirs in zip(seen, others, strict=True))
    assert differing(seen[0], seen[1]) == {"first", "late"} and differing(seen[2], seen[3]) == {"early"}


@pytest.mark.slow
def test_a_compiled_network_freezes_alike(digits: Data, heads: nn.Module) -> None:
    """It is compiled again for the second stage, in which other parts learn."""
    seen = list[dict[str, Tensor]]()
    recipe = replace(RECIPE, compile="always", epochs=6, freeze=0.5)
    report = fit(heads, digits, recipe=recipe, on_epoch=lambda row: seen.append(weights(heads)))
    assert report.outcome == "done" and report.is_compiled
    assert [differing(a, b) for a, b in pairwise(seen)][-2:] == [{"early"}] * 2
    assert differing(seen[0], seen[1]) == {"first", "second", "late"} and report.exits[0] > 0.2


@pytest.mark.parametrize("average", ["none", "ema", "lookahead"])
def test_stopped_in_each_stage_and_between_them_it_goes_on_to_the_bit(
    digits: Data, heads: nn.Module, tmp_path: Path, average: str
) -> None:
    recipe = replace(RECIPE, average=average, ema_decay=0.9)
    whole = fit(deepcopy(heads), digits, recipe=recipe)
    checkpoint = Checkpoint(tmp_path / "checkpoint")
    for steps in (STEPS + 3, 2 * STEPS - 3, 7):  # in the second epoch, at the end of the third, in the fourth
        report = fit(deepcopy(heads), digits, recipe=recipe, checkpoint=checkpoint, stop_asked=After(steps))
        assert report.outcome == "interrupted"
    last = fit(deepcopy(heads), digits, recipe=recipe, checkpoint=checkpoint)
    assert last.outcome == "done" and same(last, whole)


def test_one_exit_is_trained_as_ever(digits: Data, net: Callable[..., nn.Module]) -> None:
    recipe, trained = Recipe(epochs=2, batch=128), []
    for freeze in (0.0, 0.5):
        module = net()
        module.early_heads = ()
        trained.append(fit(module, digits, recipe=replace(recipe, freeze=freeze)))
    assert same(*trained)


class Bare(nn.Module):
    """Two exits, of which the first has no weights; or only the last has some to train."""

    early_heads = ("early",)

    def __init__(self, early: nn.Module) -> None:
        super().__init__()
        self.early, self.late = early, nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.early(x.flatten(1)[:, :10]), self.late(x)


def test_heads_without_weights_freeze_nothing(digits: Data) -> None:
    report = fit(Bare(nn.Identity()), digits, recipe=replace(RECIPE, epochs=2))
    assert report.outcome == "done" and len({row.valid_loss for row in report.curve}) == 2


def test_exits_without_factors_count_alike(digits: Data) -> None:
    report = fit(Bare(nn.Linear(10, 10)), digits, recipe=replace(RECIPE, epochs=2))
    assert report.outcome == "done" and len({row.valid_loss for row in report.curve}) == 1


def test_patience_counts_in_the_last_stage(digits: Data, heads: nn.Module) -> None:
    recipe = replace(RECIPE, epochs=12, freeze=0.5, patience=1, lr=1e-6)  # hardly anything gets better
    report = fit(heads, digits, recipe=recipe)
    assert report.outcome == "done" and 7 <= report.epochs < 12


def test_heads_that_are_not_told_are_an_error(digits: Data, two_exits: nn.Module) -> None:
    report = fit(two_exits, digits, recipe=RECIPE)
    assert (report.outcome, report.kind) == ("failed", "error")
    assert "freeze needs the heads of the earlier exits; give the module `early_heads`" in report.reason


def test_a_cut_trunk_has_its_best_weights(digits: Data, heads: nn.Module, ticking: None) -> None:
    rows: list[Row] = []
    report = fit(
        heads, digits, Budget(device_time=1.0), recipe=replace(RECIPE, epochs=40), on_epoch=rows.append
    )
    assert report.outcome == "cut" and report.best_weights is not None
    assert report.valid_accuracy == max(row.valid_accuracy for row in rows)


def test_the_rate_runs_through_its_schedule_in_each_stage(
    digits: Data, heads: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    step = torch.optim.SGD.step
    monkeypatch.setattr(
        torch.optim.SGD, "step", lambda self: (rates.append(self.param_groups[0]["lr"]), step(self))[1]
    )
    fit(heads, digits, recipe=replace(RECIPE, optimizer="sgd", schedule="linear", epochs=4, freeze=0.5))
    assert len(rates) == 4 * STEPS and rates[: 2 * STEPS] == pytest.approx(rates[2 * STEPS :])
