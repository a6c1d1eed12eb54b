"""The peak memory of a trial on the CPU. Each test has a separate process, because a process has one peak."""

import subprocess
import sys

import pytest

MEGA = 1 << 20
START = """
import ctypes, os, torch
from trainer.hardware.peak_memory import Peak
"""


def _printed(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, check=True)
    return done.stdout.split()


linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux starts the peak of a process anew")


@linux
def test_what_was_held_for_a_while_is_seen() -> None:
    code = """
torch.ones(2)
peak = Peak(torch.device("cpu"))
print(peak.bytes)
x = torch.ones(50 << 20)
del x
print(peak.bytes)
"""
    before, after = map(int, _printed(code))
    assert before < 20 * MEGA
    assert after == pytest.approx(200 * MEGA, rel=0.1)


@linux
# the heap returns large blocks to the system at once, and keeps small free ones
@pytest.mark.parametrize("pieces", [1, 200])
def test_what_was_freed_before_is_not_counted_nor_what_takes_its_place_forgotten(pieces: int) -> None:
    code = f"""
x = [torch.ones((50 << 20) // {pieces}) for _ in range({pieces})]
x = x[:-1] and x[-1:]  # the last one keeps the others' room from being cut off
peak = Peak(torch.device("cpu"))
print(peak.bytes)
y = [torch.ones((50 << 20) // {pieces}) for _ in range({pieces})]
print(peak.bytes)
"""
    before, after = map(int, _printed(code))
    assert before < 20 * MEGA
    assert after == pytest.approx(200 * MEGA, rel=0.1)


@linux
def test_what_is_held_at_a_sample_is_seen_where_the_process_may_not_look_at_itself() -> None:
    code = """
if os.geteuid() == 0:
    os.setuid(65534)
PR_SET_DUMPABLE = 4
ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
peak = Peak(torch.device("cpu"))
x = torch.ones(50 << 20)
peak.sample()
del x
print(peak.bytes)
"""
    assert int(_printed(code)[0]) == pytest.approx(200 * MEGA, rel=0.1)
