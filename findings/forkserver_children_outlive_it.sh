#!/usr/bin/env bash
# multiprocessing's fork server is an ordinary member of the process group: a SIGTERM to the group (a batch system, systemd,
# `timeout`) kills it, also where the children ignore SIGTERM. From then on every child that still runs reports
# is_alive() == False and exitcode == 255, so that a parent takes running workers for dead ones. Blocking SIGTERM before the
# fork server starts keeps it alive, but its children inherit the mask, and Process.terminate() then does nothing.
# Source: Lib/multiprocessing/popen_forkserver.py (a closed pipe is read as exit code 255); seen with CPython 3.11.7.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/check.py" <<'PYTHON'
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing import forkserver


def sleep(beat) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        beat.value = time.time()
        time.sleep(0.05)


def wait_for(condition) -> bool:
    limit = time.monotonic() + 10
    while not condition() and time.monotonic() < limit:
        time.sleep(0.05)
    return condition()


if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    beat = context.Value("d", 0.0)
    child = context.Process(target=sleep, args=(beat,), daemon=True)
    child.start()
    assert wait_for(lambda: beat.value > 0), "the child did not start"
    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGTERM)
    wait_for(lambda: not child.is_alive())
    now = time.time()
    still_runs = wait_for(lambda: beat.value > now)
    print(f"Python {sys.version.split()[0]}: alive {child.is_alive()}, exitcode {child.exitcode}, still runs {still_runs}")
    os.kill(child.pid, signal.SIGKILL)
    assert (child.is_alive(), child.exitcode, still_runs) == (False, 255, True)
PYTHON
python3 "$folder/check.py"
