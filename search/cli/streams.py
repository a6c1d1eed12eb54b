"""The standard streams of the command, also where the caller closed them or they hold few characters."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper

NAMES = ("stdin", "stdout", "stderr")  # by file descriptor


def prepare_streams() -> None:
    """Give the command three streams that accept every text.

    A stream that the caller closed (`genome zoo >&-`) is replaced by the null device, on the stream's own file
    descriptor: the next file that is opened, such as a database, would get it otherwise, and with it the messages that
    libraries print. A character that a stream cannot encode is printed as `?`.
    """
    for descriptor, name in enumerate(NAMES):
        if getattr(sys, name) is None:
            _occupy(descriptor)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  open until the end
        elif isinstance(stream := getattr(sys, name), TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _occupy(descriptor: int) -> None:
    """Open the null device on a file descriptor that nothing uses."""
    with suppress(OSError):
        os.fstat(descriptor)
        return
    null = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which may be this one
    if null == descriptor:
        os.set_inheritable(null, True)
    else:
        os.dup2(null, descriptor)
        os.close(null)
