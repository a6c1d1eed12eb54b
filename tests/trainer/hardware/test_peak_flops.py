"""The peak FLOP/s of a device: measured once, then cached; probes that count their operations."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from trainer.hardware.cache import machine, recall, remember
from trainer.hardware.peak_flops import (
    CPU_CONVS,
    CUDA_CONVS,
    VERSION,
    Conv,
    Precision,
    device_peak_flops,
    fastest,
)

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def nothing_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENOME_CACHE", str(tmp_path))


@pytest.mark.parametrize("precision", get_args(Precision))
def test_it_is_measured_once_and_leaves_torch_as_it_was(precision: Precision) -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    found = device_peak_flops(CPU, precision)
    assert 1e7 < found < 1e15
    assert torch.get_rng_state().equal(state)
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()
    assert recall(f"ceiling {VERSION}, {machine(CPU)}, {precision}") == found
    assert device_peak_flops(CPU, precision) == found  # two measurements are never equal


def test_another_process_takes_what_is_remembered() -> None:
    remember(f"ceiling {VERSION}, {machine(CPU)}, fp32", 12345.5)
    code = "import torch; from trainer.hardware.peak_flops import device_peak_flops as peak;"
    code += "print(peak(torch.device('cpu'), 'fp32'))"
    environ = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) == 12345.5


def test_a_value_that_is_no_rate_is_measured_again() -> None:
    key = f"ceiling {VERSION}, {machine(CPU)}, fp32"
    remember(key, "fast")
    assert device_peak_flops(CPU, "fp32") == recall(key) > 1e7


def test_a_probe_that_takes_long_runs_twice() -> None:
    seconds = [0.15, 0.1]
    assert fastest(lambda: time.sleep(seconds.pop(0)), CPU) >= 0.1
    assert not seconds


@pytest.mark.parametrize("conv", [*CPU_CONVS, *CUDA_CONVS])
def test_a_probe_counts_its_operations(conv: Conv) -> None:
    x = torch.empty(conv.images, conv.channels, conv.side, conv.side, device="meta")
    weight = torch.empty(conv.channels, conv.channels, 3, 3, device="meta")
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.conv2d(x, weight, padding=1)
    assert counter.get_total_flops() == conv.flops
