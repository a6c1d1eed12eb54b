"""Compare ways of doing the same work on a busy machine: mirrored rounds, medians of ratios, and a control.

A round runs every way once and then once more in the opposite order (A B B A). A machine that slows down steadily
therefore slows all ways by the same factor. The first way runs twice, under two names; the ratio of the two is the
control, which is 1 where nothing but chance makes a difference. The measure is CPU time, with the CPU time of child
processes that have ended; a benchmark about wall time measures wall time.
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
SECONDS = 0.02  # the shortest run; a faster way is called several times in a run
SLOW = 0.5  # a first call that takes longer is enough to warm up
TRUSTED = 0.05  # the largest distance of a trusted control from 1


@dataclass(frozen=True)
class Compared:
    """How many times as long another way takes as ours."""

    ratio: float  # median over the rounds
    low: float  # lower quartile of the ratio
    high: float  # upper quartile of the ratio
    control: float  # ratio of our way against itself
    rounds: int
    ours: float  # median seconds of one call of our way
    theirs: float  # median seconds of one call of the other way
    goal: float | None = None  # least ratio that is wanted; None: the comparison has no goal

    @property
    def verdict(self) -> str:
        """Whether the goal is met; `inconclusive` where the control shows that the machine was too uneven."""
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
    """Return user and system time of this process, all its threads, and its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@dataclass(frozen=True)
class Rounds:
    """Seconds of every way in every round. The first way is ours, and the second is ours again."""

    names: tuple[str, ...]  # of the ways
    rows: tuple[tuple[float, ...], ...]  # seconds of each way, one row a round

    @property
    def control(self) -> float:
        """The ratio of our way against itself."""
        return statistics.median(self._ratios(1, 0))

    def against(self, name: str, base: str | None = None, goal: float | None = None) -> Compared:
        """Return how many times as long a way takes as `base`, or as ours."""
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
        """Return the median seconds of a way."""
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
    """Time our way and the others in mirrored rounds, after one call of each as warm-up.

    The number of rounds is at least `rounds`. It grows to at most `most` (default: three times `rounds`) while the
    control is not trusted.
    """
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
    """Compare our way with each of the others by CPU time."""
    found = measure(ours, others, rounds=rounds)
    return {name: found.against(name, goal=goal) for name in others}


def seconds(way: Way, calls: int = 1, clock: Clock = cpu_seconds) -> float:
    """Return the seconds of one call: the mean of `calls` calls."""
    start = clock()
    for _ in range(calls):
        way()
    return (clock() - start) / calls


def _calls(way: Way, clock: Clock) -> int:
    """Return how many calls fill a run. The first call warms up; a second is timed where the first was short."""
    once = seconds(way, clock=clock)
    if once < SLOW:
        once = seconds(way, clock=clock)
    return 1 + int(SECONDS / max(once, 1e-6))


def _round(ways: Sequence[Way], calls: Sequence[int], clock: Clock) -> tuple[float, ...]:
    """Return the seconds of each way, run in order and then in the opposite order."""
    spent = [0.0] * len(ways)
    there = range(len(ways))
    for i in (*there, *reversed(there)):
        spent[i] += seconds(ways[i], calls[i], clock) / 2
    return tuple(spent)


def training_step(module: nn.Module, *xs: Tensor, bf16: bool = False) -> Callable[[], None]:
    """Return a step: a forward in training mode, and a backward to all weights and inputs with a gradient."""
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
    """Set the number of threads and the seed."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)


def setting(seed: int = 0) -> str:
    """Return the first line of every table: machine, versions, threads, seed."""
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
