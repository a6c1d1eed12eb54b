"""The drawn splits as laws: every class in its share, and no patient in two of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.trainer.data.made import counts, pixels, put, refusal
from trainer import DataError, load
from trainer.data.raw import Part
from trainer.data.split import divide, drawn, folds

NAMES = tuple("abcdef")


@settings(deadline=None)
@given(
    st.lists(st.integers(2, 60), min_size=2, max_size=6),
    st.sampled_from([0.15, 0.2, 0.5]),
    st.integers(0, 99),
)
def test_each_class_is_drawn_in_its_share(sizes: list[int], share: float, seed: int) -> None:
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    rest, chosen = divide(y, share, seed)
    assert sorted([*rest, *chosen]) == list(range(len(y)))
    for label, size in enumerate(sizes):
        ours = int((y[chosen] == label).sum())
        assert 1 <= ours < size and abs(ours - share * size) <= 1
    again = divide(y, share, seed)
    assert all(np.array_equal(a, b) for a, b in zip((rest, chosen), again, strict=True))


@settings(deadline=None)
@given(st.integers(5, 30), st.integers(2, 4), st.integers(0, 99), st.sampled_from([0.15, 0.2]))
def test_a_group_is_in_one_split_alone(patients: int, classes: int, seed: int, share: float) -> None:
    stream = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), stream.integers(1, 6, size=patients))
    part = Part(
        np.zeros((len(groups), 1, 1, 1), np.uint8), stream.integers(classes, size=len(groups)), groups
    )
    try:
        rest, chosen = drawn(part, share, seed, NAMES)
    except DataError as error:
        assert "stands in too few groups to be in every split" in str(error)
        return
    assert rest.groups is not None and chosen.groups is not None
    assert not set(rest.groups.tolist()) & set(chosen.groups.tolist())
    assert len(rest) + len(chosen) == len(part)
    assert set(rest.y.tolist()) == set(chosen.y.tolist()) == set(part.y.tolist())


def photos(folder: Path, patients: int = 12, each: int = 3) -> dict[bytes, int]:
    """Write photos of patients into two class folders; return the patient of each image."""
    known = {}
    for number in range(patients * each):
        patient = number // each
        target = folder / ("ill" if patient % 2 else "well") / f"ward1_pat{patient:02}_{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(number)).save(target)
        known[pixels(number).transpose(2, 0, 1).tobytes()] = patient
    return known


@pytest.mark.parametrize("pattern", [r"pat\d+", r"_(pat\d+)_", r"ward\d_(?P<patient>pat\d\d)"])
def test_file_names_say_the_group(tmp_path: Path, pattern: str) -> None:
    known = photos(tmp_path / "photos")
    data = load(tmp_path / "photos", group=pattern)
    found = [{known[x.numpy().tobytes()] for x in split.x} for split in (data.train, data.valid, data.test)]
    assert sum(map(len, found)) == 12 and sum(counts(data)) == 36  # every patient in one split alone
    assert all(len(split.y.unique()) == 2 for split in (data.train, data.valid, data.test))
    assert data.seen.origins[2] == "drawn: 20% of each class, in whole groups"
    plain = load(tmp_path / "photos")
    mixed = [{known[x.numpy().tobytes()] for x in split.x} for split in (plain.train, plain.test)]
    assert mixed[0] & mixed[1]  # without it, one patient is trained on and tested


def test_a_pattern_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    photos(tmp_path / "photos")
    Image.fromarray(pixels(99)).save(tmp_path / "photos" / "ill" / "new.png")
    said = refusal(tmp_path / "photos", group=r"pat(\d+)")
    assert "new.png has no part that group: 'pat(\\\\d+)' describes (1 of 37 files in all)" in said
    assert "which is no regular expression" in refusal(tmp_path / "photos", group="pat(")
    assert "it must have one pair of brackets" in refusal(tmp_path / "photos", group="(p)(a)")


def test_given_splits_with_one_group_in_both_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "train", count=6)
    put(tmp_path / "test")
    said = refusal(tmp_path, group=r"(\d+)\.png")
    assert "the group 0 is in train and in test; move all of its images to one of them" in said
    for file in (tmp_path / "test").rglob("*.png"):
        file.rename(file.with_name(f"7{file.name}"))
    assert counts(load(tmp_path, group=r"(\d+)\.png"))[2] == 10


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(5, 40), min_size=2, max_size=4), st.integers(2, 5), st.integers(0, 99))
def test_each_fold_has_its_share_of_each_class(sizes: list[int], count: int, seed: int) -> None:
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    x = np.arange(len(y)).astype(np.uint8).reshape(-1, 1, 1, 1)
    found = folds(Part(x, y), count, seed, NAMES)
    validated = [chosen.x.ravel().tolist() for _, chosen in found]
    assert sorted(place for each in validated for place in each) == list(range(len(y)))  # each image once
    for rest, chosen in found:
        assert sorted([*rest.x.ravel(), *chosen.x.ravel()]) == list(range(len(y)))
        for label, size in enumerate(sizes):
            assert abs((chosen.y == label).sum() - size / count) < 1
    assert max(map(len, validated)) - min(map(len, validated)) <= 1


@pytest.mark.parametrize("is_multilabel", [False, True])
def test_folds_keep_groups_whole(is_multilabel: bool) -> None:
    stream = np.random.default_rng(0)
    groups = np.arange(120) // 3
    y = stream.integers(2, size=(120, 3)) if is_multilabel else stream.integers(3, size=120)
    found = folds(Part(np.zeros((120, 1, 1, 1), np.uint8), y, groups), 4, 0, NAMES)
    sides = [set(chosen.groups.tolist()) for _, chosen in found if chosen.groups is not None]
    assert sum(map(len, sides)) == 40 and len(set.union(*sides)) == 40
    assert all(20 <= len(chosen) <= 40 for _, chosen in found)


def test_too_many_folds_are_refused(tmp_path: Path) -> None:
    put(tmp_path, count=6)
    assert counts(load(tmp_path, folds=4)) == [7, 3, 2]
    assert "stands in too few images for 6 folds; take fewer folds" in refusal(tmp_path, folds=6)
    put(tmp_path / "own" / "train", count=6)
    put(tmp_path / "own" / "valid")
    put(tmp_path / "own" / "test")
    assert "has validation images of its own" in refusal(tmp_path / "own", folds=3)
