"""build: a plan (or genome) as a torch module. The one verb that imports torch, and only when called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genome.graph import Genome
from genome.plan import Plan
from genome.resolve import resolve

if TYPE_CHECKING:
    from genome.network import Network


def build(genome: Genome | Plan, seed: int = 0) -> Network:
    """The torch module of a genome, its weights drawn from `seed`; torch's global generator is left as it was.

    Raises:
        GenomeError: where `genome.resolve` does.
    """
    import torch

    from genome.network import Network

    plan = resolve(genome) if isinstance(genome, Genome) else genome
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(plan)
