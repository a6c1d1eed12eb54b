"""Data sets of many kinds, as people have them: none is read wrong, and what is refused is read by the mend."""

from collections import Counter
from pathlib import Path

import pytest

from tests.trainer.data.kinds import (
    archives,
    array_files,
    containers,
    folders,
    matlab_hdf5,
    others,
    pictures,
    tables,
    unclear_folders,
)
from tests.trainer.data.kinds.kind import KINDS, Kind, check, loaded
from tests.trainer.data.made import refusal

# importing them registers their kinds
FAMILIES = (
    archives,
    array_files,
    containers,
    folders,
    matlab_hdf5,
    others,
    pictures,
    tables,
    unclear_folders,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.make.__name__)
def test_every_kind_is_read_right_or_refused_with_the_mend(kind: Kind, tmp_path: Path) -> None:
    path = kind.make(tmp_path) or tmp_path
    if kind.refused:
        assert kind.refused in refusal(path)
    if kind.read is not None:
        check(loaded(path, kind.read), kind.read)


def test_there_are_many_kinds_and_none_twice() -> None:
    assert len(KINDS) >= 190
    assert max(Counter(kind.about for kind in KINDS).values()) == 1
