"""Feasible: what the trials that were refused say of the limits, which a sampler is not told."""

from __future__ import annotations

import numpy as np

TINY = 1e-9


def chances(new: np.ndarray, kept: np.ndarray, refused: np.ndarray) -> np.ndarray:
    """Return how likely each network is inside the limits, by sizes (networks, kinds) of those that were and were not.

    A limit bounds a size from above. So nothing that has as much of everything as a refused one can be inside; all
    that is no larger than some network inside, kind by kind, is inside. Further out the chance falls to nothing at
    the nearest refused one, but no lower than a half, a quarter beyond one, a sixth beyond two: the limit that
    these broke may be of another kind.
    """
    if not len(refused):
        return np.ones(len(new))
    beaten = (new[:, None, :] >= refused).all(axis=-1).any(axis=-1)
    if not len(kept):
        return np.where(beaten, 0.0, 1.0)
    most = kept.max(axis=0)
    out, met = (new - most).max(axis=1), (refused - most).max(axis=1)
    nearer = (met <= out[:, None]).sum(axis=1)
    falling = 1.0 - out / max(met.min(), TINY)
    likely = np.where(out <= 0, 1.0, np.maximum(falling, 0.5 / (1.0 + nearer)))
    return np.where(beaten, 0.0, likely)
