"""Artifacts on a real server of S3 and in a folder: whole, checked, waited for, and one sentence for each failure."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from search.errors import StudyError
from search.storage import artifacts as module
from search.storage.artifacts import ArtifactError, Artifacts
from search.storage.place import Place
from search.storage.trial_files import RemovedWeights
from tests.object_store import ENVIRONMENT, SECRET, ObjectStore

REPORT = {"digest": "ab", "number": 3, "seed": 0}
RULE = "keep: {front: all, top: 2, rest: none}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    store = ObjectStore(tmp_path_factory.mktemp("s3") / "log")
    store.start()
    try:
        store.call("bucket")
        yield store
    finally:
        store.stop()


@pytest.fixture
def s3(server: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    _fresh()
    yield "s3://bucket/studies"
    _fresh()


def _fresh() -> None:
    """Forget connections, whose credentials are those of the environment when they were made."""
    module.file_system.cache_clear()
    if "s3fs" in sys.modules:
        sys.modules["s3fs"].S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Place]:
    """A function that gives the place of trial 3 on one of several machines."""
    url = f"file://{tmp_path}/shared" if request.param == "file" else request.getfixturevalue("s3")
    url = f"{url}/{tmp_path.name}"

    def on(machine: str) -> Place:
        folder = tmp_path / machine
        return Place(folder / "trials" / "3", Artifacts(url, str(folder)))

    return on


def test_a_training_is_read_on_another_machine(place: Callable[..., Place]) -> None:
    here, there = place("here"), place("there")
    with pytest.raises(
        StudyError, match=r"report\.json is missing.*, and so is .*://.*/trials/3/report\.json"
    ):
        there.read(("ab", 3))
    sums = here.write("genome: one\n", b"weights", REPORT)
    assert here.is_published() and not there.folder.exists()
    found = there.read(("ab", 3))
    assert (found.text, found.weights, found.report["seed"]) == ("genome: one\n", b"weights", 0)
    assert there.report("ab", 3) and there.report("ab", 4) is None and there.report(None, 3) is None
    with pytest.raises(StudyError, match="of another training"):
        there.read(("ab", 4))
    assert set(sums.values()) < set(there.artifacts.names("trials/3"))  # type: ignore[union-attr]


def test_what_was_changed_is_refused(place: Callable[..., Place]) -> None:
    here, there = place("here"), place("there")
    sums = here.write("genome: one\n", b"weights", REPORT)
    there.artifacts.write(f"trials/3/{sums['weights.safetensors']}", b"weightz")  # type: ignore[union-attr]
    with pytest.raises(StudyError, match=r"weights\.safetensors was changed since it was written \(sha256\)"):
        there.read()
    there.artifacts.remove([f"trials/3/{sums['weights.safetensors']}"])  # type: ignore[union-attr]
    with pytest.raises(StudyError, match=r"the weights\.safetensors of the training, is missing"):
        there.read()
    (here.folder / "weights.safetensors").write_bytes(b"weightz")  # neither is right
    with pytest.raises(StudyError, match="is missing"):
        here.read()


def test_weights_are_removed_everywhere(place: Callable[..., Place]) -> None:
    here, there = place("here"), place("there")
    sums = here.write("genome: one\n", b"weights", REPORT)
    assert here.remove_weights(RULE) == len(b"weights")
    assert sums["weights.safetensors"] not in there.artifacts.names("trials/3")  # type: ignore[union-attr]
    for one in (here, there):
        with pytest.raises(RemovedWeights, match="front: all"):
            one.read(("ab", 3))


def test_a_checkpoint_moves_to_another_machine(place: Callable[..., Place]) -> None:
    from search.workers.checkpoints import checkpoint_at, delete_checkpoint, take_over_checkpoint

    here, there = place("here"), place("there")
    for seconds in (1.0, 2.0):
        checkpoint_at(here, 15.0).save({"seconds": seconds})
    kept = [name for name in there.artifacts.names("trials/3") if name.endswith(".checkpoint")]  # type: ignore[union-attr]
    assert len(kept) == 1
    taken = checkpoint_at(there, 15.0)
    assert take_over_checkpoint(taken, [str(there.folder)], there.artifacts) == 2.0
    taken.save({"seconds": 3.0})
    back = checkpoint_at(here, 15.0)  # its own file has two seconds
    assert take_over_checkpoint(back, [str(here.folder)], here.artifacts) == 3.0
    there.artifacts.write(f"trials/3/{_checkpoint(there)}", b"changed")  # type: ignore[union-attr]
    taken.remove()
    assert take_over_checkpoint(checkpoint_at(there, 15.0), [str(there.folder)], there.artifacts) == 0.0
    delete_checkpoint(here)
    assert not [name for name in there.artifacts.names("trials/3") if "checkpoint" in name]  # type: ignore[union-attr]


def _checkpoint(place: Place) -> str:
    assert place.artifacts is not None
    return next(name for name in place.artifacts.names("trials/3") if name.endswith(".checkpoint"))


def test_a_server_that_is_gone_for_a_while_is_waited_for(
    s3: str, server: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module.S3_CONFIG, "read_timeout", 1)
    _fresh()
    artifacts = Artifacts(f"{s3}/away", "/")
    artifacts.write("one", b"1")
    server.pause()
    timer = threading.Timer(3.0, server.go_on)
    timer.start()
    try:
        artifacts.write("two", b"2")
    finally:
        timer.join()
    assert artifacts.read("two") == b"2" and artifacts.read("three") is None


def test_a_server_that_stays_away_is_a_sentence(
    s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    _fresh()
    artifacts = Artifacts(f"{s3}/gone", str(tmp_path))
    begun = time.monotonic()
    with pytest.raises(ArtifactError, match=r"gone cannot be read \(\w+\); see that its server runs"):
        artifacts.read("one", 1.0)
    assert time.monotonic() - begun < 20
    write = Artifacts.write
    monkeypatch.setattr(Artifacts, "write", lambda self, name, content: write(self, name, content, 0.0))
    here = Place(tmp_path / "trials" / "3", artifacts)
    here.write("genome: one\n", b"weights", REPORT)
    assert "are on this machine only: artifacts s3://" in caplog.text and not here.is_published()
    assert here.read(("ab", 3)).weights == b"weights"


@pytest.mark.parametrize("lacks", ["AWS_ACCESS_KEY_ID", "bucket"])
def test_no_credentials_and_no_bucket(
    s3: str, lacks: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # no profile
    artifacts = Artifacts(f"{s3}/x" if lacks != "bucket" else "s3://none-of-that-name/x", "/")
    monkeypatch.delenv(lacks, raising=False)
    _fresh()
    with pytest.raises(ArtifactError) as told:
        artifacts.write("one", b"1")
    said = "no such bucket or folder" if lacks == "bucket" else "there are no credentials; give them by AWS_"
    assert said in str(told.value) and SECRET not in str(told.value)


def test_wrong_credentials_are_not_repeated(s3: str, server: ObjectStore) -> None:
    code = (
        "from search.storage.artifacts import Artifacts, ArtifactError\n"
        "try: Artifacts('s3://bucket/x', '/').write('one', b'1')\n"
        "except ArtifactError as error: print(error)\n"
    )
    server.call("moto-api/reset-auth", "POST", b"0")
    try:
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    finally:
        server.call("moto-api/reset-auth", "POST", b"1000000")
    assert "no permission; check AWS_ACCESS_KEY_ID" in said.stdout, said.stdout + said.stderr
    assert SECRET not in said.stdout + said.stderr and "AKIAEXAMPLE" not in said.stdout + said.stderr


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    module.file_system.cache_clear()
    for url, extra in (("s3://bucket/x", "s3"), ("gs://bucket/x", "gcs")):
        with pytest.raises(
            ArtifactError, match=rf"needs \w+fs; install it with `pip install 'genome-nas\[{extra}\]'`"
        ):
            Artifacts(url, "/").read("one")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://host/x", "is no place for files"),
        ("bucket/x", "is no place for files"),
        ("s3://key:secret@bucket/x", "holds a key"),
        ("file://nfs/x", "three slashes"),
        ("s3://", "names no bucket"),
    ],
)
def test_wrong_urls(url: str, said: str, written: Callable[..., Path], command: Callable[..., Any]) -> None:
    told = command("check", written(artifacts=url))
    assert told.status == 2 and said in told.err and "tiny.yaml:" in told.err and "secret" not in told.err
