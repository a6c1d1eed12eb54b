"""torch.compile gives the results of eager execution: every node type and motif, forward and backward."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import genome
from genome.network import Network
from genome.testing import around

WORDS = genome.words()
# drop-path is off, so that two runs are equal; networks with drop-path follow below
GENES: dict[str, dict[str, Any]] = {
    "clique": {"nodes": 2},
    "dense": {"layers": 2},
    "fractal": {"columns": 2, "drop_path": 0.0, "whole": 0.0},
    "perturb": {"masks": 4, "order": "act-mix"},
    "stack": {"depth": 1},
}
EVALUATED = (
    "active",
    "conv",
    "dense",
    "exit",
    "fractal",
)  # the others compute in training what they do afterwards
DROPPING = """\
genome: g
input: [3, 8, 8]
classes: 5
nodes:
  a: {op: conv, in: [image], width: 4}
  f: {op: fractal, in: [a], width: 4, columns: 3, drop_path: 0.3, whole: 0.5}
  b: {op: conv, in: [f], width: 4}
  z: {op: add, in: [b, f], drop_path: 0.5}
  out: {op: exit, in: [z]}
"""


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Reset torch.compile: earlier graphs count towards a limit of recompilations."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def trained(run: Callable[[Tensor], tuple[Tensor, ...]], net: Network, x: Tensor) -> list[Tensor]:
    """Return the logits, then the gradients of all weights. Every run has the same seed."""
    torch.manual_seed(0)
    logits = run(x)
    sum(out.square().sum() for out in logits).backward()
    return [*logits, *(p.grad if p.grad is not None else torch.zeros_like(p) for p in net.parameters())]


def compare(plan: genome.Plan, backend: str, training: bool, exact: float = 1e-4) -> None:
    eager = genome.build(plan).train(training)
    net = copy.deepcopy(eager)
    compiled = torch.compile(net, backend=backend, fullgraph=True)
    x = torch.randn(4, *plan.genome.input, generator=torch.Generator().manual_seed(0))
    if training:
        for ours, theirs in zip(trained(compiled, net, x), trained(eager, eager, x), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=exact, atol=exact)
        for ours, theirs in zip(net.buffers(), eager.buffers(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=exact, atol=exact)
    else:
        with torch.no_grad():
            for ours, theirs in zip(compiled(x), eager(x), strict=True):
                torch.testing.assert_close(ours, theirs, rtol=exact, atol=exact)


@pytest.mark.parametrize(
    ("word", "training"),
    [
        *((word, True) for word in WORDS),
        *(pytest.param(word, False, marks=[] if word in EVALUATED else pytest.mark.slow) for word in WORDS),
    ],
)
def test_compiled_is_eager(word: str, training: bool) -> None:
    inputs = 3 if word in ("add", "mean", "concat", "exit", "conv") else 1
    compare(genome.resolve(around(genome.lookup(word)(**GENES.get(word, {})), inputs)), "aot_eager", training)


def test_a_network_that_drops_paths_runs_compiled() -> None:
    """Chance chooses the live paths outside the graph; each choice has its own graph."""
    eager = genome.build(genome.resolve(genome.loads(DROPPING))).train()
    net = copy.deepcopy(eager)
    compiled = torch.compile(net, backend="aot_eager")
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for seed in range(4):
        grads = []
        for run, module in ((compiled, net), (eager, eager)):
            torch.manual_seed(seed)
            module.zero_grad(set_to_none=True)
            (logits,) = run(x)
            logits.square().sum().backward()
            grads.append([logits, *(p.grad for p in module.parameters())])
        for ours, theirs in zip(*grads, strict=True):
            assert (ours is None) == (theirs is None)  # None where a path was dropped
            if ours is not None:
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("word", ["conv", "clique", "fractal", "active", "perturb", "squeeze", "residual"])
def test_inductors_code_is_eager(word: str, training: bool) -> None:
    compare(genome.resolve(around(genome.lookup(word)(**GENES.get(word, {})), 1)), "inductor", training, 1e-3)


@pytest.mark.slow
def test_a_network_that_drops_paths_trains_under_inductor() -> None:
    net = genome.build(genome.resolve(genome.loads(DROPPING))).train()
    compiled = torch.compile(net)
    for seed in range(12):  # more than dynamo's limit of graphs: the rest runs eagerly
        torch.manual_seed(seed)
        net.zero_grad(set_to_none=True)
        compiled(torch.randn(4, 3, 8, 8))[0].square().sum().backward()
        assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)
