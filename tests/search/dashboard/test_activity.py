"""What a search does now: workers over time, what the budget went on, which sampler acts, the log, the heartbeat."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from search.dashboard.pages.activity import Asked
from search.dashboard.running.acting import acting
from search.dashboard.running.lanes import Lanes, lanes
from search.dashboard.running.spending import pace, spending
from search.dashboard.studies.library import Library
from search.proposals.history import History
from search.run.ownership import left_by_a_kill
from search.samplers.auto import LONG_SECONDS, chosen
from search.samplers.base import ORIGIN, OUTSIDE, REFERENCE
from search.samplers.evolve import INITIAL
from search.storage.ledger import FINALE, SEARCH, Entry, new_id
from search.storage.seed_results import SeedResult
from search.storage.study import Store, claim
from tests.search.dashboard.kept import Page, add, begin, client, text_of
from tests.search.dashboard.server import Server

DAY = 86400.0
WORKER = "here:1:100.00"


def row(trial: int, begun: float, ended: float, **changes: Any) -> Entry:
    made = Entry(f"{trial}/{begun}", trial, None, SEARCH, WORKER, "cpu", 0.5, 0.5 * (ended - begun))
    return made._replace(begun_at=begun, seen_at=ended, is_open=0)._replace(**changes)


def drawn(
    *rows: Entry, outcome: str = "done", report: Mapping[str, Any] | None = None, **more: bool
) -> Lanes:
    found = lanes(rows, lambda one: outcome, lambda one: report or {}, **more)
    assert found is not None
    return found


def test_trainings_that_overlap_take_lanes_of_their_own() -> None:
    found = drawn(row(0, 0, 10), row(1, 2, 6), row(2, 6, 8), row(3, 10, 20))
    assert [[bar.entry.trial for bar in lane.bars] for lane in found.lanes] == [[0, 3], [1, 2]]
    assert [lane.busy for lane in found.lanes] == pytest.approx([1.0, 0.3])
    assert found.shares["training"] == pytest.approx(0.65) and found.shares["idle"] == pytest.approx(0.35)


def test_a_bar_is_divided_as_the_report_divides_what_was_charged() -> None:
    """Of ten seconds eight were charged: a quarter for building and evaluation each."""
    parts = {"build": 1.0, "probe": 1.0, "forward": 3.0, "backward": 1.0, "evaluation": 2.0, "broken": "x"}
    (lane,) = drawn(row(0, 0, 10, seconds=4.0), report={"parts": parts}).lanes
    widths = {one.part: one.width for one in lane.bars[0].segments}
    assert widths == pytest.approx({"building": 0.2, "training": 0.4, "evaluation": 0.2, "other": 0.2})
    at = [one.at for one in lane.bars[0].segments]
    assert at == sorted(at) and at[0] == 0.0


def epoch(began: float, trained: float, ended: float) -> dict[str, float]:
    return {"began_at": began, "trained_at": trained, "ended_at": ended}


def test_a_bar_shows_what_a_training_did_when() -> None:
    """It waited for a core and was built, ran an epoch, waited at a rung, ran another, and was stored."""
    report = {"parts": {"build": 1.0, "forward": 9.0}, "curve": [epoch(3, 5, 6), epoch(10, 13, 14)]}
    (lane,) = drawn(row(0, 0, 20), report=report).lanes
    found = [(one.part, round(20 * one.at, 9), round(20 * one.width, 9)) for one in lane.bars[0].segments]
    assert found == [
        *(("other", 0, 2), ("building", 2, 1), ("training", 3, 2), ("evaluation", 5, 1)),
        *(("other", 6, 4), ("training", 10, 3), ("evaluation", 13, 1), ("other", 14, 6)),
    ]


def test_a_bar_that_runs_is_training() -> None:
    """A charge is less than the clock on a busy core; what it did when is not stored yet."""
    (lane,) = drawn(row(0, 0, 20, seconds=4.0), outcome="running").lanes
    assert [tuple(one) for one in lane.bars[0].segments] == [("training", 0.0, 1.0)]


def test_a_bar_too_narrow_for_its_epochs_shows_how_much() -> None:
    curve = [epoch(at, at + 0.75, at + 1) for at in range(10)]
    short, long = row(0, 0, 10), row(1, 10, 10_000)
    (lane,) = drawn(short, long, report={"curve": curve}).lanes
    found = [(one.part, round(10_000 * one.width, 9)) for one in lane.bars[0].segments]
    assert found == [("training", 7.5), ("evaluation", 2.5)]


@pytest.mark.parametrize(
    "curve",
    [
        [epoch(3, 2, 6)], [epoch(30, 31, 32)], [epoch(-3, 1, 2)], [{"began_at": 1}], [{"began_at": "1"}],
        [None], 7, None, [],
    ],
)  # fmt: skip
def test_epochs_outside_of_their_training_are_not_drawn(curve: Any) -> None:
    """Of a clock that was set, of an earlier attempt, of an earlier version."""
    report = {"parts": {"build": 1.0, "forward": 3.0}, "curve": curve}
    (lane,) = drawn(row(0, 0, 20), report=report).lanes
    assert [one.part for one in lane.bars[0].segments] == ["building", "training"]


def test_a_training_that_a_later_run_settled_ends_where_its_charge_ends() -> None:
    """The next run settles the row of a killed process: a day later, in which nothing was trained."""
    (lane,) = drawn(row(0, 0, DAY, seconds=4.0), outcome="interrupted").lanes
    assert lane.bars[0].seconds == 8.0


def test_only_the_last_run_is_drawn_unless_all_are_asked_for() -> None:
    rows = row(0, 0, 10), row(1, DAY, DAY + 10)
    assert (drawn(*rows).began, drawn(*rows).earlier) == (DAY, 1)
    assert (drawn(*rows, is_whole=True).began, drawn(*rows, is_whole=True).earlier) == (0.0, 0)
    assert lanes([], lambda one: "", lambda one: {}) is None


def test_the_pace_is_that_of_the_last_two_minutes() -> None:
    """One slot of two before, both slots for the last two minutes."""
    rows = row(0, 0, 240), row(1, 120, 240)
    found = pace(rows, 60.0)
    assert found and (found.rate, found.left_seconds) == pytest.approx((1.0, 60.0))
    assert pace([], 60.0) is None


def meter(store: Store, trial: int, seconds: float, **changes: Any) -> None:
    """Have the ledger charge a training that runs."""
    made = Entry(new_id(), trial, None, SEARCH, WORKER, "cpu", 0.5)._replace(**changes)
    store.ledger.add([made])
    store.ledger.meter({made.id: (seconds, 9.0)}, WORKER, is_read=False)


@pytest.fixture
def running(tmp_path: Path) -> Store:
    """A search that has trained one network for half a minute, and trains two now."""
    store = begin(tmp_path, sampler="auto")
    store.ledger.make(is_new=True)
    add(store, "done", 0.75, origin={"by": "bayes", "moves": ["wider stem"]}, epochs=3, seconds=30.0)
    meter(store, 0, 30.0)
    store.ledger.settle({(0, None): 30.0})
    trial = store.study.ask()
    trial.set_user_attr("genome", text_of())
    trial.set_user_attr(ORIGIN, {"by": "offspring", "parents": [0], "moves": ["crossover"]})
    meter(store, trial.number, 4.0)
    store.store_seed(0, 7, SeedResult("running", 3))
    meter(store, 0, 1.0, seed=7, phase=FINALE)
    return store


def test_the_heartbeat_is_the_last_metering_and_not_the_start_of_a_trial(
    running: Store, tmp_path: Path
) -> None:
    before = Library(tmp_path).snapshot("tiny").seen_at
    with closing(sqlite3.connect(tmp_path / "tiny" / "study.db")) as base, base:
        base.execute("UPDATE genome_ledger SET seen_at = seen_at + 3600 WHERE trial = 1")
    after = Library(tmp_path).snapshot("tiny").seen_at
    assert before and after and (after - before).total_seconds() > 3000


def test_the_page_tells_what_runs_what_was_spent_and_what_happened(running: Store, tmp_path: Path) -> None:
    (tmp_path / "tiny" / "search.log").write_text("first\nlast line\n")
    with claim("tiny", tmp_path, None):
        page = client(tmp_path).get("/study/tiny/activity")
        twin = client(tmp_path).get("/study/tiny/activity.json").json()
    assert [(one["number"], one["seed"], one["seconds"]) for one in twin["running"]] == [
        (1, None, 4.0),
        (0, 7, 1.0),
    ]
    assert twin["heartbeat"]["age_seconds"] < 60 and not twin["heartbeat"]["is_silent"]
    assert {one["name"]: one["seconds"] for one in twin["spending"]["sampler"]} == {
        "bayes": 30.0,
        "offspring": 4.0,
        "the finale": 1.0,
    }
    text = Page(page.text).text
    for said in (
        "bayes: chosen by auto: 1 of the first 10",
        "trial 0, seed 7",
        "proposed by offspring from trial 0",
    ):
        assert said in text
    assert "last line" in text
    assert len(twin["lanes"]["lanes"]) == 2, "two trainings run beside each other"


def test_what_a_killed_run_left_is_not_shown_as_running(running: Store, tmp_path: Path) -> None:
    """What it had reserved nobody spends; `genome best` says the same."""
    web = client(tmp_path)
    with claim("tiny", tmp_path, None):
        alive = web.get("/study/tiny.json").json()
        assert alive["outcomes"] == {"done": 1, "running": 1} and alive["budget"]["reserved_seconds"] == 18.0
    left = web.get("/study/tiny.json").json()
    assert left["outcomes"] == {"done": 1, "interrupted": 1} and left["budget"]["reserved_seconds"] == 0.0
    assert (left["state"], left["why"]) == ("stopped", left_by_a_kill(running, running.records()))
    assert "the last was killed in 2 trainings" in left["why"]
    assert [one["outcome"] for one in web.get("/study/tiny/trial/0.json").json()["seeds"]][
        -1
    ] == "interrupted"


def test_the_log_of_one_trial_is_of_it_alone(running: Store, tmp_path: Path) -> None:
    web = client(tmp_path)
    found = web.get("/study/tiny/activity.json?trial=1").json()["events"]
    assert {one["number"] for one in found} == {1}
    whole = web.get("/study/tiny/activity.json").json()["events"]
    assert [one["at"] for one in whole] == sorted((one["at"] for one in whole), reverse=True)
    assert any("with accuracy 0.7500" in one["says"] for one in whole)
    assert 'href="/study/tiny/activity?trial=1#log"' in web.get("/study/tiny/trial/1").text


@pytest.mark.parametrize(
    "query", ["runs=x", "trial=x", "trial=-1", "x=1", "trial=²", "trial=1&trial=2", "runs=all&runs="]
)
def test_a_wrong_parameter_is_named(running: Store, tmp_path: Path, query: str) -> None:
    answer = client(tmp_path).get(f"/study/tiny/activity?{query}")
    assert answer.status_code == 400 and re.search("may be|is no parameter|given twice", answer.text)
    assert Asked.parse([("runs", ""), ("trial", "")]) == Asked()
    assert client(tmp_path).get("/study/tiny/activity?trial=99").status_code == 404


@pytest.mark.parametrize("seconds", [LONG_SECONDS / 2, LONG_SECONDS * 2])
def test_the_sampler_that_acts_is_the_one_that_the_search_chooses(tmp_path: Path, seconds: float) -> None:
    store = begin(tmp_path, sampler="auto")
    outside = {"by": REFERENCE, "moves": ["resnet-20", OUTSIDE]}
    for _ in range(INITIAL):  # the search does not tell its sampler of these
        add(store, seconds=100.0, epochs=3, origin=outside)
    for number in range(INITIAL + 2):
        add(
            store,
            "failed" if number == 3 else "done",
            None if number == 3 else 0.5,
            epochs=3,
            seconds=seconds,
        )
    snapshot = Library(tmp_path).snapshot("tiny")
    history = History(snapshot.config.objectives, snapshot.config.recipe.epochs)
    for record in store.records():
        history.add(record)
    name, why = chosen(history.individuals())
    found = acting(snapshot)
    assert (found.sampler, found.why) == (name, f"chosen by auto: {why}") and why


def test_what_was_spent_adds_up_in_each_way(running: Store, tmp_path: Path) -> None:
    add(running, "failed", None, kind="not-finite", reason="the loss is not finite", seconds=2.0)
    snapshot = Library(tmp_path).snapshot("tiny")
    for rows in spending(snapshot).values():
        assert sum(one.seconds for one in rows) == pytest.approx(snapshot.statement.spent_seconds)
        assert sum(one.share for one in rows) == pytest.approx(1.0)


def test_a_study_of_an_earlier_version_has_no_lanes(tmp_path: Path) -> None:
    add(begin(tmp_path), seconds=5.0)
    page = Page(client(tmp_path).get("/study/tiny/activity").text)
    assert "which stored no times" in page.text and "an earlier version" in page.text


def test_an_open_page_lets_the_age_of_the_heartbeat_grow(
    tab: Callable[..., Any], running: Store, tmp_path: Path
) -> None:
    with claim("tiny", tmp_path, None):
        server = Server("--runs", tmp_path, "--port", 0)
        try:
            assert server.get("/study/tiny/activity")[0] == 200
            page = tab(expected="ERR_INTERNET_DISCONNECTED")
            page.clock.install()
            page.goto(f"http://{server.place}/study/tiny/activity")
            age = page.locator("[data-age]")
            first = float(age.get_attribute("data-age"))
            page.context.set_offline(True)  # nothing newer comes
            page.clock.run_for(3_500)
            assert float(age.text_content().removesuffix(" s")) >= first + 3
            assert page.locator(".lane a").count() == 3
            page.set_viewport_size({"width": 390, "height": 844})
            log = page.get_by_role("region", name="Table of the log")
            assert log.evaluate("e => e.scrollWidth <= e.clientWidth"), (
                "what happened is not scrolled out of sight"
            )
            page.close()
        finally:
            server.end()
