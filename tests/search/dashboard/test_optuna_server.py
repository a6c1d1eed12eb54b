"""Optuna's own dashboard beside ours: where it may run, what it must not reach, and that it ends with ours."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import optuna
import pytest

from search.dashboard import optuna_mirror
from search.dashboard.optuna_mirror import Mirror
from search.dashboard.optuna_server import guarded, remarks, storage_of, studies_without_parameters
from search.dashboard.studies.library import Library
from search.errors import StudyError
from tests.search.dashboard.kept import add, begin, text_of

ROOT = Path(__file__).parents[3]
IS_THERE = importlib.util.find_spec("optuna_dashboard") is not None


def test_it_shows_one_storage(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="name a study"):
        storage_of(tmp_path, None, "/")
    begin(tmp_path, "one")
    assert storage_of(tmp_path, None, "/") == f"sqlite:///{tmp_path}/one/study.db"
    begin(tmp_path, "two")
    assert storage_of(tmp_path, None, "/study/two") == f"sqlite:///{tmp_path}/two/study.db"
    assert storage_of(tmp_path, "sqlite:///x.db", "/study/two") == "sqlite:///x.db"
    for page in ("/", "/study/three"):
        with pytest.raises(StudyError, match="there are one, two"):
            storage_of(tmp_path, None, page)


def asked(method: str = "GET", host: str = "127.0.0.1:8081", is_copy: bool = False, **headers: str) -> str:
    """Return the answer of a guarded application."""
    said: list[str] = []

    def app(given: dict[str, Any], start: Any) -> Iterable[bytes]:
        start("200 OK", [])
        return [b""]

    given = {"REQUEST_METHOD": method, "HTTP_HOST": host, **{f"HTTP_{k}": v for k, v in headers.items()}}
    list(guarded(app, "127.0.0.1", is_copy)(given, lambda status, _: said.append(status)))
    return said[0][:3]


def test_what_comes_from_elsewhere_is_kept_from_it() -> None:
    assert asked() == asked(host="localhost:8081") == "200"
    assert asked(host="evil.example:8081") == asked(host="") == "403"
    for method in ("POST", "PUT", "DELETE"):
        assert asked(method) == "403"
        assert asked(method, ORIGIN="http://evil.example") == "403"
        assert asked(method, ORIGIN="http://127.0.0.1:8081", SEC_FETCH_SITE="cross-site") == "403"
        assert asked(method, ORIGIN="http://127.0.0.1:8081") == "200"


def refused(*words: str, without: bool = False) -> str:
    hidden = "sys.modules['optuna_dashboard'] = None; " if without else ""
    code = f"import sys; {hidden}sys.argv = ['genome', 'dashboard', *{list(words)!r}]\n"
    code += "from search.cli.app import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    return done.stderr


def test_elsewhere_it_is_not_offered(tmp_path: Path) -> None:
    begin(tmp_path)
    said = refused("--optuna", "--host", "0.0.0.0", "--runs", str(tmp_path))
    assert "--optuna works on localhost only" in said


def test_where_it_is_absent_it_says_what_to_install(tmp_path: Path) -> None:
    begin(tmp_path)
    said = refused("--optuna", "--runs", str(tmp_path), without=True)
    assert "pip install 'genome-nas[optuna-dashboard]'" in said


@pytest.fixture
def both(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    add(begin(tmp_path))
    words = ["dashboard", "--runs", str(tmp_path), "--port", "0", "--optuna"]
    process = subprocess.Popen(
        [sys.executable, "-m", "search", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


def get(place: str, path: str, **headers: str) -> tuple[int, str]:
    connection = HTTPConnection(place, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.skipif(not IS_THERE, reason="needs the extra optuna-dashboard")
def test_both_are_served_and_end_together(both: subprocess.Popen[str]) -> None:
    assert both.stdout is not None
    places = [urlsplit(both.stdout.readline().split()[-1]).netloc for _ in range(2)]
    assert get(places[0], "/")[0] == 200
    status, studies = get(places[1], "/api/studies")
    assert status == 200 and '"tiny"' in studies
    assert get(places[1], "/api/studies", Host="evil.example")[0] == 403
    assert "stores no parameters; this is a read-only copy" in both.stdout.readline()
    both.kill()
    both.wait()
    limit = time.monotonic() + 120
    while True:
        try:
            get(places[1], "/")
        except OSError:
            break
        assert time.monotonic() < limit, f"Optuna's dashboard outlived ours ({os.getpid()})"
        time.sleep(0.1)


SPACE = {
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "kernel": {"one_of": [3, 5]}, "width": {"int": [4, 16]}},
        "out": {"op": "exit", "in": ["stem"]},
    }
}


def test_a_study_without_parameters_is_copied_with_the_answers_of_its_genomes(tmp_path: Path) -> None:
    """Optuna computes an importance from the copy; the study itself is not written to."""
    store = begin(tmp_path, space=SPACE)
    for width in range(4, 12):
        origin = {"by": "evolve", "moves": ["wider stem"]}
        add(store, "done", width / 20, text_of(kernel=3 if width % 2 else 5, width=width), origin)
    add(store, "failed", None, "no genome", reason="the loss is not finite")
    assert studies_without_parameters(storage_of(tmp_path, None, "/")) == ["tiny"]
    mirror = Mirror(Library(tmp_path), "tiny", lambda storage: storage)
    copied = optuna.load_study(study_name="tiny", storage=mirror.app())
    assert [one.number for one in copied.trials] == list(range(9))
    assert [one.values for one in copied.trials] == [one.values for one in store.study.trials]
    names = {name for one in copied.trials[:8] for name in one.params}
    assert any("kernel" in name for name in names) and any("width" in name for name in names)
    assert copied.trials[8].params == {} and copied.trials[8].state.name == "FAIL"
    assert copied.trials[0].user_attrs["moves"] == ["wider stem"]
    with pytest.warns(UserWarning, match="low `target` values"):
        weights = optuna.importance.get_param_importances(copied, target=lambda one: -one.values[0])
    width = next(name for name in names if "width" in name)
    assert max(weights, key=lambda name: weights[name]) == width
    assert all(not one.params for one in store.study.trials)


def test_a_copy_is_renewed_when_its_study_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optuna_mirror, "RENEWED_SECONDS", 0.0)
    store = begin(tmp_path)
    add(store)
    mirror = Mirror(Library(tmp_path), "tiny", lambda storage: storage)
    first = mirror.app()
    assert mirror.app() is first
    add(store)
    assert len(optuna.load_study(study_name="tiny", storage=mirror.app()).trials) == 2


def test_a_study_with_parameters_is_not_copied(tmp_path: Path) -> None:
    store = begin(tmp_path)
    assert studies_without_parameters(storage_of(tmp_path, None, "/")) == [], "there is nothing to copy yet"
    store.study.ask().suggest_int("width", 4, 16)
    assert studies_without_parameters(storage_of(tmp_path, None, "/")) == []
    assert remarks([], False) == [] and "folder of its own" in remarks(["a"], False)[0]


def test_a_copy_takes_no_form() -> None:
    assert asked("POST", is_copy=True, ORIGIN="http://127.0.0.1:8081") == "403"
    assert asked("GET", is_copy=True) == "200"
