"""Modes: eval mode and random state for a while, then as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def mode_kept(module: nn.Module) -> Iterator[None]:
    """Afterwards every submodule has the train or eval mode again that it came in."""
    before = [(part, part.training) for part in module.modules()]
    try:
        yield
    finally:
        for part, training in before:
            part.training = training


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode without gradients inside."""
    # no_grad rather than inference_mode: a grid that a module caches in here must be good for training too.
    with mode_kept(module), torch.no_grad():
        module.eval()
        yield


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """The global random state, which dropout uses, starts from `seed` inside and is untouched afterwards."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        # Not torch.manual_seed: that would reseed every other device, too.
        torch.default_generator.manual_seed(seed)
        if cuda:
            torch.cuda.default_generators[device.index].manual_seed(seed)
        yield


@contextmanager
def unchanged(module: nn.Module) -> Iterator[None]:
    """Training mode inside; afterwards the module has its buffers and mode again, and no gradients."""
    buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    try:
        with mode_kept(module):
            module.train()
            yield
    finally:
        module.zero_grad(set_to_none=True)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
