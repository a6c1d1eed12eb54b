"""A coordinator is its process: a number that the system gave to another process is not taken for it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from search.run.ownership import SILENT_SECONDS, is_gone, owner
from trainer.system.processes import started_at

HERE = socket.gethostname()
LONG_AGO, NOW = 0.0, 1e9


def named(number: int, start: float | None) -> str:
    return f"{HERE}:{number}" + ("" if start is None else f":{start:.2f}")


def test_this_process_is_alive_however_long_it_was_silent() -> None:
    assert not is_gone(owner(), LONG_AGO, NOW)


def test_an_earlier_process_with_the_number_of_this_one_is_gone() -> None:
    assert is_gone(named(os.getpid(), 1e9), NOW, NOW) and is_gone(named(os.getpid(), None), NOW, NOW)


def test_another_process_is_known_by_its_start() -> None:
    parent = os.getppid()
    start = started_at(parent)
    assert start is not None
    assert not is_gone(named(parent, start), LONG_AGO, NOW), "a suspended one is silent and alive"
    assert is_gone(named(parent, start - 3600), LONG_AGO, NOW), "another process has its number"
    assert not is_gone(named(parent, start - 3600), NOW, NOW), "the clock was set"
    assert not is_gone(named(parent, None), LONG_AGO, NOW), "an earlier version stored no start"


def test_what_has_ended_is_gone_also_before_its_parent_took_notice() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = started_at(child.pid)
    assert start is not None and not is_gone(named(child.pid, start), LONG_AGO, NOW)
    child.communicate(b"\n")
    assert is_gone(named(child.pid, start), NOW, NOW)
    child = subprocess.Popen([sys.executable, "-c", ""])
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert started_at(child.pid) is None
    child.wait()


@pytest.mark.parametrize("number", [999_999_999, 10**30])
def test_a_number_that_no_process_has_is_gone(number: int) -> None:
    assert is_gone(named(number, None), NOW, NOW)


def test_on_another_machine_only_the_heartbeat_counts() -> None:
    assert not is_gone("elsewhere:1:2.00", NOW, NOW)
    assert is_gone("elsewhere:1:2.00", NOW - SILENT_SECONDS - 1, NOW)
    assert is_gone(None, None, NOW)
