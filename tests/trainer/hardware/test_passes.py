"""The seconds of a call, by separated rounds: their median, its interval, and what neighbours do to it."""

import subprocess
import sys
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trainer.hardware.latency import latency, timing
from trainer.hardware.passes import (
    MOST_ROUNDS,
    NOISE,
    ROUND_SECONDS,
    half_width,
    on_the_clock,
    on_the_processor,
    timed,
)
from trainer.system.cpu import pinned, usable_cores


@given(st.lists(st.floats(1e-6, 10), min_size=1, max_size=40), st.floats(0.1, 10))
def test_the_interval_scales_and_knows_no_order(values: list[float], factor: float) -> None:
    found = half_width(values)
    assert 0 <= found <= (max(values) - min(values)) / 2
    assert half_width(values[::-1]) == found
    assert half_width([factor * value for value in values]) == pytest.approx(factor * found, abs=1e-12)


@pytest.mark.parametrize(
    ("count", "out"), [(1, 0), (6, 0), (8, 0), (9, 1), (12, 2), (15, 3), (18, 4), (21, 5)]
)
def test_the_interval_holds_the_median_of_95_in_100_samples(count: int, out: int) -> None:
    """The ranks are those of the tables of the sign test."""
    ranks = [float(rank) for rank in range(count)]
    assert half_width(ranks) == (count - 1 - 2 * out) / 2
    rng = torch.Generator().manual_seed(count)
    samples = torch.rand(4000, count, generator=rng).sort(dim=1).values
    covered = ((samples[:, out] <= 0.5) & (samples[:, count - 1 - out] >= 0.5)).double().mean()
    assert count < 6 or covered > 0.94


def test_a_call_takes_what_it_takes() -> None:
    found = timed(lambda: time.sleep(0.004), on_the_clock)
    assert 0.004 <= found.seconds < 1.0 and found.passes >= 6 * 3
    assert timed(lambda: time.sleep(0.004), on_the_processor).seconds < 0.003


def test_rounds_go_on_until_the_median_is_known() -> None:
    began = time.perf_counter()
    wild = timed(lambda: None, lambda run: time.perf_counter() % 0.2)
    assert wild.noise > NOISE * wild.seconds
    assert time.perf_counter() - began >= MOST_ROUNDS * ROUND_SECONDS
    assert timed(lambda: None, lambda run: 1.0)[:2] == (1.0, 0.0)


def network(width: int) -> nn.Module:
    layers = [nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def test_a_timing_leaves_module_and_threads_as_they_were() -> None:
    module, before = network(4), torch.get_num_threads()
    module.train()
    small, large = timing(module, (1, 8, 8)), timing(network(96), (1, 32, 32))
    assert 0 < small.seconds < large.seconds and module.training and torch.get_num_threads() == before
    assert timing(module, (1, 8, 8), batch=64).seconds > 2 * small.seconds
    assert timing(module, (1, 8, 8), threads=2).seconds > 0 and torch.get_num_threads() == before


def test_a_busy_neighbour_does_not_change_the_processor_seconds() -> None:
    """The clock of the same passes runs on: neighbours have the core about half of the time."""
    module = network(96)
    idle = timing(module, (1, 32, 32)).seconds
    cores = usable_cores()
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * cores)]
    try:
        busy, clock = timing(module, (1, 32, 32)).seconds, latency(module, (1, 32, 32))
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    assert busy < max(1.6 * idle, 0.6 * clock), (idle, busy, clock)


def test_a_pinned_thread_and_what_it_starts_have_the_same_cores() -> None:
    import os

    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system knows no affinity")
    before = os.sched_getaffinity(0)
    asks = [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"]
    with pinned(1) as cores:
        assert os.sched_getaffinity(0) == set(cores) and len(cores) == 1
        assert subprocess.run(asks, capture_output=True, text=True).stdout.strip() == str(list(cores))
    assert os.sched_getaffinity(0) == before
    with pinned(10**4) as cores:
        assert cores == () and os.sched_getaffinity(0) == before
