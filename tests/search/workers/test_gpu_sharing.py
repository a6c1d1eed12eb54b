"""The number of workers that share a device, and that its seconds are charged once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from search.run.budget import Budget
from search.storage.study import Store
from search.workers import gpu_sharing
from search.workers.gpu_sharing import CONTEXT_BYTES, bytes_per_worker, decide, measured, receive
from search.workers.slots import WorkerDevices, worker_devices
from trainer.hardware.cache import remember

GIB = 2**30


@pytest.mark.parametrize(
    ("free", "each", "rates", "workers"),
    [
        (80 * GIB, 2 * GIB, (100.0, 190.0, 260.0, 300.0), 4),
        (80 * GIB, 2 * GIB, (100.0, 190.0, 280.0, 300.0), 3),  # within 10 % of the best
        (80 * GIB, 2 * GIB, (100.0, 105.0, 108.0, 109.0), 1),  # one worker fills the device
        (80 * GIB, 2 * GIB, (100.0, 150.0, 90.0, 80.0), 2),  # further workers slow each other down
        (5 * GIB, 2 * GIB, (100.0, 190.0, 260.0, 300.0), 2),  # no memory for a third
        (GIB, 2 * GIB, (100.0, 190.0, 260.0, 300.0), 1),
        (80 * GIB, 2 * GIB, (100.0, 190.0), 2),  # more could not be measured
        (80 * GIB, 2 * GIB, (), 1),
    ],
)
def test_the_fewest_workers_that_nearly_reach_the_most(
    free: int, each: int, rates: tuple[float, ...], workers: int
) -> None:
    assert decide(free, each, rates).workers == workers


def test_the_reason_is_what_was_found() -> None:
    assert decide(80 * GIB, GIB, (100.0, 190.0)).why == "1 to 2 at once have a throughput of 1.00, 1.90 here"
    assert decide(GIB, GIB, (100.0, 190.0)).why == "no more have room in its memory"
    assert decide(8 * GIB, GIB, ()).why == "nothing was measured"


def test_a_worker_needs_cuda_the_images_and_its_network() -> None:
    assert bytes_per_worker(80 * GIB, GIB, 2 * GIB) == CONTEXT_BYTES + 3 * GIB
    assert 80 * GIB // bytes_per_worker(80 * GIB, GIB, None) == 4, "by default there is room for four"
    assert 4 * GIB // bytes_per_worker(4 * GIB, GIB, None) == 1, "unless images and CUDA leave next to none"


def test_processes_are_measured_together() -> None:
    rates = measured("cpu", 2, seconds=0.1)
    assert len(rates) == 2 and all(rate > 0 for rate in rates)


def test_a_machine_too_busy_for_a_step_is_given_more_time() -> None:
    from search.workers import gpu_benchmark

    data = gpu_benchmark.images()
    assert (gpu_benchmark.rate(data, "cpu", seconds=1e-6) or 0) > 0


def test_a_process_that_ends_says_nothing() -> None:
    with gpu_sharing.benchmark_processes("cpu", 1) as (pipe,):
        room = receive(pipe)
        assert room.free_bytes > 0 and "torch" in room.machine
        pipe.send("no number of seconds")
        assert receive(pipe) is None


def test_what_was_measured_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_sharing, "MOST", 2)
    first = gpu_sharing.rates("cpu", "this one")
    assert gpu_sharing.rates("cpu", "this one") == first
    with gpu_sharing.benchmark_processes("cpu", 1) as (pipe,):
        machine = receive(pipe).machine
    remember(f"sharing {gpu_sharing.VERSION}, {machine}", [1.0, 5.0])
    found = gpu_sharing.sharing("cpu", 0, 1)
    assert found == (2, "1 to 2 at once have a throughput of 1.00, 5.00 here")


def test_slots_of_a_cpu() -> None:
    import os

    assert worker_devices("cpu", 3, 0, None) == WorkerDevices(("cpu",) * 3, "as asked")
    assert worker_devices("cpu", None, 0, None) == WorkerDevices(
        ("cpu",) * len(os.sched_getaffinity(0)), "one for each core"
    )


@pytest.fixture
def budget_of(tmp_path: Path) -> Callable[..., Any]:
    def make(*devices: str) -> tuple[Budget, Any]:
        study = optuna.create_study()
        return Budget(Store("s", tmp_path, study, shared=False), 12.0, devices), study

    return make


@pytest.mark.parametrize(
    "devices",
    [("cuda:0",) * 3, ("cuda:0", "cuda:1") * 2, ("cuda:0", "cuda:1", "cuda:0"), ("cuda:0",), ("cpu", "cpu")],
)
def test_a_second_of_all_slots_is_a_second_of_each_device(
    budget_of: Callable[..., Any], devices: tuple[str, ...]
) -> None:
    budget, study = budget_of(*devices)
    for device in devices:
        budget.charge((study.ask().number, None), 3.0 * budget.share(device))
    assert budget.spent_seconds() == pytest.approx(3.0 * len(set(devices)))
    assert budget.trial_seconds() == pytest.approx(budget.left_seconds() / len(set(devices)))
