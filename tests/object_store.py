"""A server of S3 (moto's) in a process of its own, which tests start, stop and start again on the same port."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

SECRET = "a-secret-that-no-message-repeats"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class ObjectStore:
    """The server; what it holds is lost when it stops."""

    def __init__(self, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log, self.process = log, None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(words, stdout=out, stderr=out)
        until = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < until and self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)

    def pause(self) -> None:
        """Let the server answer nobody, and keep what it holds."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def call(self, path: str, method: str = "PUT", content: bytes = b"") -> bytes:
        """Send one request, which moto does not check the signature of."""
        request = urllib.request.Request(f"{self.url}/{path}", data=content or None, method=method)
        request.add_header("Content-Type", "text/plain")
        request.add_header(
            "Authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/s3/aws4_request"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def _answers(self) -> bool:
        try:
            self.call("moto-api/", "GET")
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True


def environment(store: ObjectStore) -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT, "AWS_ENDPOINT_URL": store.url}
