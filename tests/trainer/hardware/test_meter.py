"""The meter charges what a training takes of the CPU, not how long its neighbours make it wait."""

import os
import subprocess
import sys
import time

import pytest

from trainer.hardware.clock import LEAST_SHARE, device_seconds
from trainer.hardware.meter import Meter

NEIGHBOURS = 3
WORK = """
import os, sys, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from trainer.hardware.meter import Meter
meter, began = Meter(), time.monotonic()
with meter:
    total = 0
    for number in range(12_000_000):
        total += number
print(meter.seconds, time.monotonic() - began)
"""
NEIGHBOUR = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"


def measured() -> tuple[float, float]:
    """Return the device seconds and the seconds of the clock of some work on one core."""
    out = subprocess.run([sys.executable, "-c", WORK], stdout=subprocess.PIPE, text=True, check=True).stdout
    charged, clock = map(float, out.split())
    return charged, clock


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no process can be bound to a core here")
def test_neighbours_are_not_charged() -> None:
    others = [subprocess.Popen([sys.executable, "-c", NEIGHBOUR]) for _ in range(NEIGHBOURS)]
    try:
        time.sleep(0.3)
        charged, clock = measured()
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert clock > 2 * charged > 0


def test_waiting_is_charged_a_little() -> None:
    meter = Meter()
    with meter:
        time.sleep(0.5)
    assert 0.5 * LEAST_SHARE <= meter.seconds < 0.3


def test_seconds_before_are_kept_and_the_meter_goes_on() -> None:
    meter = Meter(started=2.0)
    meter.add(1.0)
    for _ in range(2):
        before = meter.seconds
        with meter:
            sum(range(100_000))
            assert before < meter.read() == pytest.approx(before, abs=0.5)
            with pytest.raises(RuntimeError, match="the meter runs already"), meter:
                pass
    stopped = meter.seconds
    sum(range(100_000))
    assert meter.seconds == stopped > 3.0
    with pytest.raises(LookupError), meter:
        raise LookupError
    assert meter.seconds > stopped


@pytest.mark.parametrize(
    ("running", "processor", "charged"), [(1.0, 1.0, 1.0), (9.0, 2.0, 2.0), (9.0, 0.0, 0.9)]
)
def test_device_seconds(running: float, processor: float, charged: float) -> None:
    assert device_seconds(running, processor) == pytest.approx(charged)
