"""evaluation.json: what is computed of a network's answers, and files that are refused."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from genome.exits.calibration import BINS, calibration_error, expected_error, reliability
from search.results.evaluation.evaluation import SHEET_IMAGES, WORST, evaluation
from search.results.evaluation.file import of_json, to_json
from search.results.evaluation.findings import confusions, recalls
from tests.search.dashboard.evaluated import SHA, drawn, pictures, scores_of
from trainer.data.data import Split
from trainer.data.sheet import thumbnail


def test_the_bins_are_those_of_the_calibration_error() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 2, (400, 5)), rng.integers(0, 5, 400)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    confidence, right = shares.max(1), shares.argmax(1) == labels
    bins = reliability(confidence, right)
    assert len(bins) == BINS and sum(one.answers for one in bins) == 400
    for i, one in enumerate(bins):
        inside = (confidence >= i / BINS) & (confidence < (i + 1) / BINS)
        assert one.answers == inside.sum()
        if one.answers:
            assert one.confidence == pytest.approx(confidence[inside].mean())
            assert one.accuracy == pytest.approx(right[inside].mean())
    assert expected_error(bins) == pytest.approx(calibration_error(logits, labels))
    assert reliability(np.array([1.0]), np.array([True]))[-1] == (1, 1.0, 1.0), "certainty has a bin"


def test_the_worst_answers_come_first_with_their_probabilities() -> None:
    data, logits = pictures(), drawn()
    found = evaluation(scores_of(data, logits), data, SHA)
    assert found is not None and len(found.worst) == WORST
    shares, y = logits.softmax(1), data.valid.y
    losses = -shares[torch.arange(len(y)), y].log()
    assert [one.number for one in found.worst] == losses.argsort(descending=True)[:WORST].tolist()
    for one in found.worst:
        assert one.wanted == [int(y[one.number])] and one.said == [int(logits[one.number].argmax())]
        assert one.is_right == (one.wanted == one.said)
        told = dict(one.probabilities)
        assert {*one.wanted, *one.said} <= set(told) and list(told.values()) == sorted(
            told.values(), reverse=True
        )
        for label, share in told.items():
            assert share == pytest.approx(float(shares[one.number, label]), abs=1e-6)
        shown = np.asarray(Image.open(io.BytesIO(one.png)))
        assert (shown == data.valid.x[one.number, 0].numpy()).all(), "the pixels of that validation image"
    right = (logits.argmax(1) == y).sum()
    assert found.errors == len(y) - int(right)
    assert confusions(found) == sorted(confusions(found), key=lambda one: -one.images)
    assert sum(one.images for one in confusions(found)) == found.errors
    known = [one.recall for one in recalls(found) if one.recall is not None]
    assert known == sorted(known)
    assert [row.shown for row in found.sheet] == [min(row.images, SHEET_IMAGES) for row in found.sheet]


def test_several_labels_an_image() -> None:
    data = pictures()
    marks = torch.randint(0, 2, (len(data.valid), 3), generator=torch.Generator().manual_seed(0))
    train = Split(data.train.x, torch.eye(3, dtype=torch.int64)[data.train.y])
    several = replace(data, train=train, valid=Split(data.valid.x, marks))
    logits = drawn()
    found = evaluation(scores_of(several, logits), several, SHA)
    assert found is not None and found.is_multilabel and found.confusion is None
    assert sum(one.answers for one in found.reliability) == marks.numel()
    for one in found.worst:
        assert one.wanted == marks[one.number].nonzero().flatten().tolist()
        assert one.said == (logits[one.number] > 0).nonzero().flatten().tolist()
    assert of_json(json.loads(json.dumps(to_json(found)))) == found


def test_answers_that_are_no_numbers_have_no_evaluation() -> None:
    data, logits = pictures(), drawn()
    logits[3, 1] = math.nan
    assert evaluation(scores_of(data, logits), data, SHA) is None


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    data = pictures()
    found = evaluation(scores_of(data, drawn()), data, SHA)
    assert found is not None
    return json.loads(json.dumps(to_json(found)))


def test_it_is_read_back_as_it_was(plain: dict[str, Any]) -> None:
    data = pictures()
    assert of_json(plain) == evaluation(scores_of(data, drawn()), data, SHA)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"classes": 3},
        {"classes": ["a", "b"]},
        {"images": -1},
        {"images": True},
        {"accuracy": 1.5},
        {"accuracy": "1"},
        {"loss": math.inf},
        {"by_class": {"images": [1, 2, 3]}},
        {"confusion": [[1, 2, 3]]},
        {"confusion": [[1, 2, 3], [0, 1.5, 2], [1, 1, 1]]},
        {"reliability": [{"answers": 1, "confidence": 2, "accuracy": 0}]},
        {"worst": [{"number": 0}]},
        {"worst": None},
        {"sheet": [{"label": 3, "images": 1, "shown": 1, "png": ""}]},
        {"sheet": [{"label": 0, "images": 1, "shown": 1, "png": "PHN2Zz4="}]},
        {"weights": None},
    ],
    ids=str,
)
def test_anything_else_is_refused(plain: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        of_json({**plain, **change})


def test_a_large_picture_becomes_small_and_a_deep_one_eight_bits() -> None:
    large = Image.open(io.BytesIO(thumbnail(torch.full((3, 300, 150), 65535, dtype=torch.uint16), 96)))
    assert large.size == (48, 96) and large.getextrema() == ((255, 255),) * 3
