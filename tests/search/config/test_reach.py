"""Limits that leave no room for the exits: said before anything is trained, and only where it is so."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from search.config import reach
from search.config.read import parse_study
from tests.search.conftest import Said, study_of

CLASSES = 2000


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Three images of each of so many classes."""
    x = np.random.default_rng(0).integers(0, 256, (3 * CLASSES, 8, 8), np.uint8)
    np.savez(tmp_path / "many.npz", x=x, y=np.repeat(np.arange(CLASSES), 3))
    return tmp_path / "many.npz"


def lines(**changes: Any) -> list[str]:
    return reach.mistakes(parse_study(yaml.safe_dump(study_of(**changes), sort_keys=False), "tiny.yaml"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"limits": {"params": 9_999}},
            "limits.params is 9,999, .* for 2,000 classes, take 10,000 in the smallest",
        ),
        ({"limits": {"macs": 7_999}}, "limits.macs is 7,999, .* take 8,000 in the smallest of"),
        ({"budget": {"memory": "64KiB"}}, "budget.memory is 65,536, .* take 80,000 in the smallest"),
    ],
)
def test_the_exits_alone_break_a_limit(
    many: Path, command: Callable[..., Said], tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    study = tmp_path / "many.yaml"
    study.write_text(
        yaml.safe_dump(study_of(study="many", data={"path": str(many)}, **changes), sort_keys=False)
    )
    for verb in ("check", "search"):
        found = command(verb, study, "--runs", tmp_path / "runs")
        assert found.status == 2 and len(found.err.splitlines()) == 1, found.err
        assert re.search(said, found.err), found.err
    assert not (tmp_path / "runs" / "many" / "study.db").exists()


def test_a_limit_with_room_for_one_network_is_none() -> None:
    """The narrowest network of the space has 50 params in its exit, and 86 in all."""
    assert lines() == [] == lines(limits={"params": 150})


def test_a_limit_that_only_the_rest_of_a_network_breaks_is_left_to_the_search() -> None:
    assert lines(limits={"params": 60}) == []
    assert "limits.params is 40" in lines(limits={"params": 40})[0]
