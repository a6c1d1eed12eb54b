"""Studies on a real Ray cluster of this machine: its workers are killed, and its mistakes are told."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from search.errors import StudyError
from search.run.ownership import owner
from search.run.progress import Silent
from search.storage.trial_files import CHECKPOINT_FILE
from search.study import Result
from search.workers import ray_cluster
from search.workers.messages import Setup
from search.workers.pool import worker_pool
from search.workers.ray_mark import marks, new_mark
from tests.command import PATIENCE_SECONDS, commands, until
from tests.postgres import free_port
from tests.search.conftest import Said, study_of

ray = pytest.importorskip("ray", reason="Ray comes with the ray extra")
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster of this machine, to which the studies of this process connect."""
    with ray_cluster.connected("local"):
        yield


def actors() -> list[psutil.Process]:
    """Return the processes of Ray's actors."""
    return [
        one for one in psutil.Process().children(recursive=True) if _title(one).startswith("ray::RayActor")
    ]


def _title(process: psutil.Process) -> str:
    try:
        return (process.cmdline() or [""])[0]
    except psutil.Error:  # it has just ended
        return ""


class Kills(Silent):
    """Kills a process of the first trial when it has learnt for an epoch: its actor, or the child that trains."""

    def __init__(self, *what: str) -> None:
        self.what = list(what)
        self.lines = list[str]()
        self.epochs = dict[int, list[int]]()

    def said(self, line: str) -> None:
        self.lines.append(line)

    def epoch(self, number: int, row: Any, epochs: int) -> None:
        self.epochs.setdefault(number, []).append(row["epoch"])
        if self.what and row["epoch"] == 1 and number == 0:
            (actor,) = actors()
            trainers = [one for one in actor.children(recursive=True) if not one.children()]
            victims = [actor] if self.what.pop(0) == "actor" else trainers
            for one in victims:
                os.kill(one.pid, signal.SIGKILL)


@pytest.mark.usefixtures("cluster")
def test_a_study_ends_whole_though_its_workers_are_killed(run: Run, tmp_path: Path) -> None:
    kills = Kills("actor")
    changes = {"train": {"epochs": 2, "batch": 256}, "budget": {"rungs": [1]}, "trials": 3, "workers": 1}
    result = run(kills, engine="ray", **changes)
    assert [record.outcome for record in result.records] == ["done"] * 3 and result.exported
    (told,) = [line for line in kills.lines if line.startswith("trial 0: the worker died, ")]
    assert "its process on node" in told and told.endswith("it is trained again")
    assert kills.epochs[0] == [1, 1, 2], "it was killed at its rung, before a checkpoint"
    spent = sum(record.seconds for record in result.records)
    assert result.spent_seconds == pytest.approx(spent) and 0 < spent < 60
    left = [*(tmp_path / "runs").rglob(f"*{CHECKPOINT_FILE}*"), *(tmp_path / "runs").rglob(".cluster*")]
    assert not left and not actors()
    # a study goes from one engine to another
    more = run(**{**changes, "trials": 4})
    assert [record.outcome for record in more.records] == ["done"] * 4
    assert more.records[:3] == result.records


@pytest.mark.usefixtures("cluster")
def test_what_kills_the_process_that_trains_is_told_as_on_one_machine(run: Run) -> None:
    kills = Kills("trainer")
    result = run(
        kills, engine="ray", trials=1, workers=1, train={"epochs": 2, "batch": 256}, budget={"rungs": [1]}
    )
    assert [record.outcome for record in result.records] == ["done"]
    assert (
        "trial 0: the worker died, killed by signal 9, SIGKILL (out of memory?); it is trained again"
        in kills.lines
    )


@pytest.mark.usefixtures("cluster")
def test_a_node_that_does_not_see_the_folder_of_the_study_is_named(tmp_path: Path) -> None:
    from search.workers.ray_engine import Ray

    engine = Ray(1.0, 0.0, tmp_path, 1, "me")
    engine.mark.unlink()
    setup = Setup("digits", None, None, None, "CPU of here", 1)
    said = r"of the coordinator is not on node .* file system that all nodes share"
    with worker_pool([setup], engine) as pool, pytest.raises(StudyError, match=said):
        while True:
            assert pool.wait(1.0) == []


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("engine", "changes", "why"),
    [
        (
            {"ray": {"cpus": 64}},
            {"workers": "auto"},
            "no node of the Ray cluster has room for a worker, which needs 64 CPU",
        ),
        ("ray", {"device": "cuda"}, "device is cuda, and no node of the Ray cluster has a GPU"),
        (
            "ray",
            {"device": "cuda:1"},
            "device is cuda:1, and Ray chooses the GPU; write `device: cuda` or auto",
        ),
    ],
)
def test_what_the_cluster_does_not_have_is_one_sentence(
    run: Run, engine: Any, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(StudyError) as raised:
        run(engine=engine, **changes)
    assert str(raised.value).startswith(why) and "\n" not in str(raised.value)


def test_slots_are_as_many_as_the_nodes_have_room_for() -> None:
    node = {"NodeManagerAddress": "10.0.0.1", "Resources": {"CPU": 4.0, "GPU": 2.0}}
    slots_of = ray_cluster._slots_of
    assert slots_of(node, 1.0, 0.0) == ["CPU of 10.0.0.1"] * 4
    assert slots_of(node, 0.5, 0.0) == ["CPU of 10.0.0.1"] * 4
    assert slots_of(node, 2.0, 0.0) == ["CPU of 10.0.0.1"] * 2
    assert slots_of(node, 1.0, 0.5) == ["GPU 0 of 10.0.0.1", "GPU 1 of 10.0.0.1"] * 2
    assert slots_of(node, 2.0, 0.5) == ["GPU 0 of 10.0.0.1", "GPU 1 of 10.0.0.1"]
    assert ray_cluster._in_turn([["a", "a"], ["b"], []]) == ["a", "b", "a"]


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a study with this engine."""

    def write(engine: Any) -> Path:
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(study_of(engine=engine), sort_keys=False))
        return path

    return write


@pytest.mark.parametrize(
    ("engine", "words", "why"),
    [
        ("slurm", (), "engine is 'slurm'; it may be local, ray, or such as {ray: {gpus: 0.5}}"),
        (
            {"ray": {"address": "no where"}},
            (),
            "is 'no where'; it may be host:port, ray://host:port, auto or local",
        ),
        ({"ray": {"gpus": 2}}, (), "gpus"),
        ("local", ("--address", "auto"), "--address is that of a Ray cluster; add --engine ray"),
        ("local", ("--engine", "slurm"), "--engine is 'slurm'; it may be local or ray"),
        ("ray", ("--address", "x"), "--address is 'x'; it may be host:port"),
    ],
)
def test_a_wrong_engine_is_one_sentence(
    study: Callable[..., Path], command: Callable[..., Said], engine: Any, words: tuple[str, ...], why: str
) -> None:
    said = command("search", study(engine), *words)
    assert said.status == 2 and why in said.err and said.err.count("\n") == 1, said.err


def test_an_address_where_no_ray_is(study: Callable[..., Path], command: Callable[..., Said]) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nothing listens there
        said = command(
            "search", study("local"), "--engine", "ray", "--address", f"127.0.0.1:{held.getsockname()[1]}"
        )
    assert said.status == 2 and said.err.count("\n") == 1
    assert "no Ray cluster answers at 127.0.0.1:" in said.err and "(Connection refused)" in said.err


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a cluster that asks for its token, which this process does not have."""
    port, place = free_port(), tempfile.mkdtemp(prefix="ray-")  # names of sockets must be short
    words = ["--head", "--block", "--port", str(port), "--node-ip-address", "127.0.0.2", "--temp-dir", place]
    words += ["--num-cpus", "1", "--min-worker-port", "0", "--max-worker-port", "0", "--disable-usage-stats"]
    words += ["--include-dashboard", "false", "--object-store-memory", str(ray_cluster.STORE_BYTES)]
    known = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "1" * 64}
    with (tmp_path / "log").open("wb") as log:
        line = [Path(sys.executable).with_name("ray"), "start", *words]
        head = subprocess.Popen(line, env=known, stdout=log, stderr=log, text=True)
    try:
        until(lambda: _answers("127.0.0.2", port), head)
        monkeypatch.setenv("HOME", str(tmp_path))  # without a token
        yield f"127.0.0.2:{port}"
    finally:
        for one in (*psutil.Process(head.pid).children(recursive=True), psutil.Process(head.pid)):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        head.wait()
        shutil.rmtree(place)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port)).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_cluster_that_asks_for_its_token(
    guarded: str, study: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = study("local")
    with commands() as start:
        for mode in ("disabled", "token"):
            monkeypatch.setenv("RAY_AUTH_MODE", mode)
            command = start("search", path, "--engine", "ray", "--address", guarded)
            _, said = command.communicate(timeout=PATIENCE_SECONDS)
            assert command.returncode == 2 and "Traceback" not in said, said
            assert f"the Ray cluster at {guarded} takes nobody who does not show its token; set RAY" in said


def test_ray_that_is_missing_is_named(
    study: Callable[..., Path], command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    said = command("search", study("ray"))
    assert said.status == 2 and said.err.count("\n") == 1
    assert "install it with `pip install 'genome-nas[ray]'`" in said.err


def test_the_mark_of_a_coordinator_that_was_killed_is_removed(run: Run, tmp_path: Path) -> None:
    changes = {"train": {"epochs": 1, "batch": 256}, "budget": None, "workers": 1}
    folder = run(trials=1, **changes).folder
    new_mark(folder, f"{socket.gethostname()}:1:0.00")
    (folder / ".cluster-0123").touch()  # of an earlier version
    assert len(marks(folder)) == 2
    mine = new_mark(folder, owner())  # of another run of this process
    run(trials=2, **changes)
    assert list(marks(folder)) == [mine]
