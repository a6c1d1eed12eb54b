"""The benchmark of sampling runs a whole trial with each kind of sampler, as a coordinator does."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.sampling_cost import SPACES, measured, study_text
from search.config.read import parse_study
from search.storage.study import open_to_read


@pytest.mark.parametrize("space", SPACES)
def test_a_space_has_sixty_holes(space: str) -> None:
    assert len(parse_study(study_text("random", space), "<study>").space.holes) == 60


def test_what_is_measured_are_trials_of_a_study(tmp_path: Path) -> None:
    spent = measured(["evolve", "nsga2"], "types", 12, 1, tmp_path)
    assert all(min(one) > 0 for one in spent.values())
    for name, one in spent.items():
        records = open_to_read(f"{name}-12", tmp_path).records()
        assert {record.outcome for record in records} == {"done"}
        assert len(records) >= 12 + 3 and len({record.digest for record in records}) >= 12
        assert one.asks >= 1
