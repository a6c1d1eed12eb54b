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
            {"order": "act-mix-norm-act", "masks": 4, "activation": "sigmoid"},
            {"order": "norm-act-mix-norm-act", "masks": 4, "mix": "grouped", "activation": "sigmoid"},
            {"order": "norm-act-mix-norm-act"},
        )
    ),
    # taps start on pixels, where bilinear interpolation has two slopes
    "active": Traits(
        also=(
            {"padding": 0},
            {"padding": 3, "stride": 2},
            {"padding": 2, "kernel": 1},
            {"kernel": (1, 3), "groups": 2},
            {"kernel": (5, 1), "stride": (1, 2), "padding": 2},
        ),
        derivative={"normalize": False, "rate": 1.0, "warmup": 0},
        kinks=("position",),
    ),
    "deform": Traits(
        also=(
            {"modulation": "unit", "groups": 2, "stride": 2},
            {"modulation": "unit", "groups": 3, "kernel_groups": 2},
            {"kernel": (1, 3), "modulation": "half"},
            {"kernel": (5, 3), "stride": (2, 1), "dilation": (1, 2), "groups": 2},
        ),
        derivative={"rate": 1.0},
        kinks=("offset",),
    ),
    "separable": Traits(
        also=(
            {"activation": "sigmoid"},
            {"kernel": (3, 1), "dilation": (2, 1)},
            {"kernel": (2, 5), "stride": (2, 1), "dilation": (1, 2)},
        )
    ),
    **{word: Traits(also=({"activation": "sigmoid"},)) for word in ("act", "add", "squeeze")},
    "mlpconv": Traits(
        also=(
            {"activation": "sigmoid"},
            {"kernel": (1, 3), "norm": "batch"},
            {"kernel": (2, 5), "stride": (1, 2), "first": 7},
        )
    ),
    "exit": Traits(also=({"activation": "sigmoid", "norm": "batch"},)),
    "conv": Traits(
        also=(
            {"kernel": (1, 3)},
            {"kernel": (4, 3), "stride": (1, 2), "groups": 2},
            {"kernel": (3, 2), "dilation": (2, 3), "order": "norm-act-conv"},
            {"kernel": (5, 1), "padding": 2, "bias": True},
        )
    ),
    "pool": Traits(
        also=(
            {"size": (1, 3), "stride": (1, 2)},
            {"size": (3, 2), "stride": (2, 3), "kind": "avg", "padding": 1, "ceil": True},
        )
    ),
    "clique": Traits(also=({"nodes": 4, "passes": 2, "update": 2, "bottleneck": True},)),
}


def traits(word: str) -> Traits:
    """Return the facts that the suite needs about a node type."""
    return TRAITS.get(word, Traits())


def variants(word: str) -> Iterator[Op]:
    """Yield the variants of a node type that the suite checks."""
    return testing.variants(word, traits(word).also)
