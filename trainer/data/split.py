"""The fixed split into train, valid and test: seeded, stratified, the same in every study."""

import numpy as np

from trainer.data.raw import Labels, Raw
from trainer.errors import DataError

TEST_SHARE = 0.20  # of all images, if the data set has no official test part
VALID_SHARE = 0.15  # of the images that are not test


def divide(y: Labels, share: float, seed: int) -> tuple[Labels, Labels]:
    """Draw `share` of each class, leaving at least one image on either side; return sorted indices (rest, drawn)."""
    # RandomState instead of Generator, because NumPy guarantees its stream (NEP 19) and the split must never change.
    stream = np.random.RandomState(seed)
    rest, drawn = [], []
    for label in np.unique(y):
        members = stream.permutation(np.flatnonzero(y == label))
        count = min(max(round(len(members) * share), 1), len(members) - 1)
        drawn.append(members[:count])
        rest.append(members[count:])
    return np.sort(np.concatenate(rest)), np.sort(np.concatenate(drawn))


def check_counts(raw: Raw) -> None:
    """Raise DataError, with the class, for data too small to split."""
    needed = 2 if raw.test_y is not None else 3
    counts = np.bincount(raw.train_y, minlength=len(raw.classes))
    poorest = int(counts.argmin())
    if counts[poorest] < needed:
        parts = "train and valid" if needed == 2 else "train, valid and test"
        raise DataError(
            f"{raw.place}: class {raw.classes[poorest]} has {counts[poorest]} images; "
            f"at least {needed} are needed for {parts}"
        )
