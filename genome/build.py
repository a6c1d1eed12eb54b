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
    before = torch.get_rng_state()
    try:
        # modules are made on the CPU; torch.manual_seed would also queue a call for every absent accelerator
        torch.default_generator.manual_seed(seed)
        return Network(plan)
    finally:
        torch.set_rng_state(before)
