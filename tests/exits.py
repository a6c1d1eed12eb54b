"""Genomes of several exits, drawn: those of the widest space with further exits at any of their nodes."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import torch
from torch import Tensor

import genome
from genome import Genome, GenomeError, Node, Plan
from genome.exits.rules import Patience, Rule, Threshold
from genome.exits.scores import SCORES, scores
from genome.network import Network
from genome.op import lookup
from tests.genome.plain.test_plain import stirred
from tests.widest import widest

SPACE = widest()
MOST_MACS = 2_000_000


def drawn_plan(seed: int) -> Plan:
    """Return a plan of 2 to 4 exits at random nodes and at random places in the written order."""
    rng = Random(seed)
    while True:
        try:
            plan = genome.resolve(_with_exits(SPACE.sample(rng), rng))
        except GenomeError:  # such as flattened maps that a loop shrinks
            continue
        if 2 <= len(plan.exits) <= 4 and plan.macs <= MOST_MACS:
            return plan


def _with_exits(drawn: Genome, rng: Random) -> Genome:
    nodes = [*drawn.nodes]
    inner = [node.name for node in nodes if node.op.width != "classes"]
    for i in range(rng.randint(1, 3)):
        reads = tuple(rng.sample(inner, min(rng.randint(1, 2), len(inner))))
        head = lookup("exit")(pool=rng.choice(["average", "flatten"]))
        nodes.insert(rng.randint(0, len(nodes)), Node(f"more{i}", head, reads))
    return replace(drawn, nodes=tuple(nodes))


def drawn_network(seed: int) -> tuple[Network, Plan]:
    """Return a network of 2 to 4 exits in eval mode, with weights that a training might have."""
    plan = drawn_plan(seed)
    return stirred(plan, seed % 1000), plan


def noise(plan: Plan, count: int, seed: int = 0) -> Tensor:
    """Return images (count, C, H, W)."""
    return torch.randn(count, *plan.genome.input, generator=torch.Generator().manual_seed(seed))


def outputs(network: Network, x: Tensor) -> list[np.ndarray]:
    """Return the logits of every exit, each (B, classes)."""
    with torch.inference_mode():
        return [one.numpy() for one in network(x)]


def drawn_rule(logits: list[np.ndarray], rng: Random) -> Rule:
    """Return a rule whose thresholds lie in the middle between the scores of two neighbouring images."""
    word = rng.choice([*SCORES, "patience"])
    if word == "patience":
        return Patience(rng.randint(1, len(logits)))
    temperatures = tuple(rng.uniform(0.5, 3.0) for _ in logits) if rng.random() < 0.5 else ()
    found = []
    for exit, one in enumerate(logits[:-1]):
        ranked = np.sort(scores(word, one, temperatures[exit] if temperatures else 1.0))
        apart = np.diff(ranked) > 1e-9  # so that rounding decides nothing
        cuts = [*((ranked[1:] + ranked[:-1]) / 2)[apart], SCORES[word].nobody, SCORES[word].everybody]
        found.append(float(rng.choice(cuts)))
    return Threshold(word, tuple(found), temperatures)
