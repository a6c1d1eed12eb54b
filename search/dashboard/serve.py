"""`genome dashboard`: the server that listens on an address and serves the dashboard until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import uvicorn

from search.config.checks import database_url
from search.config.read import read_begun
from search.dashboard import optuna_server
from search.dashboard.app import create_app
from search.dashboard.web import links
from search.dashboard.web.guard import is_loopback
from search.errors import StudyError
from search.results.refs import is_file

BACKLOG = 128  # connections that may wait to be accepted
PATIENCE_SECONDS = 0.15  # after which a page reports that its study is still being read


class Target(NamedTuple):
    """What a dashboard shows."""

    runs: Path  # folder of studies
    url: str | None  # of a shared storage; None shows the studies in `runs`
    page: str  # path of the first page
    study: str | None = None  # name of the study on the first page, where there is one


def target(study: str | None, runs: Path, data_root: str | None = None) -> Target:
    """Return what STUDY names: a study file, the URL of a storage, or a study in `runs`; None shows all in `runs`."""
    if study is None:
        return Target(runs, None, "/")
    if "://" in study:
        return Target(runs, _checked_url(study), "/")
    if is_file(study):
        file = read_begun(study, data_root)
        return Target(runs, file.storage, links.study(file.name) or "/", file.name)
    return Target(runs, None, links.study(study) or "/", study)


def _checked_url(url: str) -> str:
    try:
        return database_url(url)
    except ValueError as error:
        raise StudyError(f"the address of the storage {error}") from None


def serve(what: Target, host: str, port: int, say: Callable[[str], None], with_optuna: bool = False) -> None:
    """Serve a dashboard until a signal stops the process; `say` gets the warning and the address.

    `with_optuna` also starts Optuna's own dashboard, on the next port. Raises StudyError where the address is
    not available or Optuna's dashboard cannot be offered.
    """
    other = None
    if with_optuna:
        optuna_server.check(host)
        other = optuna_server.storage_of(what.runs, what.url, what.page)
    token = None if is_loopback(host) else secrets.token_urlsafe(24)
    app = create_app(what.runs, what.url, host, token, PATIENCE_SECONDS, what.study)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    config.load()  # imports happen now, not in the first request
    with _listening(host, port) as listening, ExitStack() as stack:
        if token:
            say(
                f"warning: anyone who reaches {host} and knows the token below can read and change these studies; "
                "the connection is not encrypted; without --host only this machine has access"
            )
        say(f"dashboard: {address(listening, host)}{what.page}{f'?token={token}' if token else ''}")
        if other:
            port_of_optuna = min(listening.getsockname()[1] + 1, 65535)
            stack.enter_context(optuna_server.child_server(other, host, port_of_optuna))
        uvicorn.Server(config).run([listening])


def address(listening: socket.socket, host: str) -> str:
    """Return the address of a listening socket, without a page."""
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{name}]' if ':' in name else name}:{listening.getsockname()[1]}"


def _listening(host: str, port: int) -> socket.socket:
    """A socket that already accepts connections, so that the printed address answers at once."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise StudyError(
            f"the dashboard cannot listen on {host}, port {port} ({why}); choose another --port, or 0 for any free port"
        ) from None
