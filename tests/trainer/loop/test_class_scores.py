"""Balanced accuracy and macro F1 against scikit-learn, and the training that is best by them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score
from torch import Tensor, nn

from trainer import Data, Recipe, Report, Split, evaluate, fit
from trainer.loop.best_weights import better
from trainer.loop.evaluation import Scores
from trainer.report import Row


class Answers(nn.Module):
    """Says of each image the class that its first pixel names."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        said = (x[:, 0, 0, 0] * 255).round().long()
        return torch.eye(self.classes)[said] * 9


def data_of(labels: Sequence[int], said: Sequence[int], classes: int = 4) -> Data:
    x = torch.tensor(said, dtype=torch.uint8)[:, None, None, None].repeat(1, 1, 2, 2)
    split = Split(x, torch.tensor(labels))
    return Data("d", (1, 2, 2), tuple("abcd"[:classes]), split, split, split, (0.0,), (1.0,), False)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels, said = (list(one) for one in zip(*pairs, strict=True))
    data = data_of(labels, said)
    found = evaluate(Answers(4), data.valid, data, batch=7)
    recalls = [
        sum(y == s for y, s in pairs if y == label) / labels.count(label) for label in sorted(set(labels))
    ]
    assert found.balanced_accuracy == pytest.approx(sum(recalls) / len(recalls))
    if len(set(labels)) > 1 and set(said) <= set(labels):  # otherwise scikit-learn warns
        assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, said))
    assert found.macro_f1 == pytest.approx(f1_score(labels, said, average="macro"))


def test_always_saying_the_majority_is_worth_little() -> None:
    data = data_of([0] * 98 + [1] * 2, [0] * 100, classes=2)
    found = evaluate(Answers(2), data.valid, data)
    assert (found.accuracy, found.balanced_accuracy) == (0.98, 0.5) and found.macro_f1 < 0.5


def test_the_best_weights_are_those_of_the_goal() -> None:
    module = nn.Linear(1, 1)
    accurate = Scores(0.98, 0.3, (0.98,), balanced_accuracy=0.5, macro_f1=0.49)
    balanced = Scores(0.9, 0.4, (0.9,), balanced_accuracy=0.9, macro_f1=0.8)
    row: Any = Row(1, True, 1.0, 1.0, 1.0, 1.0, 1.0)
    later: Any = Row(2, True, 1.0, 1.0, 1.0, 1.0, 1.0)
    for goal, epoch in (("accuracy", 1), ("balanced_accuracy", 2), ("macro_f1", 2)):
        first = better(module, None, row, accurate, goal)
        assert better(module, first, later, balanced, goal).epoch == epoch


def test_a_training_reports_them_and_older_reports_are_read(digits: Data) -> None:
    from torch.nn import Flatten, Linear, Sequential

    report = fit(Sequential(Flatten(), Linear(64, 10)), digits, recipe=Recipe(epochs=2), goal="macro_f1")
    assert report.valid_balanced_accuracy and report.valid_macro_f1
    assert report.valid_macro_f1 == max(row.valid_macro_f1 or 0 for row in report.curve)
    plain = json.loads(report.to_json())
    assert Report.from_dict(plain).curve == report.curve
    for one in (plain, *plain["curve"]):
        del one["valid_balanced_accuracy"], one["valid_macro_f1"], one["valid_auc"]
    del plain["by_class"], plain["confusion"]
    assert Report.from_dict(plain).valid_macro_f1 is None


def test_an_unknown_goal_is_refused(digits: Data) -> None:
    with pytest.raises(
        ValueError, match="goal is 'f2'; it may be accuracy, balanced_accuracy, macro_f1, auc"
    ):
        fit(nn.Linear(1, 1), digits, goal="f2")
