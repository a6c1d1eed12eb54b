"""A trained network as a module that takes pixels, so that a file of it needs nothing beside it."""

from __future__ import annotations

import json
from copy import copy

import torch
from torch import Tensor, nn

from genome import Plan
from genome.network import Network
from genome.plain.module import module_of, program
from search.storage.data_facts import DataFacts


class Pixels(nn.Module):
    """Pixels 0..255 of uint8 or float, (B, C, H, W) -> one tensor of logits (B, classes) for each exit."""

    def __init__(self, network: Network, plan: Plan, facts: DataFacts, fold: bool) -> None:
        """fold: norms are part of the convolutions beside them. Raises PlainError, as `plain_module`."""
        super().__init__()
        mean, std = (torch.tensor(one, dtype=torch.float64).view(-1, 1, 1) for one in (facts.mean, facts.std))
        self.program = program(network, plan, fold, portable=True)
        self.network = module_of(self.program)
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", (1 / (255 * std)).float())
        self.register_buffer("shift", (-mean / std).float())
        self.input = tuple(facts.input)
        # the names of what it gives
        self.outs = tuple(f"exit_{plan.steps[i].node.name}" for i in plan.exits)
        # what files say besides
        self.about = {"classes": json.dumps(list(facts.classes)), "input": json.dumps(list(facts.input))}
        self.is_multilabel = facts.multilabel
        if facts.multilabel:
            self.about["probabilities"] = "sigmoid"  # of each logit
        self.eval()

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Normalise, and run the network."""
        found: tuple[Tensor, ...] = self.network(pixels.float() * self.scale + self.shift)
        return found

    def first(self, statements: int) -> Pixels:
        """Return the first statements of the network, which give the maps that later ones read."""
        made = copy(self)
        made.program = self.program.first(statements)
        made._modules = {"network": module_of(made.program)}
        made.outs = tuple(f"map_{value}" for value in made.program.exits)
        return made
