"""Muon: its steps are orthogonal, are torch's, and are SGD's on vectors."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from trainer import Recipe
from trainer.loop.optimizer import optimizer_of
from trainer.recipe import muon
from trainer.recipe.muon import newton_schulz, orthogonal

MUON = Recipe(optimizer="muon", lr=0.1, weight_decay=0.0)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def plain(matrix: Tensor) -> Tensor:
    """Return the step of a matrix, neither padded nor in a batch."""
    rows, columns = matrix.shape
    wide = matrix.mT if rows > columns else matrix
    made = newton_schulz(wide[None])[0] * max(1.0, rows / columns) ** 0.5
    return made.mT if rows > columns else made


def turned(matrix: Tensor) -> Tensor:
    """Return the step of a matrix without its scale."""
    rows, columns = matrix.shape
    return orthogonal([matrix])[0] / max(1.0, rows / columns) ** 0.5


@given(
    rows=st.integers(1, 40), columns=st.integers(1, 40), seed=st.integers(0, 99), power=st.integers(-15, 15)
)
def test_a_step_is_finite_and_never_longer_than_an_orthogonal_one(
    rows: int, columns: int, seed: int, power: int
) -> None:
    matrix = random(rows, columns, seed=seed) * 10.0**power
    made = turned(matrix)
    assert made.isfinite().all()
    assert torch.linalg.matrix_norm(made, ord=2) < 1.3
    assert (made * matrix).sum() >= 0, "it points where the matrix points"


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (6, 6)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    """Those above a tenth of the largest, and the singular vectors stay."""
    u, _, v = torch.linalg.svd(random(*shape), full_matrices=False)
    values = torch.linspace(1.0, 0.2, min(shape))
    found = u.mT @ turned(u @ values.diag() @ v) @ v.mT
    assert torch.allclose(found, found.diag().diag(), atol=1e-4)
    assert ((found.diag() > 0.5) & (found.diag() < 1.3)).all(), found.diag()


@given(st.lists(st.tuples(*[st.integers(1, 9)] * 3, st.integers(0, 9)), min_size=1, max_size=6))
def test_kernels_of_several_sizes_run_together_as_alone(kernels: list[tuple[int, int, int, int]]) -> None:
    steps = [random(out, channels, side, side, seed=seed) for out, channels, side, seed in kernels]
    for together, step in zip(orthogonal([*steps, random(4)]), [*steps, random(4)], strict=True):
        assert together.shape == step.shape
        alone = step if step.ndim == 1 else plain(step.flatten(1)).view_as(step)
        torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("nesterov", [True, False])
def test_on_matrices_it_is_torch_s(nesterov: bool) -> None:
    """torch's has momenta of another scale, which orthogonal steps do not have, and bfloat16."""
    ours = nn.Linear(12, 5, bias=False)
    theirs = copy.deepcopy(ours)
    made = optimizer_of(ours, Recipe(optimizer="muon", lr=0.1, weight_decay=0.5, nesterov=nesterov))
    reference = torch.optim.Muon(
        theirs.parameters(), lr=0.1, weight_decay=0.5, momentum=0.9, nesterov=nesterov, ns_steps=muon.STEPS
    )
    for seed in range(4):
        ours.weight.grad = random(5, 12, seed=seed)
        theirs.weight.grad = ours.weight.grad.clone()
        made.step()
        reference.step()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=0.05, atol=0.01)


def test_on_vectors_it_is_sgd() -> None:
    ours, theirs = nn.BatchNorm1d(7), nn.BatchNorm1d(7)
    steps = [
        (ours, optimizer_of(ours, MUON)),
        (theirs, optimizer_of(theirs, Recipe(optimizer="sgd", lr=0.1))),
    ]
    for seed in range(4):
        for module, optimizer in steps:
            for parameter in module.parameters():
                parameter.grad = random(7, seed=seed)
            optimizer.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("as_on", ["cpu", "gpu"])
def test_gradients_are_scaled_and_a_bad_step_changes_nothing(
    as_on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if as_on == "gpu":  # no number is read on the host there
        monkeypatch.setattr(muon, "_on_host", lambda number, absent: absent if number is None else number)

    def stepped(**given: Any) -> list[Tensor]:
        module = nn.Linear(3, 2)
        with torch.no_grad():
            module.weight.copy_(random(2, 3)), module.bias.zero_()
        optimizer: Any = optimizer_of(module, MUON)
        for parameter in module.parameters():
            parameter.grad = torch.full_like(parameter, 8.0 if given.get("found_inf") != 1 else float("nan"))
        for name, value in given.items():
            setattr(optimizer, name, torch.tensor(value))
        optimizer.step()
        return [*module.parameters()]

    plain, scaled = stepped(), stepped(grad_scale=4.0, found_inf=0.0)
    still = stepped(grad_scale=float("nan"), found_inf=1.0)
    assert torch.allclose(scaled[0], plain[0]), "an orthogonal step has one length"
    assert torch.allclose(scaled[1], plain[1] / 4)
    assert torch.equal(still[0], random(2, 3)) and not still[1].any()
