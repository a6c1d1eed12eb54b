"""The forms of the pages: each has one address that accepts it, does one thing and redirects to a page.

A running search is only reached through its storage: the search takes networks from the queue there, and looks
there for a stop request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

import genome
from genome import Genome, GenomeError
from genome.yaml.source import SourceError
from search.dashboard.actions.check import check
from search.dashboard.actions.resume import SearchProcesses
from search.dashboard.actions.zoo import ZooFilter
from search.dashboard.pages.trial import trial_of
from search.dashboard.studies.library import Library
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.study_attrs import LONGEST_NOTE, TAG, set_note, set_star, set_tag
from search.dashboard.studies.trial_query import Query, QueryError
from search.dashboard.web import links
from search.dashboard.web.forms import FormError, read_form
from search.errors import StudyError
from search.proposals import enqueue
from search.run.stop import ask_to_stop
from search.space.space import Space
from search.storage.study import open_to_write

LONGEST_GENOME = 100_000  # characters
HAND = "hand"  # origin of a genome that a person wrote
PLACE = re.compile(r"\btext:(?=\d)")
NUMBER = re.compile(r"\d{1,9}", re.ASCII)
Fields = Mapping[str, str]


class Actions:
    """The actions on the studies of a library."""

    def __init__(self, library: Library, token: str) -> None:
        """Prepare the actions; every form must have `token`."""
        self.library, self.token = library, token
        self.searches = SearchProcesses(library.runs, library.url)
        self.zoo = ZooFilter()

    def routes(self) -> list[Route]:
        """Return the routes of the forms; `guard.FORMS` lists their addresses too."""
        return [
            self._route("/stop", (), self.stop),
            self._route("/resume", (), self.resume),
            self._route("/enqueue", ("text", "zoo", "parent"), self.enqueue),
            Route("/study/{name}/check", self.check, methods=["POST"]),
            self._route("/tag", ("picked", "tag", "do", "back"), self.tag),
            self._route("/trial/{number:int}/star", ("starred",), self.star),
            self._route("/trial/{number:int}/note", ("note",), self.note),
        ]

    def values(self, snapshot: Snapshot) -> dict[str, Any]:
        """Return the values that a page needs to offer the actions."""
        return {
            "stopping": snapshot.is_stopping,
            "resume": self.searches.of(snapshot),
            "waiting": snapshot.outcomes.get("waiting", 0),
            "starred": len(snapshot.attrs.stars),
        }

    async def check(self, request: Request) -> Response:
        """Answer what a genome's text comes to; nothing is stored."""
        fields = await read_form(request, self.token, ("text",))
        return JSONResponse(
            await run_in_threadpool(self._checked, request.path_params["name"], fields["text"])
        )

    def _checked(self, name: str, text: str) -> dict[str, Any]:
        snapshot = self.library.snapshot(name)
        return check(snapshot, _space(snapshot), text[:LONGEST_GENOME])

    def stop(self, snapshot: Snapshot, fields: Fields, number: int) -> str | None:
        if not snapshot.is_running:
            raise FormError(f"study {snapshot.name} is not running", 409)
        with self._writing(snapshot) as store:
            ask_to_stop(store)
        return links.study(snapshot.name)

    def resume(self, snapshot: Snapshot, fields: Fields, number: int) -> str | None:
        self.searches.begin(snapshot)
        return links.study(snapshot.name)

    def enqueue(self, snapshot: Snapshot, fields: Fields, number: int) -> str | None:
        given, how = _given(fields)
        parents = _parents(snapshot, fields["parent"])
        space = _space(snapshot)
        recipes = [snapshot.by_number[parent].record.searched for parent in parents]
        made = enqueue.fit(snapshot.config, space, given, *recipes)
        with self._writing(snapshot) as store:
            made_number = enqueue.enqueue(store, space, made, how, parents)
        return links.trial(snapshot.name, made_number)

    def star(self, snapshot: Snapshot, fields: Fields, number: int) -> str | None:
        is_starred = fields["starred"]
        if is_starred not in ("yes", "no"):
            raise FormError("starred must be yes or no")
        with self._writing(snapshot) as store:
            set_star(store, trial_of(snapshot, number).record.number, is_starred == "yes")
        return links.trial(snapshot.name, number)

    def tag(self, snapshot: Snapshot, fields: Fields, number: int) -> str | None:
        """Tag the picked trials, or take the tag away, and return to the table as it was."""
        tag, query = fields["tag"].strip(), _query(fields["back"])
        if not TAG.fullmatch(tag):
            raise FormError(f"the tag is {tag[:40]!r}; it may have up to 30 letters, digits, dots, - and _")
        if fields["do"] not in ("add", "remove"):
            raise FormError("do must be add or remove")
        picked = [trial_of(snapshot, one).record.number for one in _numbers(fields["picked"])]
        with self._writing(snapshot) as store:
            set_tag(store, picked, tag, fields["do"] == "add")
        base = links.study(snapshot.name)
        return base and f"{base}{'?' if query.address else ''}{query.address}#trials"

    def note(self, snapshot: Snapshot, fields: Fields, number: int) -> str | None:
        text = fields["note"].strip()
        if len(text) > LONGEST_NOTE:
            raise FormError(f"a note may have at most {LONGEST_NOTE:,} characters, not {len(text):,}")
        with self._writing(snapshot) as store:
            set_note(store, trial_of(snapshot, number).record.number, text)
        return links.trial(snapshot.name, number)

    def _writing(self, snapshot: Snapshot) -> Any:
        return open_to_write(snapshot.name, self.library.runs, self.library.url)

    def _route(
        self,
        address: str,
        names: Collection[str],
        act: Callable[[Snapshot, Fields, int], str | None],
    ) -> Route:
        async def answer(request: Request) -> Response:
            fields = await read_form(request, self.token, names)
            name, number = request.path_params["name"], request.path_params.get("number", -1)
            back = await run_in_threadpool(self._done, act, name, fields, number)
            return RedirectResponse(back, 303)

        return Route(f"/study/{{name}}{address}", answer, methods=["POST"])

    def _done(
        self, act: Callable[[Snapshot, Fields, int], str | None], name: str, fields: Fields, number: int
    ) -> str:
        """Do the action and return the address of the next page. Raises FormError where the action is impossible."""
        snapshot = self.library.snapshot(name)
        try:
            return act(snapshot, fields, number) or "/"
        except (GenomeError, SourceError) as error:
            raise FormError(f"this is no genome: {PLACE.sub('line ', _one_line(error))}") from None
        except StudyError as error:
            raise FormError(_one_line(error), 409) from None


def _given(fields: Fields) -> tuple[Genome, str]:
    """The genome of a form and its origin: a text, or a network of the zoo."""
    text, name = fields["text"], fields["zoo"]
    if bool(text.strip()) == bool(name):
        raise FormError("give either the text of a genome or the name of a network of the zoo")
    if name:
        if name not in genome.zoo.names():
            raise FormError(f"the zoo has no network {name[:40]!r}")
        return genome.zoo.get(name), f"zoo:{name}"
    if len(text) > LONGEST_GENOME:
        raise FormError(
            f"a genome's text may have at most {LONGEST_GENOME:,} characters, not {len(text):,}", 413
        )
    return genome.loads(text, path="text"), HAND


def _numbers(text: str) -> tuple[int, ...]:
    """The picked trials of a form."""
    picked = Query.parse([("pick", text)]).pick
    if not picked:
        raise FormError("no trial is picked; pick some in the table first")
    return picked


def _query(text: str) -> Query:
    """The parameters of the page to which a form returns."""
    try:
        return Query.parse(parse_qsl(text, max_num_fields=40))
    except QueryError:
        raise
    except ValueError:
        raise FormError("back has too many parameters; it may be those of the study's page") from None


def _space(snapshot: Snapshot) -> Space:
    try:
        return snapshot.config.space
    except (
        ValueError
    ) as error:  # the data set is missing, or an older version with other node types made the study
        raise FormError(f"the study's space cannot be read here: {_one_line(error)}", 409) from None


def _parents(snapshot: Snapshot, text: str) -> tuple[int, ...]:
    if not text:
        return ()
    if not (NUMBER.fullmatch(text) and int(text) in snapshot.by_number):
        raise FormError(f"study {snapshot.name} has no trial {text[:20]!r}")
    return (int(text),)


def _one_line(error: Exception) -> str:
    return "; ".join(" ".join(line.split()) for line in str(error).splitlines())
