"""Measurements of several processes take turns; a process that ends, or cannot write to the cache, holds up none."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainer.hardware import quiet

HOLDER = """
import sys
from trainer.hardware.quiet import quiet
with quiet(1):
    print("measures", flush=True)
    sys.stdin.readline()
"""


def test_processes_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENOME_CACHE", str(tmp_path / "new"))
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"measures\n"
    monkeypatch.setattr(quiet, "PATIENCE_SECONDS", 0.3)
    began = time.monotonic()
    with quiet.quiet(1):  # not for ever
        assert time.monotonic() - began >= 0.3
    holder.kill()
    holder.communicate()
    monkeypatch.setattr(quiet, "PATIENCE_SECONDS", 60.0)
    began = time.monotonic()
    with quiet.quiet(1):
        assert time.monotonic() - began < 30


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GENOME_CACHE", str(tmp_path / "file"))
    with quiet.quiet(1):
        pass
