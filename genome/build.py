"""build: the torch module of a plan or genome. It imports torch when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genome.graph import Genome
from genome.plan import Plan
from genome.resolve import resolve

if TYPE_CHECKING:
    from genome.network import Network


def build(genome: Genome | Plan, seed: int = 0) -> Network:
    """The torch module of a genome, with weights drawn from `seed`. torch's global generator keeps its state.

    Raises:
        GenomeError: as `genome.resolve`.
    """
    import torch

    from genome.network import Network

    plan = resolve(genome) if isinstance(genome, Genome) else genome
    before = torch.get_rng_state()
    try:
        # modules are built on the CPU; torch.manual_seed would also queue a call for accelerators
        torch.default_generator.manual_seed(seed)
        return Network(plan)
    finally:
        torch.set_rng_state(before)
