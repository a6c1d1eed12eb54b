"""The answers that belong to no study: the list of studies, static files, error pages."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from search.dashboard.handlers.errors import NO_PAGE, status_and_message
from search.dashboard.handlers.site import Site, is_twin, take_no_query
from search.dashboard.pages.studies import studies_page
from search.dashboard.studies.errors import NoStudy, NotFound, StillReading


class GeneralHandlers:
    """The answers that belong to no study."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def studies(self, request: Request) -> Response:
        take_no_query(request)
        as_twin = is_twin(request)
        values = studies_page(self.site.library, self.site.patience(as_twin))
        return self.site.answer("studies.html", values, as_twin)

    def static(self, request: Request) -> Response:
        asset = self.site.assets.get(request.path_params["file"])
        if asset is None:
            raise NotFound(NO_PAGE)
        # the address holds the digest of the content: the content never changes
        headers = {"cache-control": "max-age=31536000, immutable", "vary": "accept-encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(asset.content, headers=headers, media_type=asset.type)
        return Response(asset.packed, headers={**headers, "content-encoding": "gzip"}, media_type=asset.type)

    def error(self, request: Request, error: Exception) -> Response:
        """Answer an error with one sentence; the page of a study that is still being read reloads itself."""
        page = self.site.templates.page
        if isinstance(error, StillReading):
            return HTMLResponse(page("loading.html", {"message": str(error)}), 202)
        status, message = status_and_message(error)
        headers = getattr(error, "headers", None)
        if is_twin(request):
            return JSONResponse({"error": message}, status, headers)
        if "hx-request" in request.headers:  # a script shows the sentence in the header of the open page
            return PlainTextResponse(message, status, headers)
        values = {"status": status, "message": message, "is_awaited": _is_awaited(request, error)}
        return HTMLResponse(page("error.html", values), status, headers)


def _is_awaited(request: Request, error: Exception) -> bool:
    """Whether a request asked for the page of a study that may still begin."""
    return isinstance(error, NoStudy) and set(request.path_params) == {"name"}
