"""Laws of zero-cost proxies over whatever a space may draw."""

from __future__ import annotations

import math
from random import Random

import pytest
import torch

import genome
from tests.widest import widest
from trainer.proxies import PROXIES, proxies


@pytest.mark.parametrize("part", range(4))
def test_every_drawn_genome_has_its_proxies_and_ends_as_it_was(part: int) -> None:
    space, rng = widest(), Random(f"proxies {part}")
    for i in range(5):
        drawn = space.sample(rng)
        module = genome.build(drawn, seed=i)
        before = {key: value.clone() for key, value in module.state_dict().items()}
        images = torch.randn(6, *drawn.input, generator=torch.Generator().manual_seed(i))
        found = proxies(module, images, torch.arange(6) % drawn.classes, PROXIES)
        assert not any(math.isnan(value) for value in found.values())
        flows = not any(step.node.op.word == "zero" for step in genome.resolve(drawn).steps)
        sure = ("params", "macs", *(("synflow", "snip", "grad_norm") if flows else ()))
        assert all(math.isfinite(found[name]) for name in sure)
        assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
        assert module.training
