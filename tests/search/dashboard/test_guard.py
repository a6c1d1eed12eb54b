"""The guard of the dashboard: who may request what, and which headers each answer has."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.dashboard.web.guard import HEADERS, PICTURE_POLICY, POLICY, is_loopback
from tests.search.dashboard.kept import LOCAL, add, begin, client


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that can be read and a study that cannot; the tests write to neither."""
    folder = tmp_path_factory.mktemp("guarded")
    add(begin(folder))
    (folder / "broken").mkdir()
    (folder / "broken" / "study.db").touch()
    return folder


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/", 200),
        ("/.json", 200),
        ("/study/tiny", 200),
        ("/study/tiny.json", 200),
        ("/study/tiny/trial/0", 200),
        ("/study/tiny/trial/0/genome.yaml", 200),
        ("/static/live.js", 200),
        ("/study/tiny?sort=x", 400),
        ("/study/none", 404),
        ("/none", 404),
        ("/study/broken", 503),
        ("/study/broken.json", 503),
    ],
)
def test_every_answer_has_the_headers(runs: Path, address: str, status: int) -> None:
    answer = client(runs).get(address)
    assert answer.status_code == status
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert HEADERS.keys() <= answer.headers.keys()


def test_the_policy_lets_nothing_inline_run(runs: Path) -> None:
    assert "unsafe" not in POLICY and "default-src 'none'" in POLICY
    picture = client(runs).get("/study/tiny/trial/0/picture.svg")
    assert picture.headers["content-security-policy"] == PICTURE_POLICY
    assert "script" not in PICTURE_POLICY and "sandbox" in PICTURE_POLICY


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_it_is_only_read(runs: Path, method: str) -> None:
    for address in ("/", "/study/tiny", "/none"):
        answer = client(runs).request(method, address)
        assert answer.status_code == 405 and answer.headers["allow"] == "GET, HEAD"
        assert answer.headers["content-security-policy"] == POLICY


def test_head_is_answered(runs: Path) -> None:
    assert client(runs).head("/study/tiny").status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:80", "localhost:8080", "LOCALHOST", "[::1]:8080"])
def test_this_machine_may_be_called_so(runs: Path, host: str) -> None:
    assert client(runs).get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8080",
        "192.168.0.5",
        "",
        "[::1",
        "a@[x",
    ],
)
def test_another_name_that_leads_here_is_refused(runs: Path, host: str) -> None:
    answer = client(runs).get("/", headers={"host": host})
    assert answer.status_code == 400 and "tiny" not in answer.text
    assert answer.headers["content-security-policy"] == POLICY


TOKEN = "t" * 32


def test_elsewhere_each_request_needs_the_token(runs: Path) -> None:
    web = client(runs, host="0.0.0.0", token=TOKEN)
    for address in ("/", "/study/tiny.json", "/static/live.js", "/none", "/study/tiny/trial/0/genome.yaml"):
        answer = web.get(address)
        assert answer.status_code == 403 and "tiny" not in answer.text
        assert answer.headers["content-security-policy"] == POLICY
    assert web.get("/", params={"token": TOKEN[:-1]}).status_code == 403
    assert web.get("/", params={"token": "ü"}).status_code == 403
    assert web.get("/", headers={"cookie": "genome=x; " + TOKEN}).status_code == 403


def test_the_token_is_asked_for_once_and_leaves_the_address(runs: Path) -> None:
    web = client(runs, host="0.0.0.0", token=TOKEN)
    answer = web.get("/study/tiny", params={"token": TOKEN, "sort": "number"})
    assert answer.status_code == 303 and answer.headers["location"] == "/study/tiny?sort=number"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie
    assert web.get("/study/tiny").status_code == 200
    other = client(runs, host="0.0.0.0", token="u" * 32)
    other.cookies.update(web.cookies)
    assert other.get("/").status_code == 403


@pytest.mark.parametrize(
    "path", ["//evil.example/", "///evil.example", "/\\evil.example", "/%5cevil.example"]
)
def test_the_welcome_leads_to_this_machine_alone(runs: Path, path: str) -> None:
    web = client(runs, host="0.0.0.0", token=TOKEN)
    location = web.get(LOCAL + path, params={"token": TOKEN}).headers["location"]
    assert location.startswith("/") and not location.startswith(("//", "/\\"))


@pytest.mark.parametrize(
    ("host", "status"), [("192.168.0.5:8080", 200), ("[fe80::1]:80", 200), ("evil.example", 400)]
)
def test_elsewhere_a_number_is_no_name_of_somebody_elses(runs: Path, host: str, status: int) -> None:
    web = client(runs, host="0.0.0.0")
    assert web.get("/", headers={"host": host}).status_code == status


def test_what_is_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.5", "example.org", "")))
