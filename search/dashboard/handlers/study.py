"""The answers about one study: its page and the parts of the page, its plots, its genes, a comparison of trials."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from search.dashboard.gene_analysis.analysis import GeneAnalysis
from search.dashboard.handlers.errors import NO_PAGE
from search.dashboard.handlers.site import TWIN, Site, is_twin, saved_as
from search.dashboard.pages.activity import Asked, activity_page
from search.dashboard.pages.compare import (
    FEWEST,
    MOST,
    checked,
    compare_page,
    difference_picture,
    parse_compared,
    parse_pair,
)
from search.dashboard.pages.genes import GeneChoice, genes_page
from search.dashboard.pages.study import PARTS, front_plot, study_page, study_part
from search.dashboard.plots.study_plots import PLOTS
from search.dashboard.studies.errors import NotFound
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import MOST_PICKED, Query, QueryError, merged
from search.dashboard.take_away.trial_table import FORM, as_csv, parse_columns, rows
from search.dashboard.web import links
from search.dashboard.web.guard import PICTURE_POLICY
from search.dashboard.web.json_values import json_value

ANALYSED = ("findings", "genes")  # parts of the page whose values are computed in the background


class StudyHandlers:
    """The answers about one study."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._analyses: dict[str, GeneAnalysis] = {}  # by name of the study

    def prepare(self, name: str) -> None:
        """Read a study and make its page once. An error is reported when somebody asks for the page."""
        with suppress(Exception):
            self._study_page(self.site.library.snapshot(name), Query(), False)

    def study(self, request: Request) -> Response:
        name, as_twin = self._name(request.path_params["name"])
        query = Query.parse(request.query_params.multi_items())
        return self._study_page(self.site.library.snapshot(name, self.site.patience(as_twin)), query, as_twin)

    def part(self, request: Request) -> Response:
        """Return one part of a study's page; 204 where nothing has changed since the mark `since`."""
        parameters, since = _since(request)
        snapshot, name = self.site.snapshot(request), request.path_params["part"]
        if name in ANALYSED:
            values = self._genes(snapshot, parameters)
            is_same = bool(since) and since == values["mark"]
            return (
                Response(status_code=204) if is_same else self.site.answer(f"part/{name}.html", values, False)
            )
        query = Query.parse(parameters)
        if name == "zoo":
            zoo = self.site.actions.zoo.fitting(snapshot)
            return self.site.answer("part/zoo.html", {"zoo": zoo}, False)
        if name not in PARTS:
            raise NotFound(NO_PAGE)
        if since == snapshot.mark:
            return Response(status_code=204)
        values = {**study_part(snapshot, name, query), "controls": self.site.actions.values(snapshot)}
        answer = self.site.answer(f"part/{name}.html", values, False, query=query)
        if since is None:  # a person asked for the part: the address of the page takes the new parameters
            _set_address(answer, request, snapshot, name, parameters)
        return answer

    def genes(self, request: Request) -> Response:
        snapshot = self.site.page_snapshot(request)
        values = self._genes(snapshot, request.query_params.multi_items())
        return self.site.answer("genes.html", values, is_twin(request))

    def activity(self, request: Request) -> Response:
        """Return what the search does now, and its log."""
        asked = Asked.parse(request.query_params.multi_items())
        snapshot = self.site.page_snapshot(request)
        values = activity_page(snapshot, self.site.library.entries(snapshot.name), asked)
        return self.site.answer("activity.html", values, is_twin(request))

    def plot(self, request: Request) -> Response:
        query = Query.parse(request.query_params.multi_items())
        snapshot, name = self.site.snapshot(request), request.path_params["plot"]
        if name == "against":
            return JSONResponse(json_value(front_plot(snapshot, query)))
        if name not in PLOTS:
            raise NotFound(NO_PAGE)
        return JSONResponse(json_value(PLOTS[name](snapshot, query)))

    def compare(self, request: Request) -> Response:
        snapshot = self.site.page_snapshot(request)
        numbers = parse_compared(request.query_params.multi_items())
        if not is_twin(request) and not FEWEST <= len(numbers) <= MOST:
            return self._back_to_picks(snapshot, numbers)
        return self.site.answer("compare.html", compare_page(snapshot, checked(numbers)), is_twin(request))

    def _back_to_picks(self, snapshot: Snapshot, numbers: Sequence[int]) -> Response:
        """Lead back to the table, which keeps the picks and says how many a comparison takes."""
        address = Query().picking(numbers[:MOST_PICKED]).address
        return RedirectResponse(
            f"{links.study(snapshot.name) or '/'}{'?' if address else ''}{address}#compare", 303
        )

    def trials(self, request: Request) -> Response:
        """Return all trials that the table of an address has, as CSV or JSON, with the columns that it names."""
        columns, query = parse_columns(request.query_params.multi_items())
        snapshot, form = (
            self.site.snapshot(request),
            request.query_params.get(FORM) or request.path_params["form"],
        )
        if form not in ("csv", "json"):
            raise NotFound(NO_PAGE)
        found = rows(snapshot, columns, query)
        headers = saved_as(snapshot.name, f"trials.{form}")
        if form == "json":
            return JSONResponse(found, headers=headers)
        return Response(as_csv(columns, found), headers=headers, media_type="text/csv")

    def difference(self, request: Request) -> Response:
        snapshot = self.site.snapshot(request)
        side = request.path_params["side"]
        if side not in ("before", "after"):
            raise NotFound(NO_PAGE)
        svg = difference_picture(snapshot, *parse_pair(request.path_params["numbers"]), side == "after")
        return Response(svg, headers={"content-security-policy": PICTURE_POLICY}, media_type="image/svg+xml")

    def _study_page(self, snapshot: Snapshot, query: Query, as_twin: bool) -> Response:
        values = {**study_page(snapshot, query), "controls": self.site.actions.values(snapshot)}
        return self.site.answer("study.html", values, as_twin, query=query)

    def _genes(self, snapshot: Snapshot, parameters: Sequence[tuple[str, str]]) -> dict[str, Any]:
        choice = GeneChoice.parse(parameters, snapshot.config.space.holes)
        analysis = self._analyses.setdefault(snapshot.name, GeneAnalysis())
        return genes_page(snapshot, analysis, choice=choice)

    def _name(self, asked: str) -> tuple[str, bool]:
        """The study of an address, and whether its twin is asked for; a study may itself be named so.json."""
        if not asked.endswith(TWIN) or asked in self.site.library.names():
            return asked, False
        return asked.removesuffix(TWIN), True


def _since(request: Request) -> tuple[list[tuple[str, str]], str | None]:
    """The parameters of an address without `since`, and the value of `since`."""
    given = request.query_params.multi_items()
    return [pair for pair in given if pair[0] != "since"], request.query_params.get("since")


def _set_address(
    answer: Response, request: Request, snapshot: Snapshot, part: str, parameters: list[tuple[str, str]]
) -> None:
    """Tell htmx the address of the page after one of its parts was asked for anew."""
    now = _parameters(request.headers.get("hx-current-url", ""))
    query = Query.parse(merged(part, now, parameters))
    address = query.address
    # the limit is asked for while a person types, trials are picked one by one: no step is a page to come back to
    before = Query.parse(merged("", now, []))
    is_pick = query != before and query.picking(()) == before.picking(())
    how = "hx-replace-url" if part == "best" or is_pick else "hx-push-url"
    answer.headers[how] = f"{links.study(snapshot.name)}{'?' if address else ''}{address}"


def _parameters(address: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(address).query)
    except ValueError:
        raise QueryError("the header hx-current-url is no address") from None
