"""The command of a study that is given again and again, with all that it says."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.command import MAIN, Command
from tests.template import Forked

TRACEBACK = b"Traceback (most recent call last)"


class Again:
    """The command of a study, given again and again."""

    def __init__(self, path: Path, folder: Path) -> None:
        """path: the study's file; its runs are in `folder`, and so is the log of all that the command says."""
        self._words = [MAIN, "search", str(path), "--runs", str(folder / "runs")]
        self._place = folder / "log"
        self._log = self._place.open("ab")
        self._begun = list[Command]()
        self._read = 0  # bytes of the log
        self.begin()

    @property
    def now(self) -> Command:
        return self._begun[-1]

    def begin(self) -> None:
        """Give the command again. What its last run left behind goes on beside it, if it does."""
        log = os.dup(self._log.fileno())  # Forked closes it
        self._begun.append(Forked(self._words, stdout=log, stderr=subprocess.STDOUT, text=True))

    def said(self) -> bytes:
        """Return the new output of the command, that since the last call."""
        content = self._place.read_bytes()[self._read :]
        self._read += len(content)
        return content

    def close(self) -> None:
        """Kill all that is left of all runs."""
        for one in self._begun:
            with suppress(ProcessLookupError):
                os.killpg(one.pid, signal.SIGKILL)
            one.wait()
        self._log.close()
