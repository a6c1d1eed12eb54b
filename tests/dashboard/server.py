"""A dashboard that was started by the command, on a free port."""

from __future__ import annotations

import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]


class Server:
    """A dashboard that was started by the command, and what it said until its address."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-W", "error", "-m", "search", "dashboard", *words]
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

    def get(self, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        asked = HTTPConnection("127.0.0.1", self.address.port or 0, timeout=30)
        try:
            asked.request("GET", path, headers=headers)
            answer = asked.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, answer.read().decode(), names
        finally:
            asked.close()

    def end(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=30)
        return self.process.returncode, rest
