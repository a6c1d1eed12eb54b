"""The pages' templates. Whatever they are given is text: every value is escaped, and none is marked as safe."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from jinja2.bccache import Bucket
from markupsafe import Markup

import genome
from search import formatting
from search.dashboard.gene_analysis.statistics import Quantiles
from search.dashboard.pages.study import metrics_of
from search.dashboard.plots import learning_curves as charts
from search.dashboard.plots.svg_chart import Chart
from search.dashboard.studies.trial_query import LIMITED, OUTCOMES
from search.dashboard.web.assets import Asset

LIVE_SECONDS, IDLE_SECONDS = (
    4,
    30,
)  # after which an open page looks again: while something runs, and otherwise


class RenderedChart(NamedTuple):
    """A chart as it stands in a page."""

    title: str
    svg: Markup


class TemplateCache(jinja2.BytecodeCache):
    """What the templates were compiled to, for all applications of a process."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if code := self._code.get(f"{bucket.key}/{bucket.checksum}"):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[f"{bucket.key}/{bucket.checksum}"] = bucket.bytecode_to_string()


TEMPLATE_CACHE = TemplateCache()


class Templates:
    """Jinja's environment with what the pages write numbers with."""

    def __init__(self, assets: Mapping[str, Asset], token: str) -> None:
        folder = Path(__file__).with_name("html")
        self._made = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            bytecode_cache=TEMPLATE_CACHE,
        )
        self._made.filters |= {
            "along": _along,
            "duration": formatting.seconds,
            "metric": lambda value, name: objective.formatted(name, value),
            "moment": _moment,
            "said": _said,
            "title": _title,
        }
        self._made.globals |= {
            "asset": lambda name: f"/static/{name}?{assets[name].digest}",
            "metrics_of": metrics_of,
            "draw_curve": partial(self._drawn, charts.learning),
            "draw_curves": partial(self._drawn, charts.learning_overlaid),
            "outcome_names": OUTCOMES,
            "limited": LIMITED,
            "form_token": token,
            "zoo_names": genome.zoo.names,
            "every": lambda running: LIVE_SECONDS if running else IDLE_SECONDS,
        }
        for name in self._made.list_templates():
            self._made.get_template(name)  # compiled now, not by the first page that needs it

    def _drawn(self, make: Callable[..., Chart | None], href: str, *given: Any) -> RenderedChart | None:
        chart = make(*given)
        if chart is None:
            return None
        svg = self._made.get_template("parts.html").make_module().svg  # type: ignore[attr-defined]
        return RenderedChart(chart.title, svg(chart, href))

    def page(self, name: str, values: Mapping[str, Any]) -> str:
        """Return a page with its values in their places."""
        return self._made.get_template(name).render({**values, "values": values})


def _moment(value: datetime | None) -> str:
    return value.isoformat(sep=" ", timespec="seconds") if value else "-"


def _along(value: float, ends: Quantiles) -> float:
    """Where a value stands between the low end and the high one of all, from 0 to 100."""
    share = (value - ends.low) / ((ends.high - ends.low) or 1.0)
    return round(100 * min(max(share, 0.0), 1.0), 1)


def _title(name: str) -> str:
    """A key as the name of a row: valid_accuracy becomes valid accuracy."""
    return name.replace("_", " ")


def _said(value: Any, name: str = "") -> str:
    """A number or word of a report, in its usual form."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float() if name.endswith("_bytes"):
            return formatting.size(value)
        case int() | float() if name.endswith("seconds"):
            return f"{value:.3g} s" if value < 1 else formatting.seconds(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}"
        case list():
            return ", ".join(_said(inner, name) for inner in value)
        case dict():
            return ", ".join(f"{_title(str(key))} {_said(inner, name)}" for key, inner in value.items())
    return value if isinstance(value, str) else json.dumps(value)
