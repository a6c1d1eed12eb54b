"""A coordinator in a network namespace of its own, whose only link to the storage is cut again and again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit, urlunsplit

from benchmarks._soak_kills import Before, Found, judged
from benchmarks._soak_relay import accept
from benchmarks._soak_study import NAME, search_words, written
from search.storage.study import open_to_read

NAMESPACE, OUTER, INNER = "genome-soak", "genome-soak-0", "genome-soak-1"  # INNER is in the namespace
OUTER_ADDRESS, INNER_ADDRESS = "10.213.77.1", "10.213.77.2"
BETWEEN_SECONDS = 6.0  # mean, from the end of a cut to the next
PORT = 5432


class Cut(NamedTuple):
    """What is left of a study after its cuts."""

    cuts: int
    found: Found


def cuts(folder: Path, count: int, seconds: float, seed: int, storage: str) -> Cut:
    """Run one study on two coordinators, one of which is cut from the storage so many times for so long."""
    rng, before, begun = Random(f"cuts/{seed}"), Before(), 0
    budget = {"device_time": f"{2 * count * (seconds + BETWEEN_SECONDS):g}s", "rungs": [1, 3]}
    far_folder = folder / "far"
    far_folder.mkdir()
    with _link(), _relay(urlsplit(storage)) as over_link:
        path = written(folder, storage, budget=budget, workers=1)
        far_path = written(far_folder, over_link, budget=budget, workers=1)
        with _run([], path) as near, _run(["ip", "netns", "exec", NAMESPACE], far_path) as far:
            # a command that cannot open its storage ends with a sentence
            _await_trial(far, far_folder / "log")
            while begun < count and near.poll() is None and far.poll() is None:
                time.sleep(1 + rng.expovariate(1 / BETWEEN_SECONDS))
                _ip("link", "set", OUTER, "down")
                time.sleep(seconds)
                _ip("link", "set", OUTER, "up")
                begun += 1
                before.compare(folder, storage)
            bad_ends = sum(command.wait() != 0 for command in (near, far))
    before.compare(folder, storage)
    with closing(open_to_read(NAME, folder / "runs", storage)) as store:
        found = judged(store.records(), store.spent_seconds(), folder, {}, before, bad_ends)
    return Cut(begun, found)


@contextmanager
def _run(prefix: list[str], path: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = [*prefix, *search_words(path)]
    with (path.parent / "log").open("wb") as log:
        running = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def _await_trial(command: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a command has trained its first network, or has ended."""
    while command.poll() is None and b"trial" not in log.read_bytes():
        time.sleep(0.2)


@contextmanager
def _link() -> Iterator[None]:
    """Make the namespace and its link."""
    if os.geteuid() or not shutil.which("ip"):
        raise SystemExit(
            "the part network needs iproute2 and the user root, who may make a network namespace"
        )
    _ip("netns", "add", NAMESPACE)
    try:
        _ip("link", "add", OUTER, "type", "veth", "peer", "name", INNER, "netns", NAMESPACE)
        _ip("address", "add", f"{OUTER_ADDRESS}/30", "dev", OUTER)
        _ip("-n", NAMESPACE, "address", "add", f"{INNER_ADDRESS}/30", "dev", INNER)
        for end in (INNER, "lo"):
            _ip("-n", NAMESPACE, "link", "set", end, "up")
        _ip("link", "set", OUTER, "up")
        yield
    finally:
        _ip("netns", "delete", NAMESPACE)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextmanager
def _relay(storage: SplitResult) -> Iterator[str]:
    """Pass on what comes over the link to a server that listens on 127.0.0.1 alone; yield the URL over the link."""
    with socket.create_server((OUTER_ADDRESS, 0)) as listening:
        server = (storage.hostname or "127.0.0.1", storage.port or PORT)
        threading.Thread(target=accept, args=(listening, server), daemon=True).start()
        user, at, _ = storage.netloc.rpartition("@")
        yield urlunsplit(storage._replace(netloc=f"{user}{at}{OUTER_ADDRESS}:{listening.getsockname()[1]}"))
