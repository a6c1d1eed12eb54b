"""Other processes that use a study while its runs are killed: they read it, export, mark its trials, stop it."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from search.storage.record import UNFINISHED
from tests.command import Command, commands

ACTS = {"read": 5, "show": 2, "pages": 4, "export": 2, "mark": 4, "stop": 1}  # each with its share
KILLED_SHARE = 0.1  # of the commands are killed at work, and of the dashboards before they are asked
ANSWERED, REFUSED, KILLED, FAILED = "answered", "refused", "killed", "failed"
BETWEEN_STOPS = 10  # trials
PAGES = ("", "/activity.json", "/genes.json", "/trials.json")
PATIENCE_SECONDS = 300.0  # for a command or a page, on a busy machine
STATUSES = (0, 1, 2)  # of a command: done, nothing there yet, refused
TOKEN = re.compile(r'name="token" value="([^"]+)"')


class Seen(NamedTuple):
    """What the readers were told."""

    answers: Mapping[str, int]  # how often each act was answered, refused, killed or failed
    changed: Collection[int]  # the trials that had ended and were later told otherwise
    ended: Mapping[int, object]  # what was told of those that have ended, by number
    marks: Collection[str]  # the attributes of the study that the dashboard confirmed


class Readers:
    """Processes that use a study one after another while the block runs."""

    def __init__(self, study: Path, runs: Path, rng: Random) -> None:
        """study: the file of a study; its runs are in `runs`."""
        self._study, self._runs, self._rng, self._name = study, runs, rng, study.stem
        self._start: Callable[..., Command]
        self._server: tuple[Command, str] | None = None  # and its address
        self._answers, self._changed = Counter[str](), set[int]()
        self._ended: dict[int, object] = {}
        self._marks = list[str]()
        self._next_stop = BETWEEN_STOPS
        self._is_over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._go)

    def __enter__(self) -> Readers:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def seen(self) -> Seen:
        """Return what the readers were told; call it when the block has ended."""
        return Seen(self._answers, self._changed, self._ended, tuple(self._marks))

    def _go(self) -> None:
        try:
            with commands() as self._start:
                while not self._is_over.is_set():
                    act = self._rng.choices(list(ACTS), list(ACTS.values()))[0]
                    how = getattr(self, f"_{act}")()
                    self._answers[f"{act}: {how}"] += 1
        except BaseException as error:
            self._error = error

    def _read(self) -> str:
        how, out = self._command("best", self._study, "--all", "--json")
        if how == ANSWERED:
            for trial in json.loads(out)["trials"]:
                self._compare(trial)
        return how

    def _compare(self, trial: Mapping[str, Any]) -> None:
        if trial["outcome"] not in UNFINISHED:
            number, now = trial["number"], told(trial["outcome"], trial["values"], trial["digest"])
            if self._ended.setdefault(number, now) != now:
                self._changed.add(number)

    def _show(self) -> str:
        return self._command("show", f"{self._study}#{self._number()}")[0]

    def _export(self) -> str:
        to = self._runs.parent / "taken"
        return self._command("export", f"{self._study}#{self._number()}", "--to", to)[0]

    def _stop(self) -> str:
        """Stop the runs of the study, but not so often that none of them gets on."""
        if len(self._ended) < self._next_stop:
            return self._read()
        self._next_stop = len(self._ended) + BETWEEN_STOPS
        return self._command("stop", self._study)[0]

    def _pages(self) -> str:
        if self._server is not None and self._rng.random() < KILLED_SHARE:
            self._server[0].kill()
            self._server[0].wait()
            self._server = None
        return self._asked([f"/study/{self._name}{page}" for page in PAGES])[0]

    def _mark(self) -> str:
        """Tag a trial by the form of the page."""
        number, tag = self._number(), f"seen-{len(self._marks)}"
        how, page = self._asked([f"/study/{self._name}"])
        token = TOKEN.search(page)
        if how != ANSWERED or token is None:
            return REFUSED if how == ANSWERED else how
        form = {"token": token[1], "tag": tag, "picked": number, "do": "add", "back": ""}
        how, _ = self._asked([f"/study/{self._name}/tag"], urlencode(form).encode())
        if how == ANSWERED:
            self._marks.append(f"tag:{number}:{tag}")
        return how

    def _number(self) -> int:
        return self._rng.choice(list(self._ended) or [0])

    def _command(self, *words: object) -> tuple[str, str]:
        """Run a command; return whether it answered, refused, was killed or failed, and what it printed."""
        command = self._start(*words, "--runs", self._runs)
        if self._rng.random() < KILLED_SHARE:
            time.sleep(self._rng.random())
            command.kill()
        out, said = command.communicate(timeout=PATIENCE_SECONDS)
        if command.returncode == -9:
            return KILLED, ""
        if command.returncode not in STATUSES or "Traceback" in said:
            print(f"  genome {' '.join(map(str, words))}: status {command.returncode}\n{said}", flush=True)
            return FAILED, ""
        return (ANSWERED if command.returncode == 0 else REFUSED), out

    def _asked(self, pages: Collection[str], form: bytes | None = None) -> tuple[str, str]:
        """Ask the dashboard for pages; return how it answered, and the last page."""
        address = self._address()
        if address is None:
            return REFUSED, ""
        text = ""
        for page in pages:
            try:
                request = Request(address + page, form, {"origin": address})
                with _OPENER.open(request, timeout=PATIENCE_SECONDS) as answer:
                    text = answer.read().decode()
            except HTTPError as error:
                if error.code == 303:
                    continue
                if error.code == 500:
                    print(f"  {page}: {error.code} {error.read()[:2000]!r}", flush=True)
                return (FAILED if error.code == 500 else REFUSED), ""
            except (URLError, HTTPException, OSError) as error:
                print(f"  {page}: {error}", flush=True)
                return FAILED, ""
        return ANSWERED, text

    def _address(self) -> str | None:
        """Return the address of the dashboard, which is started where it does not run; None while it cannot start."""
        if self._server is None:
            server = self._start("dashboard", self._study, "--port", 0, "--runs", self._runs)
            assert server.stdout is not None
            for line in server.stdout:
                if "dashboard: " in line:
                    address = line.partition("dashboard: ")[2].strip()
                    self._server = server, address.partition("/study/")[0].rstrip("/")
                    return self._server[1]
            with suppress(Exception):
                server.wait(PATIENCE_SECONDS)
            return None
        return self._server[1]


class _NoRedirect(HTTPRedirectHandler):
    """A form that was accepted is answered by a redirection, which is not followed."""

    def redirect_request(self, *given: Any, **named: Any) -> None:
        return None


_OPENER = build_opener(_NoRedirect)


def told(outcome: str, values: Collection[float] | None, digest: str | None) -> object:
    """Return what never changes of a trial that has ended."""
    return outcome, tuple(values or ()), digest
