"""The clock of a process leaves out what a suspended process misses, and nothing that it computes."""

import os
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import pytest

from trainer.hardware.clock import BUSY_SHARE

START = """
import sys, time
import torch
from trainer.hardware import clock
clock.STILL_SECONDS = 1.5
torch.set_num_threads(1)
before, wall, worked = clock.running_seconds(), time.monotonic(), time.process_time()
print("began", flush=True)
{work}
print(clock.running_seconds() - before, time.monotonic() - wall, time.process_time() - worked)
"""
STOPPED_SECONDS = 4.0


class Seconds(NamedTuple):
    """How long some work took."""

    counted: float  # on our clock
    wall: float
    processor: float


def measured(work: str, stopped_seconds: float = 0.0) -> Seconds:
    """Return the seconds of some work, during which the process is stopped."""
    command = [sys.executable, "-c", START.format(work=work)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if stopped_seconds:
            time.sleep(0.3)
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(stopped_seconds)
            os.kill(process.pid, signal.SIGCONT)
        return Seconds(*map(float, process.stdout.read().split()))


FORK = """
import os
from trainer.hardware import clock
clock.running_seconds()
with clock._CLOCK._lock:  # as the thread does in a tick
    if not os.fork():
        clock.running_seconds()
        os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork")
def test_a_process_that_is_forked_during_a_tick_has_a_clock() -> None:
    with subprocess.Popen([sys.executable, "-c", FORK], start_new_session=True) as process:
        try:
            assert process.wait(30) == 0
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "work",
    ["time.sleep(1)", "[torch.ones(300, 300) @ torch.ones(300, 300) for _ in range(2000)]"],
)
def test_standing_still_is_not_counted(work: str) -> None:
    counted, wall, _ = measured(work, STOPPED_SECONDS)
    assert counted == pytest.approx(wall - STOPPED_SECONDS, abs=0.6)


@pytest.mark.parametrize(
    "work",
    [
        "time.sleep(2.5)",  # as a wait for a device
        "torch.linalg.svd(torch.rand(2200, 2200))",  # one call that takes long, without the lock of the interpreter
        "sum(range(3 * 10**8))",  # one that keeps it
    ],
)
def test_one_call_that_takes_long_is_counted(work: str) -> None:
    counted, wall, processor = measured(work)
    if "sleep" not in work and processor < 2 * BUSY_SHARE * wall:
        pytest.skip("the machine is so busy that a process at work looks like one that is suspended")
    assert wall > 1.5 and counted == pytest.approx(wall, abs=0.5)


def test_a_short_pause_is_counted() -> None:
    counted, wall, _ = measured("time.sleep(1)", 0.8)
    assert counted == pytest.approx(wall, abs=0.4)
