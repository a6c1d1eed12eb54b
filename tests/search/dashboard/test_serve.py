"""The command: a real server on a free port, requests of a real client, an end by Ctrl-C."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from search.dashboard.serve import target
from tests.command import ROOT
from tests.search.dashboard.kept import add, begin
from tests.search.dashboard.server import Server


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    begun: list[Server] = []

    def start(*words: object) -> Server:
        begun.append(Server(*words))
        return begun[-1]

    yield start
    for server in begun:
        server.process.kill()
        server.process.communicate()


def test_the_command_serves_a_study_until_ctrl_c(serve: Callable[..., Server], tmp_path: Path) -> None:
    add(begin(tmp_path))
    server = serve("tiny", "--runs", tmp_path, "--port", 0)
    assert re.fullmatch(r"dashboard: http://127\.0\.0\.1:\d+/study/tiny\n", server.said)
    status, page, headers = server.get("/study/tiny")
    assert status == 200 and "/study/tiny/trial/0" in page
    assert headers["content-security-policy"].startswith("default-src 'none'") and "server" not in headers
    assert server.get("/study/tiny/../../etc/passwd")[0] == 404
    assert server.get("/", Host="evil.example")[0] == 400
    status, rest = server.end()
    assert (status, rest) == (130, "")  # as a shell reports Ctrl-C


def test_a_name_is_decoded_once(serve: Callable[..., Server], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/all.db"
    for name in ("%41", "A"):
        begin(tmp_path, name, url)
    server = serve(url, "--port", 0)
    assert "<h1>%41</h1>" in server.get("/study/" + quote("%41"))[1]
    assert "<h1>A</h1>" in server.get("/study/%41")[1]


def test_elsewhere_it_warns_and_asks_for_a_token(serve: Callable[..., Server], tmp_path: Path) -> None:
    begin(tmp_path)
    server = serve("--runs", tmp_path, "--host", "0.0.0.0", "--port", 0)
    assert server.said.startswith("warning: ")
    token = server.address.query.removeprefix("token=")
    assert len(token) >= 32 and server.get("/")[0] == 403
    status, _, headers = server.get(f"/?token={token}")
    assert (status, headers["location"]) == (303, "/")
    assert server.get("/", Cookie=headers["set-cookie"].partition(";")[0])[0] == 200


def test_a_port_that_is_taken_is_a_sentence(serve: Callable[..., Server], tmp_path: Path) -> None:
    begin(tmp_path)
    port = serve("--runs", tmp_path, "--port", 0).address.port
    command = [sys.executable, "-m", "search", "dashboard", "--runs", str(tmp_path), "--port", str(port)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert re.fullmatch(r"the dashboard cannot listen on 127\.0\.0\.1, port \d+ \(.*\n", done.stderr)


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['starlette'] = None; sys.argv = ['genome', 'dashboard']\n"
    code += "from search.cli.app import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    said = "the dashboard needs starlette; install it with `pip install 'genome-nas[dashboard]'`, in a clone"
    assert done.stderr == f"{said} with `make dashboard`\n"


def test_what_study_may_be(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/all.db"
    file = ROOT / "studies" / "digits.yaml"
    assert target(None, tmp_path) == (tmp_path, None, "/", None)
    assert target("mine", tmp_path) == (tmp_path, None, "/study/mine", "mine")
    assert target(str(file), tmp_path) == (tmp_path, None, "/study/digits", "digits")
    assert target(url, tmp_path) == (tmp_path, url, "/", None)
    stored = tmp_path / "stored.yaml"
    stored.write_text(file.read_text() + f"\nstorage: {url}\n")
    assert target(str(stored), tmp_path) == (tmp_path, url, "/study/digits", "digits")
