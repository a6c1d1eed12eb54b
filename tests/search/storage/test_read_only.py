"""A study in a folder that this process cannot write, such as an archive: all that reads works, and writes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search.storage.connect import sqlite_url
from search.storage.sql_reader import open_tables, study_ids
from tests.search.conftest import Said


@pytest.fixture
def archive(finished: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of a study that cannot be written: by its mode, or for root by a mount."""
    runs = tmp_path / "archive"
    shutil.copytree(finished, runs)
    if os.geteuid():
        (runs / "tiny").chmod(0o555)
        yield runs
        (runs / "tiny").chmod(0o755)
        return
    for words in (["--bind", runs, runs], ["-o", "remount,bind,ro", runs]):
        if shutil.which("mount") is None or subprocess.run(["mount", *words], capture_output=True).returncode:
            pytest.skip("root may write everywhere, and may not mount here")
    yield runs
    subprocess.run(["umount", "-l", runs], check=True)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_study_that_cannot_be_written_is_read(archive: Path, command: Callable[..., Said]) -> None:
    before = files(archive)
    assert command("best", "tiny", "--runs", archive).status == 0
    assert command("show", "tiny#0", "--runs", archive).status == 0
    assert command("export", "tiny", "--to", "mine", "--runs", archive).status == 0
    with open_tables(sqlite_url(archive / "tiny" / "study.db"), 1.0) as ask:  # as the dashboard does
        assert list(study_ids(ask)) == ["tiny"]
    assert files(archive) == before and not [name for name in before if "-wal" in name]
