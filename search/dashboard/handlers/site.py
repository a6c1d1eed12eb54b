"""What the handlers of all pages share: the studies, the templates, and the way an answer is made."""

from __future__ import annotations

import re
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from search.dashboard.actions.actions import Actions
from search.dashboard.handlers.errors import NO_PAGE
from search.dashboard.studies.errors import NotFound
from search.dashboard.studies.library import Library
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import QueryError
from search.dashboard.templates import Templates
from search.dashboard.web.assets import assets
from search.dashboard.web.json_values import json_value

TWIN = ".json"  # suffix of the address of a page's JSON twin
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


class Site:
    """The studies of a dashboard and the templates of its pages."""

    def __init__(self, library: Library, patience: float | None) -> None:
        self.library = library
        self.assets = assets()
        form_token = secrets.token_urlsafe(32)
        self.actions = Actions(library, form_token)
        self.templates = Templates(self.assets, form_token)
        self._patience = patience

    def snapshot(self, request: Request) -> Snapshot:
        """Return the study of an address as it is now. The caller waits until the study is read."""
        return self.library.snapshot(request.path_params["name"])

    def page_snapshot(self, request: Request) -> Snapshot:
        """Return the study of a page's address. Raises StillReading where a page would wait too long."""
        return self.library.snapshot(request.path_params["name"], self.patience(is_twin(request)))

    def answer(self, template: str, values: dict[str, Any], as_twin: bool, **more: Any) -> Response:
        """Return values as a page, or as the JSON twin of the page. `more` is for the template alone."""
        if as_twin:
            return JSONResponse(json_value(values))
        return HTMLResponse(self.templates.page(template, {**values, **more}))

    def patience(self, as_twin: bool) -> float | None:
        """Return how long an answer waits for a study; a program that asks for a twin waits to the end."""
        return None if as_twin else self._patience


def is_twin(request: Request) -> bool:
    """Return whether a request asks for the JSON twin of a page."""
    return request.url.path.endswith(TWIN)


def take_no_query(request: Request) -> None:
    """Raise QueryError where the address of a page without parameters has one."""
    if name := next(iter(request.query_params), None):
        raise QueryError(f"{name[:40]!r} is no parameter of this page; the page takes none")


def number_of(text: str) -> int:
    """Return the number of a trial in an address. Raises NotFound."""
    if not _NUMBER.fullmatch(text):
        raise NotFound(NO_PAGE)
    return int(text)


def saved_as(study: str, file: str) -> dict[str, str]:
    """Return the header by which a browser saves an answer under a name of letters, digits, dots, - and _."""
    return {"content-disposition": f'attachment; filename="{_UNSAFE.sub("_", study)}-{file}"'}
