"""The application: which address shows what. Every page has a twin of the same values, with `.json` behind it."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from search.errors import StudyError

from .assets import assets
from .downloads import opened, pieces, size_of
from .drawing import drawing
from .guard import PICTURE_POLICY, Guard
from .library import Library, Missing
from .plain import plain
from .query import Query, QueryError
from .studies import studies
from .study import study
from .templates import Templates
from .trial import found, trial
from .unfolding import parse_open

TWIN = ".json"
BYTES = "application/octet-stream"
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
NO_PAGE = "there is no such page"


def create_app(
    runs: Path, url: str | None = None, host: str = "127.0.0.1", token: str | None = None
) -> Guard:
    """Return the dashboard of a folder of runs, or of a storage, as an ASGI application.

    host: where it will listen, which says by what names it may be called.  token: asked of every request.
    """
    pages = Pages(Library(runs, url))
    routes = [
        Route("/", pages.studies),
        Route(f"/{TWIN}", pages.studies),
        Route("/study/{name}", pages.study),
        Route("/study/{name}/trial/{number}", pages.trial),
        Route("/study/{name}/trial/{number}/genome.yaml", pages.genome),
        Route("/study/{name}/trial/{number}/picture.svg", pages.picture),
        Route("/study/{name}/trial/{number}/{part}/{file}", pages.download),
        Route("/static/{file}", pages.static),
    ]
    kinds = (StudyError, Missing, QueryError, HTTPException, Exception)
    app = Starlette(routes=routes, exception_handlers=dict.fromkeys(kinds, pages.trouble))
    app.router.redirect_slashes = False
    return Guard(app, host, token)


class Pages:
    """The answers to requests."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.assets = assets()
        self.templates = Templates(self.assets)

    def studies(self, request: Request) -> Response:
        _take_no_query(request)
        return self._answer("studies.html", studies(self.library), request.url.path.endswith(TWIN))

    def study(self, request: Request) -> Response:
        name, is_twin = self._name(request.path_params["name"])
        query = Query.parse(request.query_params.multi_items())
        values = study(self.library.snapshot(name), query)
        return self._answer("study.html", values, is_twin, query=query)

    def trial(self, request: Request) -> Response:
        names = parse_open(request.query_params.multi_items())
        asked: str = request.path_params["number"]
        number = _number(asked.removesuffix(TWIN))
        values = trial(self.library.snapshot(request.path_params["name"]), number, names)
        return self._answer("trial.html", values, asked.endswith(TWIN))

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
        shown, number = self.library.snapshot(asked["name"]), _number(asked["number"])
        file = opened(shown, found(shown, number), asked["part"], asked["file"])
        saved = _saved_as(shown.name, f"{number}-{asked['file']}")
        headers = {**saved, "content-length": str(size_of(file))}
        if request.method == "HEAD":
            file.close()
            return Response(headers=headers, media_type=BYTES)
        return StreamingResponse(pieces(file), headers=headers, media_type=BYTES)

    def static(self, request: Request) -> Response:
        asset = self.assets.get(request.path_params["file"])
        if asset is None:
            raise Missing(NO_PAGE)
        # its digest is in its address: what it holds never changes
        headers = {"cache-control": "max-age=31536000, immutable"}
        return Response(asset.content, headers=headers, media_type=asset.type)

    def trouble(self, request: Request, error: Exception) -> Response:
        """Say in one sentence what is wrong."""
        status, said = _said(error)
        headers = getattr(error, "headers", None)
        if request.url.path.endswith(TWIN):
            return JSONResponse({"error": said}, status, headers)
        return HTMLResponse(
            self.templates.page("trouble.html", {"status": status, "said": said}), status, headers
        )

    def _answer(self, template: str, values: dict[str, Any], is_twin: bool, **more: Any) -> Response:
        """Return values as the page, or as its twin."""
        if is_twin:
            return JSONResponse(plain(values))
        return HTMLResponse(self.templates.page(template, {**values, **more}))

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
            raise Missing(f"no genome was kept of trial {number}")
        return name, number, text


def _take_no_query(request: Request) -> None:
    if name := next(iter(request.query_params), None):
        raise QueryError(f"{name[:40]!r} is nothing that this page knows; it takes no parameters")


def _saved_as(study: str, file: str) -> dict[str, str]:
    """What tells a browser to save an answer, and under which name: letters, digits and a few signs alone."""
    return {"content-disposition": f'attachment; filename="{_UNSAFE.sub("_", study)}-{file}"'}


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise Missing(NO_PAGE)
    return int(text)


def _said(error: Exception) -> tuple[int, str]:
    match error:
        case Missing():
            return 404, str(error)
        case QueryError():
            return 400, str(error)
        case StudyError():
            return 503, str(error)
        case HTTPException(status_code=404):
            return 404, NO_PAGE
        case HTTPException():
            return error.status_code, HTTPStatus(error.status_code).phrase.lower()
    return 500, f"this page could not be made ({type(error).__name__}: {error})"
