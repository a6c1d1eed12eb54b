"""The fixed split into train, valid and test: seeded, stratified, the same in every study."""

import warnings

import numpy as np

from trainer.data.raw import Labels, Part, Raw
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


def drawn(part: Part, share: float, seed: int) -> tuple[Part, Part]:
    """Draw `share` of a part's images; return the rest and the drawn ones."""
    rest, chosen = divide(part.y, share, seed) if part.groups is None else divide_groups(part, share, seed)
    return _picked(part, rest), _picked(part, chosen)


def _picked(part: Part, places: Labels) -> Part:
    return Part(part.x[places], part.y[places], None if part.groups is None else part.groups[places])


def divide_groups(part: Part, share: float, seed: int) -> tuple[Labels, Labels]:
    """Draw about `share` of each class in whole groups; return sorted indices (rest, drawn).

    Raises DataError where a class would have no image on one side.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = np.zeros_like(part.y) if part.groups is None else part.groups
    folds = min(round(1 / share), len(np.unique(groups)))
    if folds < 2:
        raise DataError(
            "all images are of one group; at least 2 groups are needed for each split that is drawn"
        )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # of classes with fewer groups than folds, which are checked here
        rest, chosen = next(
            StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(part.y, part.y, groups)
        )
    every = set(np.unique(part.y).tolist())
    for side in (rest, chosen):
        if missing := sorted(every - set(part.y[side].tolist())):
            raise DataError(
                f"class number {missing[0]} stands in too few groups to be in every split; give splits of your own "
                "in a column split"
            )
    return np.sort(rest), np.sort(chosen)


def origins(raw: Raw) -> tuple[str, ...]:
    """Return where train, valid and test come from: what the reader says, or the share that was drawn."""
    train, valid, test = raw.seen.origins
    kept = "" if raw.train.groups is None else ", in whole groups"
    return (
        train,
        valid if raw.valid else f"drawn: {VALID_SHARE:.0%} of each class of the train images{kept}",
        test if raw.test else f"drawn: {TEST_SHARE:.0%} of each class{kept}",
    )


def check_counts(raw: Raw) -> None:
    """Raise DataError, with the class, for data too small to split."""
    parts = ["train", *(name for name, part in (("valid", raw.valid), ("test", raw.test)) if part is None)]
    counts = np.bincount(raw.train.y, minlength=len(raw.classes))
    poorest = int(counts.argmin())
    if counts[poorest] < len(parts):
        listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
        raise DataError(
            f"{raw.place}: class {raw.classes[poorest]} has {counts[poorest]} images; "
            f"at least {len(parts)} are needed for {listed}"
        )
