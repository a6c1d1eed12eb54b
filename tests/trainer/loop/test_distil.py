"""Distillation: earlier exits learn the answers of the last one."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import trainer
from trainer import Recipe
from trainer.data.batches import Batch
from trainer.loop.loss import SOFTNESS, exit_loss

WEIGHTS = (0.5, 0.25, 1.0)


def three_exits() -> tuple[tuple[Tensor, ...], Batch]:
    rng = torch.Generator().manual_seed(3)
    logits = tuple(torch.randn(6, 4, generator=rng).requires_grad_() for _ in WEIGHTS)
    return logits, Batch(torch.zeros(6, 1, 2, 2), torch.arange(6) % 4)


def gradients(distil: float, labels: Tensor | None = None) -> tuple[Tensor, ...]:
    logits, batch = three_exits()
    batch = batch if labels is None else batch._replace(y=labels)
    return torch.autograd.grad(exit_loss(logits, batch, WEIGHTS, 0.1, distil), logits)


def test_the_loss_is_that_of_the_labels_and_of_the_last_exit_by_their_shares() -> None:
    logits, batch = three_exits()
    own = [F.cross_entropy(one, batch.y, label_smoothing=0.1) for one in logits]
    last = (logits[-1] / SOFTNESS).softmax(1)
    taught = [
        (last * (last.log() - (one / SOFTNESS).log_softmax(1))).sum(1).mean() * SOFTNESS**2
        for one in logits[:-1]
    ]
    shared = [0.7 * a + 0.3 * b for a, b in zip(own, taught, strict=False)]
    wanted = 0.5 * shared[0] + 0.25 * shared[1] + own[2]
    assert exit_loss(logits, batch, WEIGHTS, 0.1, 0.3).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_the_last_exit_learns_nothing_of_the_earlier_ones() -> None:
    assert torch.equal(gradients(0.0)[-1], gradients(1.0)[-1])


def test_with_all_of_the_share_earlier_exits_see_no_label() -> None:
    others = (torch.arange(6) + 1) % 4
    for mine, other in zip(gradients(1.0)[:-1], gradients(1.0, others)[:-1], strict=True):
        assert torch.equal(mine, other) and mine.abs().max() > 0
    assert not torch.equal(gradients(0.5)[0], gradients(0.5, others)[0])


def test_a_single_exit_is_trained_as_ever() -> None:
    logits, batch = three_exits()
    one, whole = logits[:1], exit_loss(logits[:1], batch, (1.0,), 0.0)
    assert torch.equal(exit_loss(one, batch, (1.0,), 0.0, 0.9), whole)


def test_a_training_distils(two_exits: nn.Module) -> None:
    """The softened answers of the earlier exit are nearer to those of the last one."""
    data, divergence = trainer.load("digits"), []
    for distil in (0.0, 0.5):
        module = deepcopy(two_exits)
        report = trainer.fit(module, data, recipe=Recipe(epochs=6, distil=distil))
        assert report.recipe["distil"] == distil
        with torch.no_grad():
            logits = trainer.exits(module.eval(), pixels(data), 10)
        first, last = ((one / SOFTNESS).log_softmax(1) for one in logits)
        divergence.append(float(F.kl_div(first, last, reduction="batchmean", log_target=True)))
    assert divergence[1] < 0.95 * divergence[0]


def pixels(data: trainer.Data) -> Tensor:
    x = torch.as_tensor(data.valid.x) / 255
    return (x - torch.tensor(data.mean).view(1, -1, 1, 1)) / torch.tensor(data.std).view(1, -1, 1, 1)
