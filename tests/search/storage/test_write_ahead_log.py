"""The write-ahead log of a run stays where it is, whatever its own process and its readers do meanwhile."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from search.errors import StudyError
from search.proposals.warm_start import stored_genomes
from search.run.ownership import is_running
from search.storage.connect import log_of as log_of_file
from search.storage.connect import sqlite_url
from search.storage.damage import check_whole
from search.storage.sql_reader import open_tables, study_ids
from search.storage.study import Store, claim, open_to_read, open_to_run, open_to_write
from tests.command import ROOT
from tests.search.dashboard.kept import add, begin

# another process, which reads the study once and closes it
READER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT count(*) FROM trials").fetchone()[0])
connection.close()
"""


def write(runs: Path) -> None:
    with open_to_write("tiny", runs) as store:
        store.study.set_user_attr("by hand", 1)


def read_tables(runs: Path) -> None:
    with open_tables(sqlite_url(runs / "tiny" / "study.db"), 1.0) as ask:
        study_ids(ask)


def look_at_the_lock(runs: Path) -> None:
    with closing(open_to_read("tiny", runs)) as store:
        is_running(store)


def check(runs: Path) -> None:
    check_whole(runs / "tiny" / "study.db", "tiny")


def read_trials(runs: Path) -> None:
    open_to_read("tiny", runs).records()


def read_start_genomes(runs: Path) -> None:
    stored_genomes("tiny", runs, None)


BESIDE = [check, read_trials, read_start_genomes, look_at_the_lock, read_tables, write]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The runs of a study that has ended: it has one trial, and no log."""
    store = begin(tmp_path)
    add(store, origin={"by": "random"})
    store.close()
    assert not log_of(tmp_path).exists()
    return tmp_path


def log_of(runs: Path) -> Path:
    return runs / "tiny" / "study.db-wal"


def trials_seen(runs: Path) -> int:
    """Return the number of trials that another process sees, which reads the study and closes it."""
    words = [sys.executable, "-c", READER, runs / "tiny" / "study.db"]
    return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def resumed(runs: Path) -> Store:
    with claim("tiny", runs, None) as claimed:
        return open_to_run(claimed, ["maximize", "minimize"], {})


@pytest.mark.parametrize("was_read_before", [False, True])
@pytest.mark.parametrize("act", BESIDE)
def test_a_run_loses_nothing_to_a_reader(
    runs: Path, act: Callable[[Path], object], was_read_before: bool
) -> None:
    """POSIX drops a lock of SQLite where any descriptor of the file is closed in the process that has the lock."""
    before = open_to_read("tiny", runs) if was_read_before else None
    if before is not None:
        before.records()  # its connection stays open, as until the garbage is collected
    with closing(resumed(runs)) as store:
        act(runs)
        del before
        gc.collect()
        assert trials_seen(runs) == 1
        assert log_of(runs).exists(), "the reader took itself for the last one"
        add(store, origin={"by": "random"})
        assert trials_seen(runs) == 2
        add(store, origin={"by": "random"})
    assert trials_seen(runs) == 3


def test_the_last_one_to_close_a_study_removes_its_log(runs: Path) -> None:
    with closing(resumed(runs)) as store:
        add(store, origin={"by": "random"})
        assert log_of(runs).stat().st_size
    assert not log_of(runs).exists()
    with closing(sqlite3.connect(runs / "tiny" / "study.db")) as connection:
        assert connection.execute("SELECT count(*) FROM trials").fetchone() == (2,)


# a reader as `genome best` is one
OUR_READER = """
import sys
from contextlib import closing
from pathlib import Path
from search.storage.study import open_to_read
with closing(open_to_read("tiny", Path(sys.argv[1]))) as store:
    print(len(store.records()))
"""


def test_a_reader_of_this_project_removes_no_log_even_of_a_run_that_lost_its_locks(runs: Path) -> None:
    """A script that searches may open the file, too, for a copy of it."""
    with closing(resumed(runs)) as store:
        add(store, origin={"by": "random"})
        (runs / "tiny" / "study.db").read_bytes()  # closing the file drops all locks of this process
        words = [sys.executable, "-c", OUR_READER, runs]
        said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert said == "2\n" and log_of(runs).exists()
        add(store, origin={"by": "random"})
    assert trials_seen(runs) == 3


def test_a_study_named_by_links_is_one_study(runs: Path, tmp_path: Path) -> None:
    """The log and the lock stand beside the file itself."""
    other = tmp_path / "other"
    (other / "tiny").mkdir(parents=True)
    (other / "tiny" / "study.db").symlink_to(runs / "tiny" / "study.db")
    with closing(resumed(runs)) as store:
        add(store, origin={"by": "random"})
        link = other / "tiny" / "study.db"
        assert log_of_file(link) == log_of(runs)
        is_one = pytest.raises(StudyError, match="is being run by process")
        with claim("tiny", runs, None), is_one, claim("tiny", other, None):
            pass
