"""Every node type and motif gives the same on a CUDA device as on the CPU. Skipped, by name, without a device."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

import genome
from genome.testing import around
from genome.testing.measure import BATCH, undropped

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
GENES: dict[str, dict[str, Any]] = {
    "perturb": {"masks": 4, "order": "act-mix"},  # the streamed form
    "active": {"warmup": 0},  # taps may move
    "deform": {"modulation": "unit"},
    "dropout": {"rate": 0.0},  # devices draw different random numbers
    "fractal": {"drop_path": 0.0, "whole": 0.0},
}


def _plan(word: str) -> genome.Plan:
    return genome.resolve(around(genome.lookup(word)(**GENES.get(word, {})), 3))


def _image(plan: genome.Plan) -> torch.Tensor:
    return torch.randn(BATCH, *plan.genome.input, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("word", genome.words())
def test_a_training_step_is_that_of_the_cpu(word: str, layout: torch.memory_format) -> None:
    plan = _plan(word)
    here = genome.build(plan)
    there = copy.deepcopy(here).cuda().to(memory_format=layout)
    image = _image(plan)
    with undropped(here), undropped(there), torch.backends.cudnn.flags(allow_tf32=False):
        logits = here(image)
        others = there(image.cuda().contiguous(memory_format=layout))
        torch.stack([out.square().sum() for out in logits]).sum().backward()
        torch.stack([out.square().sum() for out in others]).sum().backward()
    for ours, theirs in zip(others, logits, strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-3, atol=1e-4)
    for (name, ours), theirs in zip(there.named_parameters(), here.parameters(), strict=True):
        if "position" not in name and "offset" not in name:  # on a pixel the derivative has two sides
            torch.testing.assert_close(ours.grad.cpu(), theirs.grad, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("word", genome.words())
def test_bfloat16_autocast_trains(word: str) -> None:
    plan = _plan(word)
    module = genome.build(plan).cuda()
    with undropped(module), torch.autocast("cuda", torch.bfloat16):
        logits = module(_image(plan).cuda())
    torch.stack([out.float().square().sum() for out in logits]).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
