"""Freed memory that stays for the next step: in a separate process, because the setting cannot be undone."""

import subprocess
import sys

import pytest

CODE = """
import resource, torch
from trainer.hardware.heap import keep_pages

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    x = [torch.ones(10 << 20) for _ in range(3)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(*(faults() for _ in range(3)))
if not keep_pages():
    print("no mallopt")
print(*(faults() for _ in range(20)))
"""
PAGES = (3 * 40 << 20) // 4096


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_after_some_steps_no_page_is_asked_for_again() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    if "no mallopt" in done.stdout:
        pytest.skip("the C library is not glibc")
    given_back, kept = ([int(n) for n in line.split()] for line in done.stdout.splitlines())
    if given_back[-1] < PAGES // 2:
        pytest.skip("the system gives larger pages: there is nothing to gain")
    assert kept[-1] < PAGES // 100
