"""The templates of the pages. Every value is escaped as text; no value is marked as safe."""

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
from search import formatting, objective
from search.dashboard.gene_analysis.statistics import Quantiles
from search.dashboard.pages.study import metrics_of
from search.dashboard.plots import learning_curves, report_charts
from search.dashboard.plots.exits_chart import exits_chart
from search.dashboard.plots.reliability_chart import reliability_chart
from search.dashboard.plots.svg_chart import Chart
from search.dashboard.studies.column_choice import column_choices
from search.dashboard.studies.columns import COLUMNS, OUTCOMES
from search.dashboard.studies.score import scored
from search.dashboard.studies.trial_query import LIMITED
from search.dashboard.web.assets import Asset
from search.dashboard.web.json_values import json_value
from search.run.ownership import process

NAMED_BY_NUMBER = ("seed", "epoch", "best_epoch")  # numbers that count nothing
LIVE_SECONDS, IDLE_SECONDS = 4, 30  # after which an open page renews itself: during a run, and otherwise


class RenderedChart(NamedTuple):
    """A chart as SVG."""

    title: str
    svg: Markup


class TemplateCache(jinja2.BytecodeCache):
    """The compiled templates, for all applications of a process."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if code := self._code.get(f"{bucket.key}/{bucket.checksum}"):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[f"{bucket.key}/{bucket.checksum}"] = bucket.bytecode_to_string()


TEMPLATE_CACHE = TemplateCache()


class Templates:
    """Jinja's environment, with the filters and functions that the pages use."""

    def __init__(self, assets: Mapping[str, Asset], token: str) -> None:
        folder = Path(__file__).with_name("html")
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            bytecode_cache=TEMPLATE_CACHE,
        )
        self._environment.filters |= {
            "along": _along,
            "clock": lambda seconds: datetime.fromtimestamp(seconds).strftime("%m-%d %H:%M:%S"),
            "duration": formatting.seconds,
            "json": lambda value: json.dumps(json_value(value)),
            "metric": lambda value, name: objective.formatted(name, value),
            "moment": _moment,
            "process": process,
            "scored": scored,
            "as_text": _text,
            "title": _title,
        }
        self._environment.globals |= {
            "asset": lambda name: f"/static/{name}?{assets[name].digest}",
            "metrics_of": metrics_of,
            "draw_scores": partial(self._rendered, learning_curves.learning),
            "draw_front": partial(self._rendered, report_charts.front),
            "draw_progress": partial(self._rendered, report_charts.progress),
            "draw_losses": partial(self._rendered, learning_curves.losses),
            "draw_valid_losses": partial(self._rendered, learning_curves.valid_losses),
            "draw_exits": exits_chart,
            "draw_reliability": reliability_chart,
            "outcome_names": OUTCOMES,
            "limited": LIMITED,
            "column_choices": column_choices,
            "all_columns": COLUMNS,
            "metric_names": tuple(objective.MEASURES),
            "form_token": token,
            "zoo_names": genome.zoo.names,
            "every": lambda running: LIVE_SECONDS if running else IDLE_SECONDS,
        }
        for name in self._environment.list_templates():
            self._environment.get_template(name)  # compiled now, not in the first request

    def _rendered(
        self, make: Callable[..., Chart | None], href: str | None, *given: Any
    ) -> RenderedChart | None:
        chart = make(*given)
        if chart is None:
            return None
        svg = self._environment.get_template("parts.html").make_module().svg  # type: ignore[attr-defined]
        return RenderedChart(chart.title, svg(chart, href))

    def page(self, name: str, values: Mapping[str, Any]) -> str:
        """Return a page with its values in their places."""
        return self._environment.get_template(name).render({**values, "values": values})


def _moment(value: datetime | None) -> str:
    return value.isoformat(sep=" ", timespec="seconds") if value else "-"


def _along(value: float, ends: Quantiles) -> float:
    """The position of a value between the low and the high end of all values, from 0 to 100."""
    share = (value - ends.low) / ((ends.high - ends.low) or 1.0)
    return round(100 * min(max(share, 0.0), 1.0), 1)


def _title(name: str) -> str:
    """The name of a row from a key: valid_accuracy becomes valid accuracy."""
    return name.replace("_", " ")


def _text(value: Any, name: str = "") -> str:
    """A value of a report in its usual form."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float() if name.endswith("_bytes"):
            return formatting.size(value)
        case int() | float() if name.endswith("seconds"):
            return f"{value:.3g} s" if value < 1 else formatting.seconds(value)
        case int():
            return str(value) if name in NAMED_BY_NUMBER else f"{value:,}"
        case float():
            return f"{value:.4g}"
        case list():
            return ", ".join(_text(inner, name) for inner in value)
        case dict():
            return ", ".join(f"{_title(str(key))} {_text(inner, name)}" for key, inner in value.items())
    return value if isinstance(value, str) else json.dumps(value)
