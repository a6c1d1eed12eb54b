"""The public names, and the cost of importing them."""

import ast
import inspect
import subprocess
import sys
from dataclasses import fields
from itertools import pairwise

import pytest
import torch
from torch import nn

import trainer


def test_every_public_name_is_there() -> None:
    assert {name: getattr(trainer, name) for name in trainer.__all__}.keys() == set(dir(trainer))
    assert set(trainer._HOME) == set(trainer.__all__)


def test_texts_and_numbers_need_no_torch() -> None:
    code = (
        "import sys, trainer, trainer.proxies; trainer.Budget(); trainer.Recipe(); trainer.Report; trainer.DataError;"
        "trainer.NAMES; trainer.proxies.PROXIES;"
        "print(sorted(sys.modules.keys() & {'torch', 'numpy', 'sklearn', 'torchvision', 'PIL'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = trainer.nonsense


@pytest.mark.parametrize("kind", [trainer.Recipe, trainer.Budget, trainer.Report, trainer.Row])
def test_every_field_has_a_sentence_below_it(kind: type) -> None:
    (tree,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(tree, ast.ClassDef)
    documented = {
        field.target.id
        for field, below in pairwise(tree.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
    }
    assert documented == {field.name for field in fields(kind)}  # type: ignore[arg-type]


def test_a_training_step_of_ones_own(two_exits: nn.Module) -> None:
    batch = trainer.Batch(torch.zeros(4, 1, 8, 8), torch.arange(4))
    logits = trainer.exits(two_exits, batch.x, 10)
    assert [one.shape for one in logits] == [(4, 10), (4, 10)]
    weights = trainer.exit_weights(two_exits, len(logits))
    by_hand = sum(
        w * nn.functional.cross_entropy(one, batch.y) for w, one in zip(weights, logits, strict=True)
    )
    assert trainer.exit_loss(logits, batch, weights, 0.0).equal(by_hand)
