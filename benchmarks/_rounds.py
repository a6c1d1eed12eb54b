"""Comparing ways of doing the same on a busy machine: mirrored rounds, medians of ratios, and a control.

A round runs every way once and then once more in the opposite order (A B B A), so that a machine that slows down
steadily slows all of them alike. One of the ways is the first way again: its ratio is the control, which is 1
where nothing but the code differs. What is compared is CPU time, with that of child processes that have ended, or
wall time where a benchmark is about it.
"""

from __future__ import annotations

import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

Way = Callable[[], object]
Clock = Callable[[], float]

ROUNDS = 7
SECONDS = 0.02  # what one run takes at least: a shorter way is called several times
SLOW = 0.5  # a first call that takes longer is enough to warm up
TRUSTED = 0.05  # how far the control may be from 1


@dataclass(frozen=True)
class Compared:
    """How many times as long another way takes as ours.

    ratio: median over the rounds.  low, high: their quartiles.  control: the same of ours against itself.
    ours, theirs: median seconds of one call.  goal: the least ratio that is wanted, if any.
    """

    ratio: float
    low: float
    high: float
    control: float
    rounds: int
    ours: float
    theirs: float
    goal: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the goal is met; `inconclusive` where the control says that the machine was too uneven."""
        if not trusted(self.control):
            return "inconclusive"
        if self.goal is None:
            return ""
        return "met" if self.ratio >= self.goal else "MISSED"

    def __str__(self) -> str:
        text = f"{self.ratio:7.3f}x ({self.low:.2f}..{self.high:.2f})  control {self.control:.3f}, {self.rounds} rounds"
        aim = f"  goal {self.goal:.2f}x" if self.goal is not None else ""
        return f"{text}{aim}  {self.verdict}".rstrip()


def trusted(control: float) -> bool:
    return abs(control - 1) <= TRUSTED


def cpu_seconds() -> float:
    """User and system time of this process, all its threads, and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@dataclass(frozen=True)
class Rounds:
    """Seconds of every way in every round. The first way is ours, the second ours again."""

    names: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]

    @property
    def control(self) -> float:
        """Ours against itself."""
        return statistics.median(self._ratios(1, 0))

    def against(self, name: str, base: str | None = None, goal: float | None = None) -> Compared:
        """How many times as long a way takes as `base`, or as ours."""
        way, than = self.names.index(name), 0 if base is None else self.names.index(base)
        ratios = self._ratios(way, than)
        low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        return Compared(
            ratio=statistics.median(ratios),
            low=low,
            high=high,
            control=self.control,
            rounds=len(self.rows),
            ours=self.seconds(than),
            theirs=self.seconds(way),
            goal=goal,
        )

    def seconds(self, way: int) -> float:
        """The median of a way."""
        return statistics.median(row[way] for row in self.rows)

    def _ratios(self, way: int, base: int) -> list[float]:
        return [row[way] / row[base] for row in self.rows]


def measure(
    ours: Way,
    others: Mapping[str, Way],
    *,
    rounds: int = ROUNDS,
    most: int | None = None,
    clock: Clock = cpu_seconds,
) -> Rounds:
    """Time ours and the others in mirrored rounds: at least `rounds`, and up to `most` (three times as many)
    while the control is not trusted. Each is called before."""
    once = [_calls(way, clock) for way in (ours, *others.values())]
    ways, calls = [ours, ours, *others.values()], [once[0], *once]
    names = ("ours", "control", *others)
    found = Rounds(names, ())
    most = 3 * rounds if most is None else most
    while len(found.rows) < rounds or (len(found.rows) < most and not trusted(found.control)):
        found = Rounds(names, (*found.rows, _round(ways, calls, clock)))
    return found


def compare(
    ours: Way, others: Mapping[str, Way], goal: float | None = None, *, rounds: int = ROUNDS
) -> dict[str, Compared]:
    """Ours against each of the others, by CPU time."""
    found = measure(ours, others, rounds=rounds)
    return {name: found.against(name, goal=goal) for name in others}


def seconds(way: Way, calls: int = 1, clock: Clock = cpu_seconds) -> float:
    """What one call takes, as the mean of `calls`."""
    start = clock()
    for _ in range(calls):
        way()
    return (clock() - start) / calls


def _calls(way: Way, clock: Clock) -> int:
    """How many calls fill a run. The first call is slow: where it says nothing there is a second."""
    once = seconds(way, clock=clock)
    if once < SLOW:
        once = seconds(way, clock=clock)
    return 1 + int(SECONDS / max(once, 1e-6))


def _round(ways: Sequence[Way], calls: Sequence[int], clock: Clock) -> tuple[float, ...]:
    """Seconds of each way: there and back."""
    spent = [0.0] * len(ways)
    there = range(len(ways))
    for i in (*there, *reversed(there)):
        spent[i] += seconds(ways[i], calls[i], clock) / 2
    return tuple(spent)


def training_step(module: nn.Module, *xs: Tensor, bf16: bool = False) -> Callable[[], None]:
    """A forward in training mode and a backward to all weights, and to the inputs that ask for a gradient."""
    module.train()

    def step() -> None:
        for tensor in (*module.parameters(), *xs):
            tensor.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            out = module(*xs)
        exits = out if isinstance(out, tuple) else (out,)
        torch.stack([one.float().sum() for one in exits]).sum().backward()

    return step


def prepare(threads: int = 1, seed: int = 0) -> None:
    """So many threads, and the same numbers each time."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)


def setting(seed: int = 0) -> str:
    """The line that every table begins with: machine, versions, threads, seed."""
    return (
        f"{_processor()}, {_cores()} cores; Python {platform.python_version()}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} thread(s); seed {seed}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
