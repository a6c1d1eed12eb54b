"""A relay: passes on what comes to a port to another one. Its process can be killed or frozen in the server's place."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress

CHUNK = 65_536


def accept(listening: socket.socket, server: tuple[str, int]) -> None:
    """Pass on what comes over a listening socket to a server, until the socket is closed."""
    with suppress(OSError):
        while True:
            client, upstream = listening.accept()[0], socket.create_connection(server)
            for source, target in ((client, upstream), (upstream, client)):
                threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while content := source.recv(CHUNK):
            target.sendall(content)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Relay from one port of this machine to another: the arguments of the command."""
    here, there = map(int, sys.argv[1:])
    with socket.create_server(("127.0.0.1", here)) as listening:
        accept(listening, ("127.0.0.1", there))


if __name__ == "__main__":
    main()
