"""A process that has imported what the command needs, and forks into commands: each starts in 0.1 s and not in 3.

Starting Python and importing torch, in the command and again in its fork server, takes longer than what most tests do
then. A command that is forked is a process of its own all the same: it leads its session, its parent is the one that
asked for it, its fork server and workers are processes below it, and signals reach them as they reach any other.
What is tested of a start itself (streams, imports, other systems) starts Python.
"""

from __future__ import annotations

import atexit
import ctypes
import faulthandler
import gc
import importlib
import json
import os
import pkgutil
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing import util
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[1]
CODE = "import sys; from tests.template import serve; serve(int(sys.argv.pop()))"
SET_PARENT_DEATH_SIGNAL, SET_CHILD_SUBREAPER = 1, 36  # of prctl(2)
STACK = signal.SIGUSR2  # lets a command, its fork server and its workers write where each thread stands
MOST_BYTES = 1 << 18
ASKING = threading.Lock()  # of the threads that ask for a command, each gets its own
# what is for the fork server alone, and what starts threads, which a fork does not have
LEFT_OUT = ("__main__", ".fork_server", ".exits.runner")


class Forked(subprocess.Popen[str]):
    """A command that the template forks into. args: the code, then the words."""

    def _execute_child(  # the names and the order of what Popen hands over
        self,
        args: Sequence[str],
        executable: object,
        preexec_fn: object,
        close_fds: object,
        pass_fds: object,
        cwd: object,
        env: Mapping[str, str] | None,
        startupinfo: object,
        creationflags: object,
        shell: object,
        p2cread: int,
        p2cwrite: int,
        c2pread: int,
        c2pwrite: int,
        errread: int,
        errwrite: int,
        *others: object,
    ) -> None:
        try:
            asked = json.dumps({"args": args, "env": dict(env or os.environ)}).encode()
            assert len(asked) < MOST_BYTES
            with ASKING:
                ours = _template()
                socket.send_fds(ours, [asked], [c2pwrite, errwrite if errwrite != -1 else c2pwrite])
                self.pid = int(ours.recv(32))
            self._child_created = True
        finally:
            for end in {c2pwrite, errwrite} - {-1}:
                os.close(end)


@cache
def _template() -> socket.socket:
    """Start the template of this process. It ends when this process does."""
    # the template's grandchildren become children of this process, which waits for them
    _prctl(SET_CHILD_SUBREAPER, 1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, str(theirs.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    atexit.register(_end, process, ours)
    return ours


def _prctl(option: int, value: int) -> None:
    """Set an attribute of this process. Raises OSError where the system refuses it."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _end(process: subprocess.Popen[bytes], ours: socket.socket) -> None:
    ours.close()
    process.wait()


def serve(number: int) -> None:
    """Fork into a command at each request that comes from a socket."""
    _import_all()
    theirs = socket.socket(fileno=number)
    while True:
        asked, fds, _, _ = socket.recv_fds(theirs, MOST_BYTES, 2)
        if not asked:
            os._exit(0)
        middle = os.fork()
        if middle == 0:
            parent = os.getpid()
            if os.fork():
                os._exit(0)
            while os.getppid() == parent:  # until this is a child of the process that asked
                time.sleep(0.001)
            _run(_begun(theirs, asked, fds))
        for end in fds:
            os.close(end)
        os.waitpid(middle, 0)


def _import_all() -> None:
    """Import what a command imports as it goes on."""
    for name in (
        "alembic.command",
        "optuna.storages._rdb.storage",
        "sklearn.datasets",
        "sqlalchemy.dialects.sqlite",
    ):
        importlib.import_module(name)
    for package in ("genome", "trainer", "search"):
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if not module.name.endswith(LEFT_OUT):
                with suppress(ImportError):  # of an extra that is not installed
                    importlib.import_module(module.name)


def _begun(theirs: socket.socket, asked: bytes, fds: Sequence[int]) -> str:
    """Turn this process into the command that is asked for, and return its code."""
    os.setsid()
    _prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)  # an endless search would outlive tests that are killed
    theirs.send(str(os.getpid()).encode())
    theirs.close()
    for number, end in zip((1, 2), fds, strict=True):
        os.dup2(end, number)
    for end in fds:
        os.close(end)
    faulthandler.register(STACK, file=2)
    given = json.loads(asked)
    os.environ.clear()
    os.environ.update(given["env"])
    code, *words = given["args"]
    sys.argv[:] = ["-c", *words]
    random.seed()
    util.spawnv_passfds = _forked_server  # type: ignore[attr-defined]
    return str(code)


def _run(code: str) -> NoReturn:
    """Run the command and end as Python does, but for the modules, which it would take a second to tear down."""
    status: Any = 0
    try:
        exec(code, vars(sys.modules["__main__"]))
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    if not isinstance(status, int):
        print(status, file=sys.stderr)
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads it
            stream.flush()
    os._exit(status)


_spawned = util.spawnv_passfds  # type: ignore[attr-defined]


def _forked_server(path: Any, args: Sequence[Any], passfds: Sequence[int]) -> int:
    """Fork into the fork server of multiprocessing, instead of starting Python for it: its imports are done."""
    code = os.fsdecode(args[-1])
    if "forkserver" not in code:
        return int(_spawned(path, args, passfds))
    child = os.fork()
    if child:
        return child
    gc.freeze()  # nothing of the command is closed here later, when its descriptor may be another's
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            is_ours = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_ours else signal.SIG_DFL)
    kept = {0, 1, 2, *passfds}
    for end in map(int, os.listdir("/proc/self/fd")):
        if end not in kept:
            with suppress(OSError):  # the listing itself
                os.close(end)
    try:
        exec(code, {"__name__": "__main__"})
    finally:
        os._exit(0)
