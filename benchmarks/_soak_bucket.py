"""A study whose artifacts are in a bucket that is cut off, again and again: refused, or silent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks._soak_growing import Ends, Growing
from benchmarks._soak_study import NAME
from search.errors import StudyError
from search.storage.artifacts import Artifacts
from search.storage.record import RESULT
from search.storage.study import open_to_read
from search.storage.trial_files import RemovedWeights
from tests.command import ROOT
from tests.object_store import ENVIRONMENT, ObjectStore
from tests.postgres import free_port

BUCKET = "soak"
BETWEEN_SECONDS = 6.0  # mean, from the end of a cut to the next
REFUSED, SILENT = "refused", "silent"  # what a connection finds in a cut
READ, REMOVED, UNREADABLE = "read", "removed by the rule", "unreadable"
KILLED_SHARE = 0.3  # of the cuts in which the whole group is killed, too
KEEP = {"front": "all", "top": 2, "rest": "none"}
START_SECONDS = 60.0


class Away(NamedTuple):
    """What is left of a study whose bucket was away."""

    # by what a connection found
    cuts: Mapping[str, int]
    # of the cuts, in which the whole group was killed
    killed: int
    # trainings that are recorded as stored, by what reads their weights from the bucket alone
    weights: Mapping[str, int]
    ends: Ends


def cuts(folder: Path, count: int, seconds: float, seed: int) -> Away:
    """Run one study to its end while its bucket is cut off so many times for so long."""
    rng, found, kills = Random(f"bucket/{seed}"), Counter[str](), 0
    with (
        _bucket(folder) as relay,
        closing(Growing(folder, artifacts=f"s3://{BUCKET}/studies", keep=KEEP)) as study,
    ):
        while found.total() < count:
            if study.wait(1 + rng.expovariate(1 / BETWEEN_SECONDS)):
                study.go_on()
                continue
            study.disturb()
            how, is_killed = rng.choice((REFUSED, SILENT)), rng.random() < KILLED_SHARE
            with relay.cut(how):
                if is_killed:
                    _bear(study, seconds * rng.random())
                    study.kill(rng)
                _bear(study, seconds)
            found[how] += 1
            kills += is_killed
        study.finish()
        weights = Counter(_read_all(folder))
        return Away(found, kills, weights, study.ends())


def _bear(study: Growing, seconds: float) -> None:
    """Wait for so long; a command that ends meanwhile is given again."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if study.wait(left):
            study.retry()


def _read_all(folder: Path) -> Iterator[str]:
    """Read the weights of each training that is recorded as stored as a machine does that has no files of the study."""
    elsewhere = folder / "elsewhere"
    with closing(open_to_read(NAME, folder / "runs")) as store:
        assert store.artifacts is not None
        there = replace(store, folder=elsewhere, artifacts=Artifacts(store.artifacts.url, str(elsewhere)))
        stored = [
            one.number for one in store.study.get_trials() if one.user_attrs.get(RESULT, {}).get("files")
        ]
        for record in store.records():
            seeds = (
                [seed for seed, one in record.finale.seeds.items() if one.is_measured]
                if record.finale
                else []
            )
            for seed in [*[None] * (record.number in stored), *seeds]:
                try:
                    there.place(record.number, seed).read((record.digest, record.number))
                except RemovedWeights:
                    yield REMOVED
                except StudyError as error:
                    print(f"  trial {record.number}, seed {seed}: {error}", flush=True)
                    yield UNREADABLE
                else:
                    yield READ


class _Relay:
    """The process that stands between the study and its bucket."""

    def __init__(self, server: int) -> None:
        """server: port of the bucket."""
        self.port = free_port()
        self._words = [sys.executable, "-m", "benchmarks._soak_relay", str(self.port), str(server)]
        self._process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._words, cwd=ROOT)
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                assert time.monotonic() < until, "the relay does not start"
                time.sleep(0.05)

    @contextmanager
    def cut(self, how: str) -> Iterator[None]:
        """Let connections be refused, or get no answer, while the block runs; those that there are end with it."""
        if how == SILENT:
            self._process.send_signal(signal.SIGSTOP)
        else:
            self.close()
        try:
            yield
        finally:
            self.close()
            self.start()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def _bucket(folder: Path) -> Iterator[_Relay]:
    """Start a server of S3 with a bucket, which commands of this process reach by a relay."""
    server = ObjectStore(folder / "s3.log")
    try:
        server.start()
        server.call(BUCKET)
        with closing(_Relay(server.port)) as relay:
            os.environ.update({**ENVIRONMENT, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{relay.port}"})
            yield relay
    finally:
        server.stop()
