"""What the dashboard reads of a study: all data that pages need, once, and again only where it may have changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.dashboard.studies.errors import NotFound
from search.dashboard.studies.library import Library
from tests.search.dashboard.kept import add, begin


def test_what_has_not_changed_is_not_made_again(tmp_path: Path) -> None:
    store, library = begin(tmp_path), Library(tmp_path)
    for _ in range(3):
        add(store)
    running = store.study.ask()
    first = library.snapshot("tiny")
    assert library.snapshot("tiny") is first
    running.set_user_attr("charged_seconds", 5.0)
    second = library.snapshot("tiny")
    assert second.spent_seconds == pytest.approx(first.spent_seconds + 5.0)
    assert all(one is other for one, other in zip(first.trials[:3], second.trials[:3], strict=True))
    assert second.trials[3] is not first.trials[3]


def test_what_the_finale_found_is_new(tmp_path: Path) -> None:
    store, library = begin(tmp_path), Library(tmp_path)
    add(store)
    assert library.snapshot("tiny").records[0].finale is None
    store.study.set_user_attr("finale:0:7", {"outcome": "done", "epochs": 1, "accuracy": 0.5, "loss": 1.0})
    assert library.snapshot("tiny").records[0].finale is not None


def test_a_budget_that_grew_is_seen(tmp_path: Path) -> None:
    store, library = begin(tmp_path, trials=2), Library(tmp_path)
    assert library.snapshot("tiny").config.trials == 2
    text = store.study.user_attrs["genome_study"]
    store.study.set_user_attr("genome_study", text.replace("trials: 2", "trials: 9"))
    assert library.snapshot("tiny").config.trials == 9


@pytest.mark.parametrize("name", ["", ".", "..", "../tiny", "/etc", "tiny\0", "none"])
def test_a_name_is_looked_up(tmp_path: Path, name: str) -> None:
    begin(tmp_path / "runs")
    with pytest.raises(NotFound):
        Library(tmp_path / "runs").snapshot(name)
