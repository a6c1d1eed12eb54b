"""Frozen norms stay frozen: a norm in eval mode keeps its statistics, whichever form runs it, over drawn genomes."""

from __future__ import annotations

import copy
from random import Random

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import genome
from genome.network import NORMS, Network
from genome.ops._perturb import Streamed
from tests.by_hand import network
from tests.widest import widest

SPACE = widest()
MOST_MACS = 3_000_000
FRACTAL = """\
genome: g
input: [3, 8, 8]
classes: 5
nodes:
  f: {op: fractal, in: [image], columns: 3, width: 4, drop_path: 0, whole: 0, body: {op: BODY}}
  out: {op: exit, in: [f]}
"""


def one_by_one(net: Network) -> Network:
    """Return a copy that runs every layer by its module."""
    other = copy.deepcopy(net)
    other._siblings = {}
    for name, part in [*other.named_modules()]:
        if isinstance(part, Streamed):
            holder, _, last = name.rpartition(".")
            setattr(other.get_submodule(holder), last, nn.Sequential(*part))
    return other


def frozen(net: Network, rng: Random) -> None:
    """Freeze a random half of the norms, some with and some without a gradient, and leave no chance elsewhere."""
    net.joins = {}
    for part in net.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        if isinstance(part, NORMS) and rng.random() < 0.5:
            part.eval().requires_grad_(rng.random() < 0.5)


def state_of(net: Network, still: bool) -> dict[str, torch.Tensor]:
    """Return the running statistics of frozen norms and all weights without a gradient; else those of the others."""
    found = {}
    for name, part in net.named_modules():
        if isinstance(part, NORMS):
            found |= {f"{name}.{n}": b.clone() for n, b in part.named_buffers() if part.training != still}
            found |= {
                f"{name}.{n}": p.detach().clone()
                for n, p in part.named_parameters()
                if p.requires_grad != still
            }
    return found


def step(net: Network, x: torch.Tensor) -> list[torch.Tensor]:
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    logits = net(x)
    sum(out.square().mean() for out in logits).backward()  # type: ignore[union-attr]
    optimizer.step()
    return [out.detach() for out in logits]


def check(net: Network, seed: int) -> None:
    frozen(net, Random(seed))
    other = one_by_one(net)
    before = state_of(net, still=True)
    x = torch.randn(3, *net.plan_steps[0].ins[0], dtype=torch.float64)  # type: ignore[misc]
    for ours, theirs in zip(step(net, x), step(other, x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    after = state_of(net, still=True)
    assert all(torch.equal(before[name], after[name]) for name in before), "a frozen norm moved"
    for name, tensor in other.state_dict().items():
        if name in (state := net.state_dict()):
            torch.testing.assert_close(state[name], tensor, rtol=1e-8, atol=1e-8, msg=name)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1))
def test_frozen_norms_stay_frozen_in_every_form(seed: int) -> None:
    rng = Random(seed)
    drawn = SPACE.sample(rng)
    while genome.resolve(drawn).macs > MOST_MACS:
        drawn = SPACE.sample(rng)
    torch.manual_seed(seed)
    check(network(genome.dump(drawn)), seed)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "body", ["conv", "conv, order: conv-norm", "perturb, masks: 2", "mlpconv, norm: batch"]
)
def test_frozen_norms_of_a_fractal_stay_frozen(body: str, seed: int) -> None:
    torch.manual_seed(seed)
    check(network(FRACTAL.replace("BODY", body)), seed)


def test_with_frozen_norms_alone_siblings_run_as_one() -> None:
    """Freezing every norm does not switch the fusion off."""
    from genome.ops._horizontal_fusion import pays

    net = network(FRACTAL.replace("BODY", "conv"))
    family = max(net._siblings.values(), key=len)
    modules = [[*net.nodes.values()][i] for i in family]
    x = torch.randn(3, 3, 8, 8, dtype=torch.float64)
    assert pays(modules, x)
    modules[0].norm.eval()  # type: ignore[union-attr]
    assert not pays(modules, x)
    for module in modules:
        module.norm.eval()  # type: ignore[union-attr]
    assert pays(modules, x)
