"""Balanced training: the weights of the loss against scikit-learn and torch, the order of the images as a law."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn

from trainer import Batch, Data, DataError, Recipe, Split, evaluate, exit_loss, fit
from trainer.data.augment import Augment
from trainer.data.balance import balanced_order, class_weights
from trainer.data.batches import Epochs, Normalise
from trainer.hardware.precision import Form

PLAIN = Recipe(precision="fp32", layout="contiguous", epochs=6, batch=16, crop=0)
UNEQUAL = st.lists(st.integers(0, 4), min_size=2, max_size=60).filter(lambda y: len(set(y)) > 1)


def data_of(x: Tensor, y: Tensor, classes: int) -> Data:
    split = Split(x, y)
    names = tuple(f"c{k}" for k in range(classes))
    return Data("made", (1, 2, 2), names, split, split, split, (0.5,), (0.25,), False)


@settings(deadline=None)
@given(UNEQUAL)
def test_the_weights_are_those_of_scikit_learn(labels: list[int]) -> None:
    y = torch.tensor(labels)
    data = data_of(torch.zeros(len(y), 1, 2, 2, dtype=torch.uint8), y, 5)
    found = class_weights(replace(PLAIN, balance="weights"), data)
    assert found is not None
    present = sorted(set(labels))
    wanted = compute_class_weight("balanced", classes=np.asarray(present), y=labels)
    # ours has the absent classes too, which no image weighs
    assert found[present].tolist() == pytest.approx((wanted * len(present) / 5).tolist())
    if len(present) == 5:
        assert found[y].mean().item() == pytest.approx(1.0)
    assert class_weights(PLAIN, data) is None


@settings(deadline=None)
@given(UNEQUAL, st.integers(0, 1000), st.floats(0, 0.9), st.booleans())
def test_the_loss_of_an_image_is_multiplied_by_the_weight_of_its_class(
    labels: list[int], seed: int, smoothing: float, is_mixed: bool
) -> None:
    stream = torch.Generator().manual_seed(seed)
    y, logits = torch.tensor(labels), torch.randn(len(labels), 5, generator=stream)
    weights = torch.rand(5, generator=stream) + 0.1
    each = F.cross_entropy(logits, y, label_smoothing=smoothing, reduction="none") * weights[y]
    batch = Batch(logits, y)
    if is_mixed:
        other, share = y.flip(0), torch.tensor(0.3)
        mixed_in = (
            F.cross_entropy(logits, other, label_smoothing=smoothing, reduction="none") * weights[other]
        )
        batch, each = Batch(logits, y, other, share), 0.3 * each + 0.7 * mixed_in
    found = exit_loss((logits, logits), batch, (1.0, 0.5), smoothing, class_weights=weights)
    assert found.item() == pytest.approx(1.5 * each.mean().item(), rel=1e-5)
    if (
        smoothing == 0 and not is_mixed
    ):  # as torch weighs, but for the divisor, which parts of a batch may share
        torch_s = F.cross_entropy(logits, y, weights, reduction="sum") / len(y)
        assert found.item() == pytest.approx(1.5 * torch_s.item(), rel=1e-5)


@settings(deadline=None)
@given(UNEQUAL, st.integers(0, 1000))
def test_every_class_is_drawn_equally_often(labels: list[int], seed: int) -> None:
    y = torch.tensor(labels)
    order = balanced_order(y, torch.Generator().manual_seed(seed))
    assert len(order) == len(y)
    by_class = Counter(y[order].tolist())
    assert by_class.keys() == set(labels) and max(by_class.values()) - min(by_class.values()) <= 1
    by_image = Counter(order.tolist())
    for label in set(labels):
        drawn = [by_image[i] for i, one in enumerate(labels) if one == label]
        assert max(drawn) - min(drawn) <= 1
    assert order.equal(balanced_order(y, torch.Generator().manual_seed(seed)))


def test_an_epoch_is_balanced_and_goes_on_in_its_middle(digits: Data) -> None:
    rare = torch.cat(
        [torch.nonzero(digits.train.y != 3).flatten(), torch.nonzero(digits.train.y == 3)[:5, 0]]
    )
    split = Split(digits.train.x[rare], digits.train.y[rare])
    form = Form("fp32", "contiguous")
    epochs = Epochs(split, Normalise(digits, torch.device("cpu"), form), Augment(1), 32, 0, balanced=True)
    whole = list(epochs.epoch(2))
    counts = torch.bincount(torch.cat([batch.y for batch in whole]))
    assert counts.max() - counts.min() <= 1 + 1  # a last batch of one image is dropped
    rest = list(epochs.epoch(2, first=7))
    assert all(a.x.equal(b.x) and a.y.equal(b.y) for a, b in zip(whole[7:], rest, strict=True))
    assert not torch.cat([b.y for b in whole]).equal(torch.cat([b.y for b in epochs.epoch(3)]))


@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_rare_classes_are_found_that_else_are_not(balance: str) -> None:
    """Two overlapping classes of 95 and 5 %: unbalanced, the network nearly always says the frequent one."""
    stream = torch.Generator().manual_seed(0)
    y = (torch.arange(400) % 20 == 0).long()
    values = 110 + 30 * y + 25 * torch.randn(400, generator=stream)
    data = data_of(values.clamp(0, 255).to(torch.uint8)[:, None, None, None].repeat(1, 1, 2, 2), y, 2)

    def trained(recipe: Recipe) -> float:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        fit(module, data, recipe=recipe)
        return evaluate(module, data.valid, data).balanced_accuracy

    assert trained(PLAIN) < 0.6 and trained(replace(PLAIN, balance=balance)) > 0.68


def test_several_labels_are_weighed_each_and_never_drawn_equally() -> None:
    y = torch.tensor([[1, 1], [0, 1], [0, 1], [0, 0]])
    data = data_of(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), y, 2)
    found = class_weights(replace(PLAIN, balance="weights"), data)
    assert found is not None and found.tolist() == [[pytest.approx(2 / 3), 2.0], [2.0, pytest.approx(2 / 3)]]
    logits = torch.tensor([[0.5, -1.0]] * 4)
    weights = torch.where(y == 1, found[1], found[0])
    each = F.binary_cross_entropy_with_logits(logits, y.float(), reduction="none") * weights
    loss = exit_loss((logits,), Batch(logits, y), (1.0,), 0.0, class_weights=found)
    assert loss.item() == pytest.approx(each.mean().item())
    with pytest.raises(DataError, match="balance is sampling, but an image of made may have several labels"):
        fit(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), data, recipe=replace(PLAIN, balance="sampling"))
