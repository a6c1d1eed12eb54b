"""Optuna's own dashboard on a port of its own, as a child process that ends with this one.

It reads and writes the storage as it likes and asks nobody who they are, so it is offered on this machine alone, and
what a page of another origin sends is kept from it. Needs the extra `optuna-dashboard`.
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

from search.dashboard.studies.library import Library
from search.dashboard.web import links
from search.dashboard.web.guard import METHODS, is_from_here, is_loopback, named
from search.errors import StudyError
from search.storage.connect import storage_to_write

LOCK_SECONDS = 10.0
END_SECONDS = 5.0

WsgiApp = Callable[..., Any]


def storage_of(runs: Path, url: str | None, page: str) -> str:
    """Return the URL of the one storage that is shown: that of the page's study, or of the only one. Raises StudyError
    where they are several."""
    if url is not None:
        return url
    names = Library(runs).names()
    shown = [name for name in names if links.study(name) == page] or (names if page == "/" else [])
    if len(shown) != 1:
        known = f" (there are {', '.join(names[:8])})" if names else ""
        raise StudyError(f"--optuna shows the storage of one study; name one that is in {runs}{known}")
    return f"sqlite:///{(runs / shown[0] / 'study.db').absolute()}"


def check(host: str) -> None:
    """Raise StudyError where Optuna's dashboard is not installed, or others than this machine could reach it."""
    if not is_loopback(host):
        raise StudyError(
            f"--optuna is for this machine alone: Optuna's dashboard lets whoever reaches {host} change the study; "
            "leave --host or --optuna out"
        )
    if find_spec("optuna_dashboard") is None:
        raise StudyError(
            "Optuna's dashboard is not installed; install it with `pip install 'genome-nas[optuna-dashboard]'`"
        )


@contextmanager
def beside(url: str, host: str, port: int) -> Iterator[None]:
    """Have Optuna's dashboard of a storage while the block runs; it says its address itself.

    port: where it listens, where that is free; else any other.
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


def guarded(app: WsgiApp, host: str) -> WsgiApp:
    """Return a WSGI application that answers to this machine's names alone, and is sent nothing from elsewhere."""

    def answer(given: dict[str, Any], start: WsgiApp) -> Iterable[bytes]:
        headers = Headers(
            {
                "host": given.get("HTTP_HOST", ""),
                **({"origin": given["HTTP_ORIGIN"]} if "HTTP_ORIGIN" in given else {}),
                **(
                    {"sec-fetch-site": given["HTTP_SEC_FETCH_SITE"]} if "HTTP_SEC_FETCH_SITE" in given else {}
                ),
            }
        )
        is_read = given["REQUEST_METHOD"] in METHODS
        if named(headers) in (host, "localhost", "127.0.0.1", "::1") and (is_read or is_from_here(headers)):
            found: Iterable[bytes] = app(given, start)
            return found
        start("403 Forbidden", [("content-type", "text/plain")])
        return [b"this is taken from a page of this machine alone\n"]

    return answer


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _listening(host: str, port: int, app: WsgiApp) -> WSGIServer:
    try:
        return make_server(host, port, app, _Server, _Quiet)
    except OSError:
        return make_server(host, 0, app, _Server, _Quiet)


def _end_with_parent() -> None:
    """End this process when the one that began it has ended, however: then nobody holds the other end of its input."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def _main(url: str, host: str, port: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent says when
    _end_with_parent()
    import optuna_dashboard

    app = optuna_dashboard.wsgi(storage_to_write(url, LOCK_SECONDS))
    server = _listening(host, port, guarded(app, host))
    print(f"optuna: http://{f'[{host}]' if ':' in host else host}:{server.server_port}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    try:
        _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    except StudyError as error:
        sys.exit(str(error))
