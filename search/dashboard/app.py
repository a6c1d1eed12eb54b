"""The application: which address shows what. Every page has a twin of the same values, with `.json` behind it."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from search.dashboard.actions.actions import Actions
from search.dashboard.gene_analysis.analysis import GeneAnalysis
from search.dashboard.genomes.picture import drawing
from search.dashboard.genomes.unfolding import parse_open
from search.dashboard.pages.compare import compare, compared, difference_picture, pair
from search.dashboard.pages.downloads import opened, pieces, size_of
from search.dashboard.pages.genes import learned
from search.dashboard.pages.studies import studies
from search.dashboard.pages.study import PARTS, against, part, study
from search.dashboard.pages.trial import found, trial
from search.dashboard.plots.study_plots import PLOTS
from search.dashboard.studies.library import Library, NotFound, StillReading
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import Query, QueryError, merged
from search.dashboard.templates import Templates
from search.dashboard.web import links
from search.dashboard.web.assets import assets
from search.dashboard.web.forms import FormError
from search.dashboard.web.guard import PICTURE_POLICY, Guard
from search.dashboard.web.json_values import plain
from search.errors import StudyError

TWIN = ".json"
LEARNED = ("learned", "genes")  # parts that are worked out in the background
BYTES = "application/octet-stream"
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
NO_PAGE = "there is no such page"


def create_app(
    runs: Path,
    url: str | None = None,
    host: str = "127.0.0.1",
    token: str | None = None,
    patience: float | None = None,
    first: str | None = None,
) -> Guard:
    """Return the dashboard of a folder of runs, or of a storage, as an ASGI application.

    host: where it will listen, which says by what names it may be called.  token: asked of every request.  patience:
    seconds after which a page says that its study is still being read; None never says so.  first: a study whose
    page is made once before anyone asks for it.
    """
    pages = Pages(Library(runs, url), patience)
    if first is not None:
        Thread(target=pages.prepare, args=(first,), daemon=True).start()
    routes = [
        Route("/", pages.studies),
        Route(f"/{TWIN}", pages.studies),
        Route("/study/{name}", pages.study),
        Route("/study/{name}/genes", pages.genes),
        Route(f"/study/{{name}}/genes{TWIN}", pages.genes),
        Route("/study/{name}/part/{part}", pages.part),
        Route("/study/{name}/plot/{plot}.json", pages.plot),
        Route("/study/{name}/compare", pages.compare),
        Route(f"/study/{{name}}/compare{TWIN}", pages.compare),
        Route("/study/{name}/compare/{numbers}/{side}/picture.svg", pages.difference),
        *pages.actions.routes(),
        Route("/study/{name}/trial/{number}", pages.trial),
        Route("/study/{name}/trial/{number}/genome.yaml", pages.genome),
        Route("/study/{name}/trial/{number}/picture.svg", pages.picture),
        Route("/study/{name}/trial/{number}/{part}/{file}", pages.download),
        Route("/static/{file:path}", pages.static),
    ]
    kinds = (StillReading, StudyError, NotFound, QueryError, FormError, HTTPException, Exception)
    app = Starlette(routes=routes, exception_handlers=dict.fromkeys(kinds, pages.trouble))
    app.router.redirect_slashes = False
    return Guard(app, host, token)


class Pages:
    """The answers to requests."""

    def __init__(self, library: Library, patience: float | None) -> None:
        self.library, self.patience = library, patience
        self.assets = assets()
        token = secrets.token_urlsafe(32)
        self.actions = Actions(library, token)
        self.templates = Templates(self.assets, token)
        self.learners: dict[str, GeneAnalysis] = {}

    def prepare(self, first: str) -> None:
        """Read a study and make its page once. What goes wrong with it is told when somebody asks for it."""
        with suppress(Exception):
            self._study_page(self.library.snapshot(first), Query(), False)

    def studies(self, request: Request) -> Response:
        _take_no_query(request)
        is_twin = request.url.path.endswith(TWIN)
        return self._answer("studies.html", studies(self.library, self._patience(is_twin)), is_twin)

    def study(self, request: Request) -> Response:
        name, is_twin = self._name(request.path_params["name"])
        query = Query.parse(request.query_params.multi_items())
        return self._study_page(self.library.snapshot(name, self._patience(is_twin)), query, is_twin)

    def _study_page(self, snapshot: Snapshot, query: Query, is_twin: bool) -> Response:
        values = {**study(snapshot, query), "act": self.actions.values(snapshot)}
        return self._answer("study.html", values, is_twin, query=query)

    def part(self, request: Request) -> Response:
        """One part of a study's page; 204 where it is as it was at `since`."""
        asked, since = _since(request)
        query = Query.parse(asked)
        snapshot, name = self.library.snapshot(request.path_params["name"]), request.path_params["part"]
        if name in LEARNED:
            values = self._learned(snapshot)
            is_same = bool(since) and since == values["mark"]
            return Response(status_code=204) if is_same else self._answer(f"part/{name}.html", values, False)
        if name == "zoo":
            return self._answer("part/zoo.html", {"zoo": self.actions.zoo.fitting(snapshot)}, False)
        if name not in PARTS:
            raise NotFound(NO_PAGE)
        if since == snapshot.mark:
            return Response(status_code=204)
        values = {**part(snapshot, name, query), "act": self.actions.values(snapshot)}
        answer = self._answer(f"part/{name}.html", values, False, query=query)
        if since is None:  # a person asked: the address of the page says what is shown now
            now = urlsplit(request.headers.get("hx-current-url", "")).query
            address = Query.parse(merged(name, parse_qsl(now), asked)).address
            # what is asked while a person types is no page to come back to
            how = "hx-replace-url" if name == "best" else "hx-push-url"
            answer.headers[how] = f"{links.study(snapshot.name)}{'?' if address else ''}{address}"
        return answer

    def genes(self, request: Request) -> Response:
        _take_no_query(request)
        is_twin = request.url.path.endswith(TWIN)
        snapshot = self.library.snapshot(request.path_params["name"], self._patience(is_twin))
        return self._answer("genes.html", self._learned(snapshot), is_twin)

    def plot(self, request: Request) -> Response:
        query = Query.parse(request.query_params.multi_items())
        snapshot, name = self.library.snapshot(request.path_params["name"]), request.path_params["plot"]
        if name == "against":
            return JSONResponse(plain(against(snapshot, query)))
        if name not in PLOTS:
            raise NotFound(NO_PAGE)
        return JSONResponse(plain(PLOTS[name](snapshot)))

    def compare(self, request: Request) -> Response:
        is_twin = request.url.path.endswith(TWIN)
        snapshot = self.library.snapshot(request.path_params["name"], self._patience(is_twin))
        values = compare(snapshot, compared(request.query_params.multi_items()))
        return self._answer("compare.html", values, is_twin)

    def difference(self, request: Request) -> Response:
        snapshot = self.library.snapshot(request.path_params["name"])
        headers = {"content-security-policy": PICTURE_POLICY}
        side = request.path_params["side"]
        if side not in ("before", "after"):
            raise NotFound(NO_PAGE)
        drawn = difference_picture(snapshot, *pair(request.path_params["numbers"]), side == "after")
        return Response(drawn, headers=headers, media_type="image/svg+xml")

    def trial(self, request: Request) -> Response:
        names = parse_open(request.query_params.multi_items())
        asked: str = request.path_params["number"]
        number, is_twin = _number(asked.removesuffix(TWIN)), asked.endswith(TWIN)
        snapshot = self.library.snapshot(request.path_params["name"], self._patience(is_twin))
        return self._answer("trial.html", trial(snapshot, number, names), is_twin)

    def genome(self, request: Request) -> Response:
        name, number, text = self._text(request)
        return Response(text, headers=_saved_as(name, f"{number}.yaml"), media_type="text/plain")

    def picture(self, request: Request) -> Response:
        names = parse_open(request.query_params.multi_items())
        _, _, text = self._text(request)
        headers = {"content-security-policy": PICTURE_POLICY}
        return Response(drawing(text, names), headers=headers, media_type="image/svg+xml")

    def download(self, request: Request) -> Response:
        asked = request.path_params
        snapshot, number = self.library.snapshot(asked["name"]), _number(asked["number"])
        file = opened(snapshot, found(snapshot, number), asked["part"], asked["file"])
        saved = _saved_as(snapshot.name, f"{number}-{asked['file']}")
        headers = {**saved, "content-length": str(size_of(file))}
        if request.method == "HEAD":
            file.close()
            return Response(headers=headers, media_type=BYTES)
        return StreamingResponse(pieces(file), headers=headers, media_type=BYTES)

    def static(self, request: Request) -> Response:
        asset = self.assets.get(request.path_params["file"])
        if asset is None:
            raise NotFound(NO_PAGE)
        # its digest is in its address: what it holds never changes
        headers = {"cache-control": "max-age=31536000, immutable", "vary": "accept-encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(asset.content, headers=headers, media_type=asset.type)
        return Response(asset.packed, headers={**headers, "content-encoding": "gzip"}, media_type=asset.type)

    def trouble(self, request: Request, error: Exception) -> Response:
        """Say in one sentence what is wrong; a page of a study that is still being read looks again by itself."""
        if isinstance(error, StillReading):
            return HTMLResponse(self.templates.page("loading.html", {"said": str(error)}), 202)
        status, said = _said(error)
        headers = getattr(error, "headers", None)
        if request.url.path.endswith(TWIN):
            return JSONResponse({"error": said}, status, headers)
        if "hx-request" in request.headers:  # a script shows the sentence where the page has its place for it
            return PlainTextResponse(said, status, headers)
        return HTMLResponse(
            self.templates.page("error.html", {"status": status, "said": said}), status, headers
        )

    def _answer(self, template: str, values: dict[str, Any], is_twin: bool, **more: Any) -> Response:
        """Return values as the page, or as its twin."""
        if is_twin:
            return JSONResponse(plain(values))
        return HTMLResponse(self.templates.page(template, {**values, **more}))

    def _patience(self, is_twin: bool) -> float | None:
        """How long an answer waits for a study: a program that asks for a twin cannot look again by itself."""
        return None if is_twin else self.patience

    def _learned(self, snapshot: Snapshot) -> dict[str, Any]:
        return learned(snapshot, self.learners.setdefault(snapshot.name, GeneAnalysis()))

    def _name(self, asked: str) -> tuple[str, bool]:
        """The study that is asked for, and whether as a twin; a study may itself be called so.json."""
        if not asked.endswith(TWIN) or asked in self.library.names():
            return asked, False
        return asked.removesuffix(TWIN), True

    def _text(self, request: Request) -> tuple[str, int, str]:
        """The study, number and genome of the trial that is asked for."""
        name, number = request.path_params["name"], _number(request.path_params["number"])
        text = found(self.library.snapshot(name), number).record.genome
        if text is None:
            raise NotFound(f"no genome was kept of trial {number}")
        return name, number, text


def _since(request: Request) -> tuple[list[tuple[str, str]], str | None]:
    """The parameters of an address without `since`, and that."""
    given = request.query_params.multi_items()
    return [pair for pair in given if pair[0] != "since"], request.query_params.get("since")


def _take_no_query(request: Request) -> None:
    if name := next(iter(request.query_params), None):
        raise QueryError(f"{name[:40]!r} is nothing that this page knows; it takes no parameters")


def _saved_as(study: str, file: str) -> dict[str, str]:
    """What tells a browser to save an answer, and under which name: letters, digits and a few signs alone."""
    return {"content-disposition": f'attachment; filename="{_UNSAFE.sub("_", study)}-{file}"'}


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise NotFound(NO_PAGE)
    return int(text)


def _said(error: Exception) -> tuple[int, str]:
    match error:
        case NotFound():
            return 404, str(error)
        case QueryError():
            return 400, str(error)
        case StudyError():
            return 503, str(error)
        case FormError():
            return error.status, str(error)
        case HTTPException(status_code=405):
            return 405, "this address takes a form that a page of the dashboard sends, and shows nothing"
        case HTTPException(status_code=404):
            return 404, NO_PAGE
        case HTTPException():
            return error.status_code, HTTPStatus(error.status_code).phrase.lower()
    return 500, f"this page could not be made ({type(error).__name__}: {error})"
