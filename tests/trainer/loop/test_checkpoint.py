"""A stopped or killed training resumes from its checkpoint with bit-identical results."""

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.trainer.loop.timeless import timeless
from trainer import Checkpoint, CheckpointError, Recipe, Report, Row, fit
from trainer.data.data import Data

Make = Callable[..., nn.Module]
ROOT = Path(__file__).parents[3]
FULL = Recipe(epochs=4, cutout=2, mixup=0.3)


def same(a: Report, b: Report) -> bool:
    """Return whether two trainings gave the same results, clocks apart."""
    for ours, theirs in ((a.last_weights, b.last_weights), (a.best_weights, b.best_weights)):
        assert ours is not None and theirs is not None
        if not all(value.equal(theirs[name]) for name, value in ours.items()):
            return False
    return timeless(a) == timeless(b) and a.best_epoch == b.best_epoch


class After:
    """A request to stop that comes after that many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def __call__(self) -> bool:
        self.steps -= 1
        return self.steps < 0


@pytest.mark.parametrize(
    "recipe",
    [
        FULL,
        replace(FULL, optimizer="adamw", average="ema", ema_decay=0.9),
        replace(FULL, average="lookahead", schedule="cosine", accumulate=2),
        replace(FULL, optimizer="muon"),
        replace(FULL, balance="sampling"),
        replace(FULL, balance="weights"),
    ],
    ids=["sgd", "adamw-ema", "lookahead", "muon", "sampling", "weights"],
)
def test_stopped_anywhere_it_goes_on_to_the_bit(
    digits: Data, net: Make, tmp_path: Path, recipe: Recipe
) -> None:
    whole = fit(net(), digits, recipe=recipe)
    path = tmp_path / "checkpoint"
    told: list[Row] = []
    for steps in (7, 20, 33):  # in the first epoch, at the end of an epoch, in the middle of another
        torch.manual_seed(steps)  # the caller's draws have no effect
        report = fit(net(), digits, recipe=recipe, checkpoint=Checkpoint(path), stop_asked=After(steps))
        assert (report.outcome, report.kind) == ("interrupted", None)
    last = fit(net(), digits, recipe=recipe, checkpoint=Checkpoint(path), on_epoch=told.append)
    assert last.outcome == "done" and same(last, whole)
    assert len(told) < 4  # the earlier epochs were not trained again
    again = fit(net(), digits, recipe=recipe, checkpoint=Checkpoint(path))
    assert same(again, whole) and again.reason == "all epochs were trained"
    assert again.seconds >= last.seconds > report.seconds


def test_seconds_and_parts_are_carried_over(digits: Data, net: Make, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    first = fit(net(), digits, recipe=FULL, checkpoint=Checkpoint(path), stop_asked=After(30))
    second = fit(net(), digits, recipe=FULL, checkpoint=Checkpoint(path))
    assert second.seconds > first.seconds
    assert all(second.parts[part] >= first.parts[part] for part in first.parts)
    assert first.step_seconds is not None and second.step_seconds is not None
    # of all four epochs, and of the finished part of them
    assert 80 * second.step_seconds > 30 * first.step_seconds


CODE = """
import os, signal, sys, torch
from pathlib import Path
sys.path.insert(0, {tests!r})
from conftest import _net
import trainer, trainer.files

torch.set_num_threads(1)
torch.manual_seed(0)
module = _net(12)
recipe = trainer.Recipe(**{recipe!r})
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
after = {after}

def told(row):
    global after
    print(row.epoch, flush=True)
    after -= 1
    if after == 0:  # in the midst of the writing of the next epoch's first step, or here
        if {writes}: os.fsync = kill
        else: kill()

report = trainer.fit(
    module, trainer.load("digits"), recipe=recipe, on_epoch=told,
    checkpoint=trainer.Checkpoint(Path({path!r}), every_seconds=0.0),
)
torch.save(report.last_weights, {out!r})
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_killed_again_and_again_it_comes_out_the_same(digits: Data, net: Make, tmp_path: Path) -> None:
    recipe = Recipe(epochs=12, cutout=2, average="ema", layout="contiguous", precision="fp32")
    out = tmp_path / "weights"
    values: dict[str, Any] = {
        "tests": str(Path(__file__).parents[1]),
        "recipe": recipe.to_dict(),
        "out": str(out),
    }
    values["path"] = str(tmp_path / "checkpoint")

    def epochs_until_killed(after: int, writes: bool = False) -> list[int]:
        code = CODE.format(after=after, writes=writes, **values)
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == (-signal.SIGKILL if after else 0), done.stderr
        return [int(line) for line in done.stdout.split()]

    assert epochs_until_killed(3) == [1, 2, 3]
    assert epochs_until_killed(3, writes=True) == [4, 5, 6], "it went on"
    assert epochs_until_killed(0) == [*range(7, 13)], "and from the checkpoint before the one half written"
    whole = fit(net(), digits, recipe=recipe).last_weights
    killed = torch.load(out, weights_only=True)
    assert whole is not None and all(value.equal(killed[name]) for name, value in whole.items())
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == [
        "checkpoint",
        "weights",
    ]


def test_a_checkpoint_of_something_else_is_refused(digits: Data, net: Make, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    fit(net(), digits, recipe=FULL, checkpoint=Checkpoint(path), stop_asked=After(3))
    with pytest.raises(CheckpointError, match="was made with another recipe; delete it"):
        fit(net(), digits, recipe=replace(FULL, lr=0.2), checkpoint=Checkpoint(path))
    fewer = replace(digits, train=replace(digits.train, x=digits.train.x[:500], y=digits.train.y[:500]))
    with pytest.raises(CheckpointError, match="was made with another data; delete it"):
        fit(net(), fewer, recipe=FULL, checkpoint=Checkpoint(path))
    with pytest.raises(CheckpointError, match="was made with another network; delete it"):
        fit(net(width=8), digits, recipe=FULL, checkpoint=Checkpoint(path))


@pytest.mark.parametrize("at", [0, 5, 100, -1])
def test_a_damaged_file_is_refused(digits: Data, net: Make, tmp_path: Path, at: int) -> None:
    path = tmp_path / "checkpoint"
    fit(net(), digits, recipe=FULL, checkpoint=Checkpoint(path), stop_asked=After(3))
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged, or no checkpoint; delete it to begin afresh"):
        fit(net(), digits, recipe=FULL, checkpoint=Checkpoint(path))
    path.write_bytes(bytes(content[: len(content) // 2]))
    with pytest.raises(CheckpointError, match="is damaged"):
        Checkpoint(path).load()
