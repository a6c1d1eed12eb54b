"""The query of a study's page, read from its address: order, filters and page of the table of trials, cost, limit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from genome.op import words as node_types
from search.dashboard.studies import expression
from search.dashboard.studies.amount import amount
from search.dashboard.studies.columns import OUTCOMES, SORTS
from search.objective import COSTLY

RANGED = ("accuracy", "loss", "params", "macs", "seconds")
ENDS = {f"{column}_{end}": (column, end) for column in RANGED for end in ("from", "to")}
# the parameters of the address that belong to each part of the page
OWN: Mapping[str, frozenset[str]] = {
    "table": frozenset(
        {"sort", "outcome", "op", "starred", "where", "text", "columns", *ENDS, "page", "pick"}
    ),
    "against": frozenset({"cost", "y", "curve", "by", "smooth", "over"}),
    "best": frozenset({"at_most", "size"}),
}
LONGEST = 40  # characters of a wrong value that an error message repeats
DEFAULT_SORT = "-number"
_PICKS = re.compile(r"\d{1,9}(?:,\d{1,9})*", re.ASCII)
MOST_PICKED = 200
LONGEST_TEXT = 100  # characters of a text that is looked for
CURVES, ALONG = (
    ("score", "valid_loss", "train_loss", "learning_rate", "images_per_second"),
    ("epoch", "seconds"),
)  # of learning curves; the first is usual
SMOOTHED = ("0.6", "0.9")  # weights of what came before, in the smoothing of learning curves
OVER = ("number", "time")  # what all trials are drawn over; the first is usual
SCALES = ("error", "linear")  # of the axis of a score
COSTS = ("params", "macs", "seconds")  # costs that the front can always be drawn against
LABELS = {
    "at_most": "best with at most"
}  # of fields, where a person sees another name than that in the address
LIMITED = ("params", "macs")  # sizes that the search for the best small network can limit


class QueryError(ValueError):
    """A query that is not valid; the message is one sentence."""


@dataclass(frozen=True)
class Query:
    """The query of a study's page."""

    sort: str = DEFAULT_SORT  # a column; a minus in front sorts the highest value first
    outcome: str = ""  # only trials of this outcome; empty for any
    op: str = ""  # only networks with this node type; empty for any
    starred: bool = False  # only starred trials
    ends: Mapping[str, float] = field(default_factory=dict)  # ends of ranges, by names of `ENDS`
    where: str = ""  # an expression that trials satisfy
    text: str = ""  # a text that a trial has somewhere
    columns: tuple[str, ...] = ()  # of the table, in order; empty for those that suit the study
    page: int = 1
    cost: str = ""  # cost that the front is drawn against; empty for the study's own
    at_most: float | None = None  # limit of the best small network
    size: str = LIMITED[0]  # size that `at_most` limits
    pick: tuple[int, ...] = ()  # trials picked for a comparison, on whatever page of the table they stand
    curve: str = CURVES[0]  # what the learning curves show
    by: str = ALONG[0]  # against what
    smooth: str = ""  # weight of what came before in learning curves; empty for none
    over: str = OVER[0]  # what all trials are drawn over
    y: str = ""  # scale of the axes of a score; empty for the one that suits the values

    @classmethod
    def parse(cls, given: Iterable[tuple[str, str]]) -> Query:
        """Read the parameters of an address; an empty parameter counts as absent. Raises QueryError."""
        query, seen = cls(), set[str]()
        for name, text in given:
            if name in seen:
                raise QueryError(f"{_quoted(name)} is given twice; give it once")
            seen.add(name)
            if text:
                query = query._with(name, text)
        return query

    def _with(self, name: str, text: str) -> Query:
        if name in ENDS:
            return replace(self, ends={**self.ends, name: _amount(name, text)})
        match name:
            case "page":
                return replace(self, page=_page(text))
            case "sort":
                return replace(self, sort=_one_of(SORTS, name, text, text.removeprefix("-")))
            case "outcome":
                return replace(self, outcome=_one_of(OUTCOMES, name, text, text))
            case "op":
                return replace(self, op=_op(text))
            case "where":
                return replace(self, where=_where(text))
            case "text":
                return replace(self, text=_sought(text))
            case "columns":
                return replace(self, columns=_columns(text))
            case "cost":
                return replace(self, cost=_one_of((*COSTS, *COSTLY), name, text, text))
            case "at_most":
                return replace(self, at_most=_amount(name, text, least=0.0))
            case "size":
                return replace(self, size=_one_of(LIMITED, name, text, text))
            case "pick":
                return replace(self, pick=_picks(text))
            case "y":
                return replace(self, y=_one_of(SCALES, name, text, text))
            case "curve":
                return replace(self, curve=_one_of(CURVES, name, text, text))
            case "by":
                return replace(self, by=_one_of(ALONG, name, text, text))
            case "smooth":
                return replace(self, smooth=_one_of(SMOOTHED, name, text, text))
            case "over":
                return replace(self, over=_one_of(OVER, name, text, text))
            case "starred":
                return replace(self, starred=bool(_one_of(("yes",), name, text, text)))
        named = ("sort", "outcome", "op", "starred", *ENDS, "where", "text", "columns", "page", "pick")
        named += ("cost", "y", "curve", "by", "smooth", "over", "at_most", "size")
        known = ", ".join(named)
        raise QueryError(f"{_quoted(name)} is no parameter of this page; the parameters are {known}")

    def turned(self, column: str) -> Query:
        """Return the query that sorts by a column; a column that is already sorted changes its direction."""
        return replace(self, sort=f"-{column}" if self.sort == column else column, page=1)

    def at(self, page: int) -> Query:
        """Return the same query for another page."""
        return replace(self, page=page)

    def picking(self, numbers: Iterable[int]) -> Query:
        """Return the same query with these trials picked."""
        return replace(self, pick=tuple(dict.fromkeys(numbers)))

    def where_tag(self, tag: str) -> Query:
        """Return a query of the trials with a tag alone, with the same columns."""
        return replace(Query(), where=f"tag={tag}", columns=self.columns, pick=self.pick)

    def showing(self, columns: Iterable[str]) -> Query:
        """Return the same query with these columns of the table."""
        return replace(self, columns=tuple(columns))

    def charting(self, **settings: Any) -> Query:
        """Return the same query with other settings of the charts, by their names."""
        return replace(self, **settings)

    @property
    def address(self) -> str:
        """The parameters of the address, without those that have their default."""
        return urlencode(self.pairs)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """These parameters, each with its value as text."""
        given = {
            "sort": self.sort if self.sort != DEFAULT_SORT else "",
            "outcome": self.outcome,
            "op": self.op,
            "starred": "yes" if self.starred else "",
            "where": self.where,
            "text": self.text,
            "columns": ",".join(self.columns),
        }
        given |= {name: f"{value:.12g}" for name, value in self.ends.items()}
        given["page"] = str(self.page) if self.page > 1 else ""
        given |= {"pick": ",".join(map(str, self.pick)), "cost": self.cost, "y": self.y}
        given |= {
            "curve": self.curve if self.curve != CURVES[0] else "",
            "by": self.by if self.by != ALONG[0] else "",
            "smooth": self.smooth,
            "over": self.over if self.over != OVER[0] else "",
        }
        if self.at_most is not None:
            given |= {"at_most": f"{self.at_most:.12g}", "size": self.size if self.size != LIMITED[0] else ""}
        return [(name, text) for name, text in given.items() if text]


def merged(
    part: str, page: Iterable[tuple[str, str]], given: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the parameters of the page's address after `part` was asked for with the parameters `given`."""
    own, known = OWN.get(part, frozenset()), frozenset[str]().union(*OWN.values())
    return [pair for pair in page if pair[0] in known - own] + [pair for pair in given if pair[0] in own]


def _one_of(choices: Sequence[str], name: str, text: str, word: str) -> str:
    if word not in choices:
        raise QueryError(f"{name} is {_quoted(text)}; it may be {', '.join(dict.fromkeys(choices))}")
    return text


def _page(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,8}", text, re.ASCII):
        raise QueryError(f"page is {_quoted(text)}; it may be 1, 2, 3 ..")
    return int(text)


def _where(text: str) -> str:
    try:
        expression.parse(text)
    except expression.ExpressionError as error:
        raise QueryError(f"where is no filter: {error}") from None
    return text


def _sought(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise QueryError(f"text has {len(text)} characters; it may have {LONGEST_TEXT}")
    return text


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    if wrong := next((name for name in names if name not in SORTS), None):
        raise QueryError(f"columns has {_quoted(wrong)}; it may have {', '.join(SORTS)}")
    return names


def _op(text: str) -> str:
    if text not in node_types():
        raise QueryError(f"op is {_quoted(text)}; it may be a node type, such as conv")
    return text


def _amount(name: str, text: str, least: float = -math.inf) -> float:
    """A number as people write it, such as 0.95, 95%, 1e5, 100,000, 100k or 1.5M."""
    value, name = amount(text), LABELS.get(name, name)
    if value is None or value < least:
        raise QueryError(
            f"{name} is {_quoted(text)}; it may be a number, such as 0.95, 100000, 1e5, 100k or 1.5M"
        )
    return value


def _picks(text: str) -> tuple[int, ...]:
    if not _PICKS.fullmatch(text) or text.count(",") >= MOST_PICKED:
        raise QueryError(
            f"pick is {_quoted(text)}; it may be up to {MOST_PICKED} numbers of trials, such as 3,12"
        )
    return tuple(dict.fromkeys(map(int, text.split(","))))


def _quoted(text: str) -> str:
    return repr(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")
