"""The node types of this project, and the facts that the conformance suite needs about some of them."""

from __future__ import annotations

from collections.abc import Iterator

import genome
from genome import testing
from genome.op import Op
from genome.testing import Traits

PLAIN = [w for w in genome.words() if not genome.lookup(w).motif]
MOTIFS = [w for w in genome.words() if genome.lookup(w).motif]

TRAITS: dict[str, Traits] = {
    "perturb": Traits(
        also=(
            {"order": "act-mix", "masks": 8},  # the streamed form
            {"order": "mix-norm-act", "masks": 4, "mix": "grouped", "shared": True},
            {"order": "act-mix-norm-act", "masks": 4, "activation": "silu"},
        )
    ),
    # taps start on pixels, where bilinear interpolation has two slopes
    "active": Traits(derivative={"normalize": False, "rate": 1.0, "warmup": 0}, kinks=("position",)),
    "deform": Traits(
        also=({"modulation": "unit", "groups": 2, "stride": 2},), derivative={"rate": 1.0}, kinks=("offset",)
    ),
    "clique": Traits(also=({"nodes": 4, "passes": 2, "update": 2, "bottleneck": True},)),
}


def traits(word: str) -> Traits:
    """Return the facts that the suite needs about a node type."""
    return TRAITS.get(word, Traits())


def variants(word: str) -> Iterator[Op]:
    """Yield the variants of a node type that the suite checks."""
    return testing.variants(word, traits(word).also)
