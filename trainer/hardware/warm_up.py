"""Warm-up: work that a process does on a device only once, not charged to a trial."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import nn

# The first optimizer of a process makes torch load its compiler, in about 1.2 s. Made here, it is loaded with this
# file: by a fork server once for all its children.
torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)


@cache
def warm_up(device: torch.device) -> None:
    """Load the kernels of a first step (on CUDA also the context and cuDNN). The random state is unchanged."""
    with torch.random.fork_rng(devices=[]):
        module = nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2)
        )
    module.to(device)
    step = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9, nesterov=True, fused=True)
    loss = F.cross_entropy(
        module(torch.zeros(2, 1, 8, 8, device=device)), torch.zeros(2, dtype=torch.long, device=device)
    )
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    step.step()
    loss.item()
