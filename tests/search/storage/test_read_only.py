"""A study in a folder that this process cannot write, such as an archive: all that reads works, and writes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from search.errors import StudyError
from search.storage.connect import sqlite_url
from search.storage.sql_reader import open_tables, study_ids
from search.storage.study import claim, open_to_read
from tests.search.conftest import Said
from tests.search.dashboard.kept import add, begin

Archive = Callable[[Path], Path]


@pytest.fixture
def archived(tmp_path: Path) -> Iterator[Archive]:
    """A function that copies runs to a folder that cannot be written: by its mode, or for root by a mount."""
    runs = tmp_path / "archive"

    def archive(made: Path) -> Path:
        shutil.copytree(made, runs)
        if os.geteuid():
            (runs / "tiny").chmod(0o555)
            return runs
        for words in (["--bind", runs, runs], ["-o", "remount,bind,ro", runs]):
            if (
                shutil.which("mount") is None
                or subprocess.run(["mount", *words], capture_output=True).returncode
            ):
                pytest.skip("root may write everywhere, and may not mount here")
        return runs

    yield archive
    if os.geteuid():
        (runs / "tiny").chmod(0o755)
    else:
        subprocess.run(["umount", "-l", runs], check=False)


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The runs of a study as a killed process left them: what it stored last is in the write-ahead log."""
    made, runs = tmp_path / "made", tmp_path / "killed"
    with closing(begin(made)) as store:
        add(store, origin={"by": "random"})
        shutil.copytree(made, runs)
    assert (runs / "tiny" / "study.db-wal").stat().st_size
    return runs


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_study_that_cannot_be_written_is_read(
    archived: Archive, finished: Path, command: Callable[..., Said]
) -> None:
    archive = archived(finished)
    before = files(archive)
    assert command("best", "tiny", "--runs", archive).status == 0
    assert command("show", "tiny#0", "--runs", archive).status == 0
    assert command("export", "tiny", "--to", "mine", "--runs", archive).status == 0
    with open_tables(sqlite_url(archive / "tiny" / "study.db"), 1.0) as ask:  # as the dashboard does
        assert list(study_ids(ask)) == ["tiny"]
    assert files(archive) == before and not [name for name in before if "-wal" in name]


def test_a_study_that_cannot_be_written_is_not_run(archived: Archive, killed: Path) -> None:
    archive = archived(killed)
    said = r"study tiny cannot run in .*/archive/tiny, which this user may only read .*; copy the folder to a place"
    with pytest.raises(StudyError, match=said), claim("tiny", archive, None):
        pass
    said = r"study other cannot run in .*/archive/tiny/other, which this user may only read"
    with pytest.raises(StudyError, match=said), claim("other", archive / "tiny", None):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write every file")
def test_a_file_that_cannot_be_written_is_not_run(killed: Path) -> None:
    (killed / "tiny" / "study.db").chmod(0o444)
    with pytest.raises(StudyError, match="study tiny cannot run in"), claim("tiny", killed, None):
        pass


def test_what_a_killed_run_left_in_its_log_is_read_or_refused(archived: Archive, killed: Path) -> None:
    """SQLite reads a log with its index `-shm`, and makes one where there is none."""
    archive = archived(killed)
    assert trials_of(archive) == 1


def test_a_log_without_its_index_is_never_passed_over(archived: Archive, killed: Path) -> None:
    (killed / "tiny" / "study.db-shm").unlink()
    archive = archived(killed)
    said = "its write-ahead log study.db-wal can be read only in a folder that this user may write; copy the folder"
    with pytest.raises(StudyError, match=said):
        trials_of(archive)
    with pytest.raises(StudyError, match=said), open_tables(sqlite_url(archive / "tiny" / "study.db"), 1.0):
        pass


def test_an_empty_log_without_its_index_is_none(archived: Archive, finished: Path, tmp_path: Path) -> None:
    runs = tmp_path / "copied"
    shutil.copytree(finished, runs)
    (runs / "tiny" / "study.db-wal").touch()
    assert trials_of(archived(runs)) > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_reader_of_another_user_leaves_no_file_that_shuts_the_owner_out(
    finished: Path, tmp_path: Path
) -> None:
    """A folder of a group, in which each member may make files."""
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o055)
    runs = tmp_path / "shared"
    shutil.copytree(finished, runs)
    (runs / "tiny").chmod(0o777)
    before = files(runs)
    child = os.fork()
    if child == 0:
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os._exit(trials_of(runs))
        finally:
            os._exit(255)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert files(runs) == before
    assert status == trials_of(runs)


NOBODY = 65534


def trials_of(runs: Path) -> int:
    """Return the number of trials that a reader sees."""
    with closing(open_to_read("tiny", runs)) as store:
        return len(store.records())
