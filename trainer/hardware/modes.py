"""Contexts that restore modes, buffers and random state."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def mode_kept(module: nn.Module) -> Iterator[None]:
    """Restore the train or eval mode of every submodule afterwards."""
    before = [(part, part.training) for part in module.modules()]
    try:
        yield
    finally:
        for part, training in before:
            part.training = training


@contextmanager
def gradients_kept(module: nn.Module) -> Iterator[None]:
    """Restore afterwards which parameters need gradients."""
    before = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    try:
        yield
    finally:
        for parameter, needed in before:
            parameter.requires_grad_(needed)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Inside, the module is in eval mode and computes no gradients."""
    # no_grad instead of inference_mode, because a grid that a module caches here must also serve training.
    with mode_kept(module), torch.no_grad():
        module.eval()
        yield


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Inside, the global random state, which dropout uses, starts from `seed`; afterwards it is restored."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        # torch.manual_seed would reseed every other device, too.
        torch.default_generator.manual_seed(seed)
        if cuda:
            torch.cuda.default_generators[device.index].manual_seed(seed)
        yield


@contextmanager
def unchanged(module: nn.Module) -> Iterator[None]:
    """Inside, the module is in training mode; afterwards its buffers and mode are restored and gradients are None."""
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
