"""Feasibility: how likely a network is inside the limits, which a sampler has to learn from refused trials."""

from __future__ import annotations

import numpy as np

BEATEN = 0.1  # above 0, because a refusal may have had another cause


def chances(new: np.ndarray, kept: np.ndarray, refused: np.ndarray) -> np.ndarray:
    """Return how likely each network is inside the limits, by sizes (networks, kinds) of those that were and were not.

    A limit bounds a size from above. So all that is no larger than some network inside, kind by kind, is inside, and
    what was refused there broke no limit: its training did not work out. Further out the chance falls towards the
    nearest refused one, but no lower than a half, a quarter beyond one, a sixth beyond two: the limit that these
    broke may be of another kind. What has as much of everything as a refused one gets a tenth of that.
    """
    if len(kept):
        refused = refused[(refused > kept.max(axis=0)).any(axis=1)]
    if not len(refused):
        return np.ones(len(new))
    beaten = np.where((new[:, None, :] >= refused).all(axis=-1).any(axis=-1), BEATEN, 1.0)
    if not len(kept):
        return np.asarray(beaten)
    most = kept.max(axis=0)
    out, met = (new - most).max(axis=1), (refused - most).max(axis=1)
    nearer = (met <= out[:, None]).sum(axis=1)
    falling = np.maximum(1.0 - out / met.min(), 0.5 / (1.0 + nearer))
    return np.asarray(np.where(out <= 0, 1.0, falling * beaten))
