"""A Ray cluster of two nodes on this machine, and the processes of a study on it that are killed."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

import psutil

from tests import postgres
from tests.command import Command

HEAD_ADDRESS, NODE_ADDRESS = (
    "127.0.0.2",
    "127.0.0.3",
)  # the head is not asked for 127.0.0.1, which Ray replaces
STORE_BYTES = 80_000_000  # of Ray's object store on each node; Ray takes no less
START_SECONDS = 120.0  # for a node to start, or to end, on a busy machine
END_SECONDS = 180.0  # for the coordinator to notice that its cluster is gone
LOOK_SECONDS = 0.2
ACTOR, NODE = "an actor", "the second node"
HEAD = "the head"
# each with its share of the kills
VICTIMS = {
    ACTOR: 2,
    "the process that trains": 3,
    NODE: 2,
    "the coordinator": 2,
    HEAD: 1,
}
NEED_ACTORS = {ACTOR, "the process that trains", NODE, HEAD}


class Cluster:
    """A head and, where it is asked for, one more node, with so many CPUs each."""

    def __init__(self, cpus: int, has_node: bool) -> None:
        self.shares: Mapping[str, int] = MappingProxyType(VICTIMS)
        self.ends = Counter[str]()  # of coordinators whose head was restarted
        self._folder = Path(tempfile.mkdtemp(prefix="genome-ray-"))  # Ray's names of sockets must be short
        self._cpus = cpus
        self._port = postgres.free_port()
        # the cluster listens to all networks; without a token of its own its answers would depend on ~/.ray
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
        self._head: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[bytes] | None = None
        try:
            self._head = self._started_head()
            self._node = self._started_node() if has_node else None
        except BaseException:
            self.close()
            raise

    @property
    def changes(self) -> Mapping[str, Any]:
        """The keys of the file of a study that runs on the cluster."""
        return {"engine": {"ray": {"address": f"{HEAD_ADDRESS}:{self._port}"}}}

    def processes(self) -> list[psutil.Process]:
        """Return the processes of all nodes."""
        return [one for node in (self._head, self._node) if node for one in _below(node)]

    def await_victim(self, victim: str, command: Command) -> None:
        """Wait until an actor trains, where a part of the cluster is to be killed."""
        until = time.monotonic() + START_SECONDS
        while victim in NEED_ACTORS and command.poll() is None and time.monotonic() < until:
            if any(_trainers(actor) for actor in self._actors()):
                return
            time.sleep(LOOK_SECONDS)

    def kill(self, command: Command, victim: str, rng: Random) -> bool:
        """Kill some processes with -9; return whether there were any. What belongs to the cluster is started again."""
        if victim == NODE:
            assert self._node is not None
            _kill([one for one in _below(self._node) if one.name() == "raylet"])
            _end(self._node)
            self._node = self._started_node()
            return True
        if victim == HEAD:
            self._restart()
            self._await_end(command)
            return True
        actors = self._actors()
        if victim == ACTOR:
            chosen = actors
        elif victim == "the coordinator":
            chosen = [psutil.Process(command.pid)]
        else:
            chosen = [one for actor in actors for one in _trainers(actor)]
        if chosen:
            _kill([rng.choice(chosen)])
        if victim == "the coordinator":
            command.wait()
        return bool(chosen)

    def close(self) -> None:
        for node in (self._node, self._head):
            if node is not None:
                _end(node)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _restart(self) -> None:
        """Kill both nodes, and start a new cluster at the same address."""
        for node in (self._head, self._node):
            if node is not None:
                _end(node)
        self._head = self._started_head()
        self._node = self._started_node()

    def _await_end(self, command: Command) -> None:
        """Wait until the coordinator has noticed that its cluster is gone."""
        try:
            status = command.wait(END_SECONDS)
            self.ends[f"status {status}"] += 1
        except subprocess.TimeoutExpired:
            self.ends["not at all"] += 1
            _kill([psutil.Process(command.pid)])
            command.wait()

    def _actors(self) -> list[psutil.Process]:
        return [one for one in self.processes() if _title(one).startswith("ray::RayActor")]

    def _started_head(self) -> subprocess.Popen[bytes]:
        # a monitor of a cluster of fixed size does nothing but take time
        words = ("--head", "--port", self._port, "--include-dashboard", "false", "--disable-usage-stats")
        return self._started(*words, "--temp-dir", self._folder, "--node-ip-address", HEAD_ADDRESS)

    def _started_node(self) -> subprocess.Popen[bytes]:
        return self._started("--address", f"{HEAD_ADDRESS}:{self._port}", "--node-ip-address", NODE_ADDRESS)

    def _started(self, *words: object) -> subprocess.Popen[bytes]:
        """Start a node, and wait until it has a raylet."""
        everywhere = ("--block", "--num-cpus", self._cpus, "--object-store-memory", STORE_BYTES)
        ports = ("--min-worker-port", 0, "--max-worker-port", 0)  # those of two nodes would collide
        program = Path(sys.executable).with_name("ray")
        line = [str(one) for one in (program, "start", *everywhere, *ports, *words)]
        with (self._folder / "log").open("ab") as log:
            node = subprocess.Popen(line, stdout=log, stderr=log, start_new_session=True)
        try:
            self._await_raylet(node)
        except BaseException:
            _end(node)
            raise
        return node

    def _await_raylet(self, node: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + START_SECONDS
        while not any(one.name() == "raylet" for one in _below(node)):
            assert node.poll() is None and time.monotonic() < until, (self._folder / "log").read_text()[
                -2000:
            ]
            time.sleep(LOOK_SECONDS)


def _below(node: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [one for one in psutil.Process(node.pid).children(recursive=True) if one.is_running()]
    return []


def _end(node: subprocess.Popen[bytes]) -> None:
    """Kill all that is left of a node."""
    with suppress(psutil.NoSuchProcess):
        _kill([psutil.Process(node.pid), *_below(node)])
    node.wait()


def _kill(chosen: Sequence[psutil.Process]) -> None:
    for one in chosen:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def _trainers(actor: psutil.Process) -> list[psutil.Process]:
    """Return the processes below an actor that train: the children of its fork server."""
    try:
        return [two for one in actor.children() for two in one.children()]
    except psutil.Error:
        return []


def _title(process: psutil.Process) -> str:
    try:
        return str((process.cmdline() or [""])[0])
    except psutil.Error:  # it has just ended
        return ""
