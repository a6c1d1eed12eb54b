"""A PostgreSQL server of the tests: a real server on a free port of this machine, which ends with the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

USER, PASSWORD = "keeper", "hunter2"  # the user that must give a password; all other users are trusted
AUTH = """\
host all keeper 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
UNPRIVILEGED = "postgres"  # the user of the server where the tests run as root, which the server refuses
SERVER = "PostgreSQL"
SECONDS = 300  # limit for the start or the end of a server, on the slowest machine


class Missing(Exception):
    """The reason why no server can run here, as a sentence."""


def programs() -> Path:
    """Return the folder of initdb and pg_ctl. Raises Missing."""
    folders = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    if config := shutil.which("pg_config"):
        said = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
        folders.append(Path(said.stdout.strip()))
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    raise Missing(
        "there is no PostgreSQL here: neither initdb nor pg_ctl (Debian, Ubuntu: apt install postgresql)"
    )


class Server(NamedTuple):
    """A running server: its programs, its folder, and its port on 127.0.0.1."""

    programs: Path
    folder: Path
    port: int
    numbers: Iterator[int]

    def url(self, database: str, user: str = USER, password: str = PASSWORD) -> str:
        """Return the URL of a database, in the form of a study's `storage:`."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def fresh(self) -> str:
        """Make an empty database and return its URL."""
        name = f"fresh_{next(self.numbers)}"
        self.ask(f"CREATE DATABASE {name} OWNER {USER}")
        return self.url(name)

    def ask(self, query: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Return the rows of a query that the superuser asks."""
        import psycopg

        place = f"host=127.0.0.1 port={self.port} dbname={database} user={UNPRIVILEGED}"
        with psycopg.connect(place, autocommit=True) as connection:
            asked = connection.execute(query.encode())
            return asked.fetchall() if asked.description else []

    def restart(self) -> None:
        """Restart the server, as an upgrade does: every connection is cut off."""
        self.control("restart", "-m", "fast")

    def stop(self) -> None:
        self.control("stop", "-m", "fast")

    def start(self) -> None:
        self.control("start")

    def control(self, *words: str) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        log = self.folder / "log"
        wait = ("-w", "-t", str(SECONDS))
        run(self.programs / "pg_ctl", *words, *wait, "-D", self.folder, "-l", log, "-o", options)


@contextmanager
def server() -> Iterator[Server]:
    """Run a server while the block runs. Raises Missing."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise Missing("there is no psycopg here; it comes with the dev extra") from None
    found = programs()
    folder = Path(tempfile.mkdtemp(prefix="genome-postgres-"))
    try:
        if os.geteuid() == 0:
            _give_away(folder)
        run(
            found / "initdb",
            "-D",
            folder,
            "-U",
            UNPRIVILEGED,
            "-A",
            "trust",
            "--no-sync",
            "--locale=C",
            "-E",
            "UTF8",
        )
        (folder / "pg_hba.conf").write_text(AUTH)
        made = Server(found, folder, free_port(), count())
        made.start()
        try:
            made.ask(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
            yield made
        finally:
            made.control("stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder)


def run(program: Path, *words: object) -> None:
    """Run a program of PostgreSQL; its output is only shown where the program fails."""
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    with tempfile.TemporaryFile() as said:  # a server that the program leaves behind would hold a pipe open
        done = subprocess.run(
            [program, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd="/",
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
        said.seek(0)
        assert done.returncode == 0, said.read().decode()


def _give_away(folder: Path) -> None:
    try:
        owner = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise Missing(f"PostgreSQL does not run as root, and there is no user {UNPRIVILEGED} here") from None
    os.chown(folder, owner.pw_uid, owner.pw_gid)


def free_port() -> int:
    """Return a port that no other process takes while the server is not running yet, or is down.

    The system gives ports from 32768 on, and gives the same port to the next process that asks. Therefore this function
    takes a port below 32768, and each test process starts at another port.
    """
    for port in range(10_000 + os.getpid() * 20 % 20_000, 32_768):
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Missing("no port is free")
