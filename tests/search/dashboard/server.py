"""A dashboard started by the command, on a free port."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.command import MAIN, PATIENCE_SECONDS, ROOT


class Server:
    """A dashboard started by the command, and its output up to its address.

    first: code that Python runs before the dashboard.
    """

    def __init__(self, *words: object, first: str = "") -> None:
        code = f"{first}\n{MAIN}"
        command = [sys.executable, "-W", "error", "-c", code, "dashboard", *map(str, words)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        self.said = ""
        while "dashboard: " not in self.said:
            line = self.process.stdout.readline()
            assert line, self.said
            self.said += line
        self.address = urlsplit(self.said.rpartition("dashboard: ")[2].strip())

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.address.port}"

    def get(self, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        """Return status, page and headers. The request repeats while the page says that its study is being read."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while (found := self._get(path, headers))[0] == 202:
            assert time.monotonic() < limit, found[1]
            time.sleep(0.05)
        return found

    def _get(self, path: str, headers: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        asked = HTTPConnection(self.place, timeout=PATIENCE_SECONDS)
        try:
            asked.request("GET", path, headers=headers)
            answer = asked.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, answer.read().decode(), names
        finally:
            asked.close()

    def end(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, rest
