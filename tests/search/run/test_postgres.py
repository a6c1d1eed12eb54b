"""Studies on a real PostgreSQL server: one search, several that share a budget, and a server that goes down."""

import gc
import os
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.errors import StudyError
from search.storage import connect, patience
from search.storage.record import UNFINISHED, Record
from search.storage.study import open_to_read
from tests.command import MAIN, PATIENCE_SECONDS, Command, commands
from tests.postgres import PASSWORD, Server
from tests.search.conftest import Said, study_of
from tests.search.dashboard.kept import add, begin

FEW = {
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "kernel": {"one_of": [1, 3]}, "width": {"one_of": [4, 8]}},
        "out": {"op": "exit", "in": ["stem"]},
    }
}

WAITS = """
import pathlib, time
import search.run.peers
from search.cli import app, progress

def waits(self, *told):
    print("waits", flush=True)
    while not pathlib.Path({go!r}).exists():
        time.sleep(0.05)

progress.Plain.began = waits
search.run.peers.RECOVER_SECONDS = 0.0
app.main()
"""
KILLED = """
import os, signal
from search.cli import app, progress
from search.run.ownership import owner

class Killed(progress.Plain):
    def opened(self, file, store, *told):
        self.store, self.study = store, store.study

    def tick(self, spent):
        for trial in self.study.get_trials(deepcopy=False):
            attrs, is_running = trial.user_attrs, trial.state.name == "RUNNING"
            if is_running and attrs.get("owner") == owner() and self.store.ledger.charges().get((trial.number, None)):
                os.kill(os.getpid(), signal.SIGKILL)

progress.Plain = Killed
app.main()
"""

Started = Callable[..., Command]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """A function that starts `genome search` as on a separate machine: with a study file and a folder of runs."""
    with commands() as launch:

        def start(machine: str, url: str, code: str = MAIN, **changes: Any) -> Command:
            folder = tmp_path / machine
            folder.mkdir(exist_ok=True)
            path = folder / "tiny.yaml"
            path.write_text(yaml.safe_dump(study_of(storage=url, workers=1, **changes), sort_keys=False))
            return launch("search", path, "--runs", folder / "runs", code=code, stderr=None)

        yield start


def records_of(url: str, tmp_path: Path) -> list[Record]:
    return open_to_read("tiny", tmp_path, url).records()


def until_line(process: Command, word: str) -> None:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(word):
            return
    raise AssertionError("".join(said))


def check_whole(records: list[Record]) -> None:
    """Check that no number is missing, no network was trained twice, and each interrupted trial is repeated once."""
    assert [record.number for record in records] == list(range(len(records)))
    trained = Counter(r.digest for r in records if r.outcome in ("done", "cut") and r.reused is None)
    assert max(trained.values()) == 1
    again = [record.retry_of for record in records if record.retry_of is not None]
    assert sorted(again) == [record.number for record in records if record.outcome == "interrupted"]


def test_a_study_from_its_begin_to_its_export(
    postgres: Server, tmp_path: Path, command: Callable[..., Said]
) -> None:
    study, url = tmp_path / "tiny.yaml", postgres.fresh()
    changes = {"budget": {"device_time": "1h"}, "trials": 3, "finale": {"share": 0.2, "top": 2, "seeds": 2}}
    study.write_text(yaml.safe_dump(study_of(storage=url, **changes), sort_keys=False))
    told = [
        command("check", study),
        command("search", study),
        command("search", study),  # nothing is left to do
        command("best", study),
        command("export", f"{study}", "--to", tmp_path / "mine"),
    ]
    for said in told:
        assert said.status == 0, said.err
    assert "the finale is over" in told[1].out and "±" in told[3].out
    assert (tmp_path / "runs/tiny/best/genome.yaml").exists() and (tmp_path / "mine/genome.yaml").exists()
    records = records_of(url, tmp_path)
    assert [record.outcome for record in records] == ["done"] * 3
    finales = [record.finale for record in records if record.finale]
    assert finales and all(len(finale.measured) == 2 for finale in finales)
    assert PASSWORD not in "".join(said.out + said.err for said in told)
    assert not (tmp_path / "runs/tiny/study.db").exists()
    kept = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if PASSWORD.encode() in path.read_bytes()]


def test_what_one_that_is_killed_had_in_hand_another_takes_up(
    postgres: Server, tmp_path: Path, started: Started
) -> None:
    url, go = postgres.fresh(), tmp_path / "go"
    # a trial waits at the rung of its first epoch, so that it is not over when the second coordinator is killed
    study = {"trials": 4, "train": {"epochs": 2, "batch": 256}, "budget": {"rungs": [1]}}
    first = started("first", url, code=WAITS.format(go=str(go)), **study)
    until_line(first, "waits")
    second = started("second", url, code=KILLED, **study)
    said, _ = second.communicate(timeout=PATIENCE_SECONDS)
    assert second.returncode == -signal.SIGKILL, said
    owned = f"{socket.gethostname()}:{second.pid}:"
    trials = open_to_read("tiny", tmp_path, url).study.trials
    theirs = [trial for trial in trials if trial.user_attrs.get("owner", "").startswith(owned)]
    # on a busy machine it had ended others before, too short to be charged by the clock
    (number,) = [trial.number for trial in theirs if trial.state.name == "RUNNING"]
    go.touch()
    said, _ = first.communicate(timeout=PATIENCE_SECONDS)
    assert first.returncode == 0 and "all 4 trials were made" in said, said
    records = records_of(url, tmp_path)
    check_whole(records)
    assert records[number].outcome == "interrupted" and records[number].seconds > 0
    assert sum(record.outcome == "done" for record in records) == 4
    assert not [record for record in records if record.outcome in UNFINISHED]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_two_that_share_a_study_train_nothing_twice(
    postgres: Server, tmp_path: Path, started: Started, sampler: str
) -> None:
    url = postgres.fresh()
    study: dict[str, Any] = {"trials": 9, "sampler": {"name": sampler, "seed": 0}}
    study |= {"train": {"epochs": 6, "batch": 32}, "space": FEW} if sampler == "tpe" else {}
    go = tmp_path / "go"
    both = [started(machine, url, code=WAITS.format(go=str(go)), **study) for machine in ("first", "second")]
    for process in both:
        until_line(process, "waits")
    go.touch()
    for process in both:
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0 and "all 9 trials were made" in said, said
        assert PASSWORD not in said
    records = records_of(url, tmp_path)
    check_whole(records)
    trials = open_to_read("tiny", tmp_path, url).study.trials
    assert len({trial.user_attrs["owner"] for trial in trials}) == 2
    made = [record for record in records if record.outcome == "done"]
    assert {record.outcome for record in records} <= {"done", "waiting", "interrupted"}
    if sampler == "random":
        assert len(made) == 9
    else:  # a trial that is reused at the last moment costs nothing
        assert len(made) in (9, 10)
        assert len({record.digest for record in made}) <= 4 and any(r.reused is not None for r in made)


@pytest.mark.slow
def test_two_that_share_a_purse_spend_it_once(postgres: Server, tmp_path: Path, started: Started) -> None:
    url = postgres.fresh()
    study = {"trials": None, "budget": {"device_time": "24s"}, "train": {"epochs": 100, "batch": 32}}
    both = [started(machine, url, **study, finale="none") for machine in ("first", "second")]
    for process in both:
        process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode in (0, 1), "1 where nothing came to an end"
    records = records_of(url, tmp_path)
    spent = sum(record.seconds for record in records)
    # each coordinator reads the spent time every five seconds, and each alone would have spent the whole budget
    assert 18 < spent < 2 * 24
    assert "running" not in [record.outcome for record in records]


def test_a_server_that_is_restarted_is_waited_for(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", PATIENCE_SECONDS)
    store = begin(tmp_path, url=postgres.fresh())
    add(store)
    postgres.stop()
    later = threading.Timer(1.0, postgres.start)
    later.start()
    assert store.records()[0].outcome == "done"
    later.join()
    store.close()


@pytest.mark.slow
def test_a_server_that_stays_away_ends_a_search_that_can_be_resumed(
    postgres: Server, tmp_path: Path, started: Started
) -> None:
    url = postgres.fresh()
    study = {"trials": 500, "train": {"epochs": 8, "batch": 32}}
    code = f"from search.storage import patience; patience.PATIENCE_SECONDS = 1.0; {MAIN}"
    first = started("first", url, **study, code=code)
    until_line(first, "trial 0")
    postgres.stop()
    try:
        said, _ = first.communicate(timeout=PATIENCE_SECONDS)
        assert first.returncode == 2 and "the storage of study tiny failed" in said.splitlines()[-1]
        assert "Traceback" not in said and PASSWORD not in said
    finally:
        postgres.start()
    before = records_of(url, tmp_path)
    again = started("first", url, **study)
    until_line(again, "trial ")
    os.kill(again.pid, signal.SIGINT)
    said, _ = again.communicate(timeout=PATIENCE_SECONDS)
    assert again.returncode == 130 and "Traceback" not in said
    after = records_of(url, tmp_path)
    assert len(after) > len(before) and after[0] == before[0]
    assert "running" not in [record.outcome for record in after]
    assert max(Counter(r.digest for r in after if r.outcome == "done").values()) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ((PASSWORD, "wrong"), 'password authentication failed for user "keeper"'),
        (("fresh_", "no_such_"), "does not exist"),
        (("127.0.0.1", "nowhere.invalid"), "resolve host"),
        (("postgresql:", "postgres:"), "a study can be stored in sqlite or postgresql"),
    ],
)
def test_a_storage_that_cannot_be_had_is_one_sentence(
    postgres: Server, tmp_path: Path, command: Callable[..., Said], change: tuple[str, str], why: str
) -> None:
    study, url = tmp_path / "tiny.yaml", postgres.fresh().replace(*change)
    study.write_text(yaml.safe_dump(study_of(storage=url), sort_keys=False))
    for verb in ("search", "best"):
        said = command(verb, study)
        assert said.status == 2 and why in said.err and said.err.count("\n") == 1, said.err
        assert PASSWORD not in said.out + said.err and "wrong" not in said.out + said.err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_user_who_may_make_no_tables_is_told_so(postgres: Server, tmp_path: Path) -> None:
    url = postgres.fresh()
    postgres.ask("CREATE ROLE reader LOGIN")
    with pytest.raises(StudyError, match=r"cannot be opened .*permission denied for schema public"):
        begin(tmp_path, url=url.replace(f"keeper:{PASSWORD}", "reader"))
    gc.collect()  # Optuna offers no way to close a connection that it could not use


def test_a_server_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg", reason="psycopg comes with the dev extra")
    monkeypatch.setattr(connect, "CONNECT_SECONDS", 2)  # the shortest timeout that libpq knows
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://keeper:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(StudyError, match=r"cannot be .*\(connection timeout expired\)") as raised:
            open_to_read("tiny", tmp_path, url)
    assert PASSWORD not in str(raised.value)


def test_a_driver_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StudyError, match=r"needs a driver .*pip install 'genome-nas\[postgres\]'"):
        open_to_read("tiny", tmp_path, "postgresql://keeper@127.0.0.1:1/x")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://keeper:{PASSWORD}@host/name",
        f"postgresql://keeper:hun@{PASSWORD}@host/name",
        f"postgresql://host/name?user=keeper&password={PASSWORD}",
        f"postgresql://host/name?user=a@b&password={PASSWORD}",
    ],
)
def test_a_url_is_shown_without_its_password(url: str) -> None:
    shown = connect.without_password(url)
    assert PASSWORD not in shown and shown.startswith("postgresql://")
