"""Studies that race: space, data, budget and recipe are the same, and the samplers differ."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import trainer
from search.run.progress import Progress, Silent
from search.storage.record import Record
from search.study import Result, Study
from trainer.recipe.recipe import EARLIER

SPACE = """\
widths: {rule: {one_of: [constant, add, multiply]}, base: {int: [8, 24, 4]}, alpha: {float: [1, 4]}}
nodes:
  stem: {op: conv, in: [image], kernel: {one_of: [3, 5]}, stride: {one_of: [1, 2]}}
  s1:
    op:
      one_of:
        - {op: dense, layers: {int: [2, 4]}, growth: {one_of: [4, 8, 12]}, bottleneck: any}
        - {op: stack, depth: {int: [1, 3]}, body: {op: {one_of: [conv, separable, residual, mlpconv]}}}
        - {op: fractal, columns: {int: [2, 3]}, body: {op: {one_of: [conv, separable]}}}
    in: [stem]
  p1: {op: pool, in: [s1], kind: any}
  s2:
    op: stack
    in: [p1]
    depth: {int: [1, 3]}
    stride: {one_of: [1, 2]}
    body: {op: {one_of: [conv, separable, {op: residual, unit: any, order: any, fit: any}]}}
  join: {op: {one_of: [add, concat, mean]}, in: [s2, (p1)], fit: any}
  (s3): {op: {one_of: [conv, separable, mlpconv]}, in: [join], kernel: {one_of: [1, 3]}}
  out: {op: exit, in: [s3], norm: {one_of: [none, batch]}, pool: {one_of: [average, flatten]}}
"""


def subset(root: str | None, images: int, test: int, to: Path) -> Path:
    """Write the first train and test images of Fashion-MNIST as an archive of images, and return its path."""
    path = to / f"fashion-{images}-{test}.npz"
    if path.exists():
        return path
    whole = trainer.load("fashion-mnist", root)
    x = np.concatenate([np.asarray(whole.train.x), np.asarray(whole.valid.x)])[:images]
    y = np.concatenate([np.asarray(whole.train.y), np.asarray(whole.valid.y)])[:images]
    np.savez(
        path,
        train_x=x,
        train_y=y,
        test_x=np.asarray(whole.test.x)[:test],
        test_y=np.asarray(whole.test.y)[:test],
    )
    return path


def study_of(
    name: str, data: Path, seconds: float, seed: int, epochs: int, *, macs: int = 2_000_000, **more: Any
) -> dict[str, Any]:
    """Return a study in the form of its file. It has one worker, so that the order is the same on every machine."""
    return {
        "study": name,
        "data": {"path": str(data)},
        "budget": {
            "device_time": f"{seconds:g}s",
            "per_trial": "40s",
            "rungs": [-(-epochs // 9), -(-epochs // 3)],
        },
        "limits": {"params": 150_000, "macs": macs},
        "train": {**EARLIER, "epochs": epochs, "batch": 64, "lr": 0.1},  # as the figures in docs/
        "device": "cpu",
        "workers": 1,
        "sampler": {"name": "random", "seed": seed},
        "finale": "none",
        "references": "none",
        "space": yaml.safe_load(SPACE),
        **more,
    }


@dataclass
class Watch(Silent):
    """Records the best validation accuracy by device seconds; stops the study at a target, if one is set."""

    target: float = float("inf")
    # (seconds, accuracy), each pair better than the one before
    best: list[tuple[float, float]] = field(default_factory=list)
    is_reached: bool = False

    def ended(self, record: Record, spent: float) -> None:
        accuracy = (
            record.metrics.get("accuracy", 0.0) if record.outcome == "done" and record.reused is None else 0.0
        )
        if accuracy > max((score for _, score in self.best), default=0.0):
            self.best.append((spent, accuracy))
        if accuracy >= self.target and not self.is_reached:
            self.is_reached = True
            os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C: running trials are stored


def side_by_side(count: int) -> ProcessPoolExecutor:
    """Return that many processes; each process, with all its children, runs on one core of its own.

    A study would otherwise use every core that it finds. The processes are spawned, not forked: a fork of a
    process that has computed with threads waits forever for threads that it does not have.
    """
    context = get_context("spawn")
    cores: SimpleQueue[int] = context.SimpleQueue()
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    for i in range(count):
        cores.put(usable[i % len(usable)])
    return ProcessPoolExecutor(count, mp_context=context, initializer=_pin, initargs=(cores,))


def _pin(cores: SimpleQueue[int]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cores.get()})


def raced(study: dict[str, Any], folder: Path, watch: Progress) -> Result:
    """Run a study in a separate folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{study['study']}.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return Study.load(path, folder / "runs").run(watch)
