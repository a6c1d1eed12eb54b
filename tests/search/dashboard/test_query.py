"""Laws of the table: every trial is on one page, a filter keeps the trials that satisfy it, orders are orders."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from search.config.read import parse_study
from search.dashboard.studies.columns import OUTCOMES, SORTS, sort_key, value_of
from search.dashboard.studies.selection import PAGE, kept_by, page_of
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import ENDS, Query, QueryError
from search.dashboard.studies.trial_view import TrialView, column_value
from search.storage.record import Record
from tests.search.conftest import study_of

numbers = st.none() | st.integers(0, 20)


@st.composite
def trials(draw: st.DrawFn) -> list[TrialView]:
    drawn = draw(
        st.lists(
            st.tuples(numbers, numbers, st.sampled_from(OUTCOMES[:3]), numbers, st.booleans()), max_size=30
        )
    )
    copies = draw(st.integers(1, 12))
    return [
        TrialView(
            Record(
                i,
                outcome,
                genome=f"genome: g\nnodes:\n  stem: {{op: {'conv' if is_conv else 'pool'}, in: [image]}}\n",
                metrics={} if accuracy is None else {"accuracy": accuracy / 20},
                params=params,
                epochs=epochs,
                seconds=float(i % 7),
            )
        )
        for i, (accuracy, params, outcome, epochs, is_conv) in enumerate(drawn * copies)
    ]


queries = st.builds(
    Query,
    sort=st.sampled_from([sign + column for column in SORTS for sign in ("", "-")]),
    outcome=st.sampled_from(["", *OUTCOMES[:3]]),
    op=st.sampled_from(["", "conv", "pool"]),
    ends=st.dictionaries(st.sampled_from(sorted(ENDS)), st.floats(0, 20), max_size=3),
)


CONFIG = parse_study(yaml.safe_dump(study_of()), "<test>")


def seen(trials: list[TrialView]) -> Snapshot:
    return Snapshot("tiny", CONFIG, tuple(trials), is_running=False, folder=None)


@given(trials(), queries)
def test_every_trial_that_is_kept_is_on_one_page(all_of_them: list[TrialView], query: Query) -> None:
    study = seen(all_of_them)
    first = page_of(study, query)
    pages = [page_of(study, query.at(number)) for number in range(1, first.pages + 1)]
    listed = [one.record.number for page in pages for one in page.trials]
    kept = [one.record.number for one in all_of_them if kept_by(study, query)(one)]
    assert sorted(listed) == kept and first.found == len(kept)
    assert all(len(page.trials) <= PAGE for page in pages)
    assert all(len(page.trials) == PAGE for page in pages[:-1])
    assert page_of(study, query.at(first.pages + 5)) == pages[-1]


@given(trials(), queries)
def test_a_filter_keeps_what_satisfies_it(all_of_them: list[TrialView], query: Query) -> None:
    for one in all_of_them:
        is_inside = (not query.outcome or one.outcome == query.outcome) and (
            not query.op or f"op: {query.op}," in (one.record.genome or "")
        )
        for name, end in query.ends.items():
            value = column_value(one, name.rpartition("_")[0])
            is_inside &= value is not None and (value >= end if name.endswith("_from") else value <= end)
        assert kept_by(seen(all_of_them), query)(one) == is_inside


@given(trials(), queries)
def test_an_order_is_an_order(all_of_them: list[TrialView], query: Query) -> None:
    column, falls = query.sort.removeprefix("-"), query.sort.startswith("-")
    study = seen(all_of_them)
    values = [sort_key(value_of(study, one, column)) for one in page_of(study, query).trials]
    known = [value for value in values if value is not None]
    assert values[: len(known)] == known, "those that lack the number come last"
    assert known == sorted(known, reverse=falls)


@given(queries, st.integers(1, 10**8))
def test_an_address_gives_the_query_back(query: Query, page: int) -> None:
    asked = query.at(page)
    again = Query.parse(parse_qsl(asked.address))
    assert again.ends == pytest.approx(asked.ends)
    assert (again.sort, again.outcome, again.op, again.page) == (asked.sort, asked.outcome, asked.op, page)


def test_what_is_empty_is_not_given() -> None:
    assert Query.parse([("op", ""), ("params_from", ""), ("page", "")]) == Query()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("sort", "genome", "it may be number, outcome"),
        ("sort", "--number", "it may be"),
        ("outcome", "-done", "it may be done"),
        ("outcome", "DONE", "it may be done"),
        ("op", "a b", "it may be a node type"),
        ("op", "ö", "it may be a node type"),
        ("page", "0", "it may be 1, 2"),
        ("page", "-1", "it may be 1, 2"),
        ("page", "1e3", "it may be 1, 2"),
        ("page", "9" * 5000, "it may be 1, 2"),
        ("page", "²", "it may be 1, 2"),
        ("params_from", "many", "it may be a number"),
        ("params_from", "nan", "it may be a number"),
        ("accuracy_to", "1e999", "it may be a number"),
        ("number_from", "1", "is no parameter of this page"),
        ("x" * 5000, "1", "is no parameter of this page"),
    ],
)
def test_what_cannot_be_is_one_sentence(name: str, text: str, said: str) -> None:
    with pytest.raises(QueryError, match=said) as told:
        Query.parse([(name, text)])
    assert "\n" not in str(told.value) and len(str(told.value)) < 400


def test_what_is_given_twice_is_refused() -> None:
    with pytest.raises(QueryError, match="twice"):
        Query.parse([("page", "1"), ("page", "2")])
