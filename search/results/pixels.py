"""A trained network as a module that takes pixels, so that a file of it needs nothing beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genome import Plan
from genome.network import Network
from genome.plain.module import plain_module
from search.storage.data_facts import DataFacts


class Pixels(nn.Module):
    """Pixels 0..255 of uint8 or float, (B, C, H, W) -> one tensor of logits (B, classes) for each exit."""

    def __init__(self, network: Network, plan: Plan, facts: DataFacts, fold: bool) -> None:
        """fold: norms are part of the convolutions beside them. Raises PlainError, as `plain_module`."""
        super().__init__()
        mean, std = (torch.tensor(one, dtype=torch.float64).view(-1, 1, 1) for one in (facts.mean, facts.std))
        self.network = plain_module(network, plan, fold)
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", (1 / (255 * std)).float())
        self.register_buffer("shift", (-mean / std).float())
        self.eval()

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Normalise, and run the network."""
        found: tuple[Tensor, ...] = self.network(pixels.float() * self.scale + self.shift)
        return found
