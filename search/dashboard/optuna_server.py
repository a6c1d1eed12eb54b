"""Optuna's own dashboard on its own port, as a child process that ends with this process.

Optuna's dashboard writes to the storage and has no access control. It is therefore offered on loopback only, and
requests that pages of another origin send are refused. Needs the extra `optuna-dashboard`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from starlette.datastructures import Headers

from search.dashboard.optuna_mirror import Mirror
from search.dashboard.studies.library import Library
from search.dashboard.web import links
from search.dashboard.web.guard import LOOPBACK, METHODS, host_name, is_loopback, is_same_origin
from search.errors import StudyError
from search.storage import sql_reader
from search.storage.connect import sqlite_file, sqlite_url, storage_to_write

LOCK_SECONDS = 10.0  # longest wait for a lock of an SQLite storage
END_SECONDS = 5.0  # after which a child process that does not end is killed

COPY = "this is a read-only copy of the study"
ELSEWHERE = "requests are accepted from pages of this machine only"

WsgiApp = Callable[..., Any]


def storage_of(runs: Path, url: str | None, page: str) -> str:
    """Return the URL of the one storage to show: that of the study whose address is `page`, or the only one in `runs`.

    Raises StudyError where `runs` holds several storages.
    """
    if url is not None:
        return url
    names = Library(runs).names()
    chosen = [name for name in names if links.study(name) == page] or (names if page == "/" else [])
    if len(chosen) != 1:
        known = f" (there are {', '.join(names[:8])})" if names else ""
        raise StudyError(f"--optuna shows the storage of one study; name a study in {runs}{known}")
    return sqlite_url((runs / chosen[0] / "study.db").absolute())


def studies_without_parameters(url: str) -> list[str]:
    """Return the studies of a storage that have trials, of which none has a parameter."""
    with sql_reader.open_tables(url, LOCK_SECONDS) as ask:
        return [
            name
            for name, key in sql_reader.study_ids(ask).items()
            if not sql_reader.has_params(ask, key) and sql_reader.count(ask, key)
        ]


def check(host: str) -> None:
    """Raise StudyError where Optuna's dashboard is not installed, or where another machine could reach it."""
    if not is_loopback(host):
        raise StudyError(
            f"--optuna works on localhost only: with --host {host}, Optuna's dashboard would let anyone who reaches it "
            "change the study; leave out --host or --optuna"
        )
    if find_spec("optuna_dashboard") is None:
        raise StudyError(
            "Optuna's dashboard is not installed; install it with `pip install 'genome-nas[optuna-dashboard]'`"
        )


@contextmanager
def child_server(url: str, host: str, port: int) -> Iterator[None]:
    """Run Optuna's dashboard of a storage while the block runs; the child process prints its address.

    The child process listens on `port`, or on any free port where `port` is taken.
    """
    path = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    child = subprocess.Popen(
        [sys.executable, "-m", "search.dashboard.optuna_server", url, host, str(port)],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
    )
    try:
        yield
    finally:
        assert child.stdin is not None
        child.stdin.close()
        try:
            child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def guarded(app: WsgiApp, host: str, is_copy: bool = False) -> WsgiApp:
    """Return a WSGI application that answers to loopback names only and refuses forms of other origins.

    A copy of a study takes no form at all: what is written to it would be lost.
    """

    def answer(environ: dict[str, Any], start: WsgiApp) -> Iterable[bytes]:
        keys = {
            name: f"HTTP_{name.upper().replace('-', '_')}" for name in ("host", "origin", "sec-fetch-site")
        }
        headers = Headers({name: environ[key] for name, key in keys.items() if key in environ})
        is_read = environ["REQUEST_METHOD"] in METHODS
        is_allowed = is_read or (is_same_origin(headers) and not is_copy)
        if host_name(headers) in {host, *LOOPBACK} and is_allowed:
            body: Iterable[bytes] = app(environ, start)
            return body
        start("403 Forbidden", [("content-type", "text/plain")])
        says = COPY if is_copy else ELSEWHERE
        return [f"{says}\n".encode()]

    return answer


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


def _listening(host: str, port: int, app: WsgiApp) -> WSGIServer:
    try:
        return make_server(host, port, app, _Server, _Quiet)
    except OSError:
        return make_server(host, 0, app, _Server, _Quiet)


def _end_with_parent() -> None:
    """End this process when its parent ends for any reason: the end of the parent closes the input of this process."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def _copied(url: str, bare: list[str]) -> Mirror | None:
    """Return the copy of the only study of a file of its own in a folder of runs, where that has no parameters."""
    import optuna_dashboard

    file = sqlite_file(url)
    if file is None or len(bare) != 1 or file.name != "study.db" or file.parent.name != bare[0]:
        return None
    mirror = Mirror(Library(file.parent.parent), bare[0], optuna_dashboard.wsgi)
    mirror.app()  # an error is told now
    return mirror


def remarks(bare: list[str], is_copied: bool) -> list[str]:
    """Return what a person should know of studies without parameters."""
    if is_copied:
        return [
            f"optuna: the sampler of study {bare[0]} stores no parameters; this is a read-only copy of the study, in "
            "which each genome's answers to the holes of the space are its parameters"
        ]
    return [
        f"optuna: the sampler of study {name} stores no parameters, so there is no importance or slice of it; "
        f"in a folder of its own it would be shown as a copy that has them"
        for name in bare
    ]


def _main(url: str, host: str, port: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes; the parent ends this one
    _end_with_parent()
    import optuna
    import optuna_dashboard

    optuna.logging.set_verbosity(optuna.logging.WARNING)  # each copy would be reported as a new study
    bare = studies_without_parameters(url)
    copied = _copied(url, bare)
    app = copied or optuna_dashboard.wsgi(storage_to_write(url, LOCK_SECONDS))
    server = _listening(host, port, guarded(app, host, is_copy=copied is not None))
    print(f"optuna: http://{f'[{host}]' if ':' in host else host}:{server.server_port}/", flush=True)
    for line in remarks(bare, copied is not None):
        print(line, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    try:
        _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    except StudyError as error:
        sys.exit(str(error))
