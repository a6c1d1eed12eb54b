"""The area under the ROC curve against scikit-learn, with ties, and as the goal of a training."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn
from sklearn.metrics import confusion_matrix, roc_auc_score
from torch import Tensor, nn
from torch.nn import Flatten, Linear, Sequential

from trainer import Data, Recipe, Split, evaluate, fit
from trainer.loop.auc import aucs

LOGITS = drawn.arrays(
    np.float32, st.tuples(st.integers(2, 40), st.integers(2, 5)), elements=st.integers(-3, 3)
)  # few values, so that many are equal


class Logits(nn.Module):
    """Gives logits that were set before; the first pixel of an image is its number."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, x: Tensor) -> Tensor:
        return self.logits[(x[:, 0, 0, 0] * 255).round().long()]


def data_of(labels: Tensor, classes: int) -> Data:
    x = torch.arange(len(labels)).to(torch.uint8)[:, None, None, None].repeat(1, 1, 2, 2)
    split = Split(x, labels)
    return Data("d", (1, 2, 2), tuple("abcdef"[:classes]), split, split, split, (0.0,), (1.0,), False)


@settings(deadline=None, max_examples=80)
@given(LOGITS, st.randoms(use_true_random=False))
def test_it_is_that_of_scikit_learn(logits: np.ndarray, chance: object) -> None:
    images, classes = logits.shape
    y = np.asarray([chance.randrange(classes) for _ in range(images)])  # type: ignore[attr-defined]
    probabilities = torch.from_numpy(logits).double().softmax(1).numpy()
    data = data_of(torch.from_numpy(y), classes)
    found = evaluate(Logits(torch.from_numpy(logits)), data.valid, data, batch=7)
    defined = [k for k in range(classes) if 0 < (y == k).sum() < images]
    each = [roc_auc_score(y == k, probabilities[:, k].round(12)) for k in defined]
    told = found.by_class["auc"]
    assert [k for k in range(classes) if told[k] is not None] == defined
    assert [told[k] for k in defined] == pytest.approx(each)
    assert found.auc == (pytest.approx(sum(each) / len(each)) if each else None)
    if len(defined) == classes > 2:
        assert found.auc == pytest.approx(
            roc_auc_score(y, probabilities.round(12), multi_class="ovr", average="macro")
        )
    if len(defined) == classes == 2:  # the usual one
        assert found.auc == pytest.approx(roc_auc_score(y, logits[:, 1] - logits[:, 0]))
    matrix = confusion_matrix(y, logits.argmax(1), labels=range(classes))
    assert found.confusion == matrix.tolist()
    assert found.by_class["images"] == matrix.sum(1).tolist()
    assert found.by_class["predicted"] == matrix.sum(0).tolist()
    assert found.by_class["right"] == matrix.diagonal().tolist()


def test_sure_answers_are_ordered_too() -> None:
    """Probabilities that are 1.0 in every number format still differ by their logits."""
    logits = torch.tensor([[0.0, 200.0], [0.0, 100.0], [0.0, 300.0]])
    assert aucs(logits, torch.tensor([0, 0, 1])).tolist() == [1.0, 1.0]


def test_equal_answers_are_worth_half() -> None:
    found = aucs(torch.zeros(6, 3), torch.tensor([0, 0, 1, 1, 0, 1]))
    assert found[:2].tolist() == [0.5, 0.5] and math.isnan(found[2])


def test_many_classes_are_each_against_all_others() -> None:
    stream = torch.Generator().manual_seed(0)
    logits, y = torch.randn(300, 150, generator=stream), torch.arange(300) % 150
    each = [roc_auc_score(y.numpy() == k, logits.log_softmax(1)[:, k].numpy()) for k in range(150)]
    assert aucs(logits, y).tolist() == pytest.approx(each)


def test_a_training_keeps_the_epoch_that_is_best_by_it(digits: Data) -> None:
    report = fit(Sequential(Flatten(), Linear(64, 10)), digits, recipe=Recipe(epochs=2), goal="auc")
    assert report.valid_auc == max(row.valid_auc or 0 for row in report.curve) > 0.9
    assert report.confusion is not None and sum(map(sum, report.confusion)) == len(digits.valid)
