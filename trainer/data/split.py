"""The fixed split into train, valid and test: seeded, stratified, the same in every study."""

import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from trainer.data.multilabel_split import divide_labels, label_sides
from trainer.data.raw import Labels, Part, Raw
from trainer.data.seen import Seen
from trainer.errors import DataError

TEST_SHARE = 0.20  # of all images, if the data set has no official test part
VALID_SHARE = 0.15  # of the images that are not test


class Divided(NamedTuple):
    """The three parts of a data set, and what is known of it."""

    name: str
    classes: tuple[str, ...]
    train: Part
    valid: Part
    test: Part
    mirror: bool
    seen: Seen


def divided(raw: Raw, seed: int) -> Divided:
    """Return the parts of a data set; those that it lacks are drawn. Raises DataError where it is too small."""
    check_counts(raw)
    rest, test = (raw.train, raw.test) if raw.test else drawn(raw.train, TEST_SHARE, seed, raw.classes)
    train, valid = (rest, raw.valid) if raw.valid else drawn(rest, VALID_SHARE, seed, raw.classes)
    return Divided(
        raw.name, raw.classes, train, valid, test, raw.mirror, raw.seen._replace(origins=origins(raw))
    )


def folded(raw: Raw, count: int, seed: int) -> list[Divided]:
    """Return the data set once for each of `count` folds, which is then the validation part.

    Raises DataError for validation images of its own, and where it is too small.
    """
    check_counts(raw)
    if raw.valid:
        raise DataError(
            f"{raw.place} has validation images of its own; take them out to have folds, or take out folds"
        )
    rest, test = (raw.train, raw.test) if raw.test else drawn(raw.train, TEST_SHARE, seed, raw.classes)
    seen = raw.seen._replace(origins=origins(raw, count))
    return [
        Divided(raw.name, raw.classes, train, valid, test, raw.mirror, seen)
        for train, valid in folds(rest, count, seed, raw.classes)
    ]


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


def drawn(part: Part, share: float, seed: int, classes: Sequence[str]) -> tuple[Part, Part]:
    """Draw `share` of a part's images; return the rest and the drawn ones.

    classes: their names, for messages.  Raises DataError where whole groups leave a class out of one side.
    """
    if part.y.ndim == 2:
        rest, chosen = divide_labels(part, share, seed, classes)
    elif part.groups is None:
        rest, chosen = divide(part.y, share, seed)
    else:
        rest, chosen = divide_groups(part, share, seed, classes)
    return _picked(part, rest), _picked(part, chosen)


def _picked(part: Part, places: Labels) -> Part:
    groups = None if part.groups is None else part.groups[places]
    return Part(part.x[places], part.y[places], groups, part.grouped)


def divide_groups(part: Part, share: float, seed: int, classes: Sequence[str]) -> tuple[Labels, Labels]:
    """Draw about `share` of each class in whole groups; return sorted indices (rest, drawn).

    Raises DataError where a class would have no image on one side.
    """
    groups = np.zeros_like(part.y) if part.groups is None else part.groups
    known = len(np.unique(groups))
    if known < 2:
        raise DataError(
            "all images are of one group; at least 2 groups are needed for each split that is drawn"
        )
    missing: list[int] = []  # of the first division
    folds = min(round(1 / share), known, int(np.bincount(part.y).max()))
    for rest, chosen in _folds(part.y, groups, folds, seed):
        lacking = _lacking(part.y, rest, chosen)
        if not lacking:
            return np.sort(rest), np.sort(chosen)
        missing = missing or lacking
    raise DataError(
        f"class {classes[(missing or part.y)[0]]} stands in too few {part.grouped} to be in every split; give splits "
        "of your own (folders train, val and test, or a column split of a table)"
    )


def _folds(y: Labels, groups: Labels, most: int, seed: int) -> Iterator[tuple[Labels, Labels]]:
    """Yield divisions in whole groups: with `most` folds, then with fewer, since the first may leave a class out."""
    for folds in range(most, 1, -1):
        yield from _grouped_folds(y, groups, folds, seed)


def _grouped_folds(y: Labels, groups: Labels, count: int, seed: int) -> Iterator[tuple[Labels, Labels]]:
    from sklearn.model_selection import StratifiedGroupKFold

    with warnings.catch_warnings():
        # of classes with fewer groups than folds, which the caller checks
        warnings.simplefilter("ignore", UserWarning)
        yield from StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(y, y, groups)


def _lacking(y: Labels, *sides: Labels) -> list[int]:
    """Return the classes that one side has not."""
    return sorted(set(y.tolist()) - set.intersection(*(set(y[side].tolist()) for side in sides)))


def folds(part: Part, count: int, seed: int, classes: Sequence[str]) -> list[tuple[Part, Part]]:
    """Return each of `count` folds of a part's images as what is validated, behind all others, which are trained on.

    Each fold has the same share of each class, or label, and whole groups.  Raises DataError for classes that have too
    few images, or groups, for so many folds.
    """
    side = _sides(part, count, seed, classes)
    found = [(np.flatnonzero(side != fold), np.flatnonzero(side == fold)) for fold in range(count)]
    for rest, chosen in found:
        if part.y.ndim == 1 and (lacking := _lacking(part.y, rest, chosen)):
            kind = "images" if part.groups is None else part.grouped
            raise DataError(
                f"class {classes[lacking[0]]} stands in too few {kind} for {count} folds; take fewer folds"
            )
    return [(_picked(part, rest), _picked(part, chosen)) for rest, chosen in found]


def _sides(part: Part, count: int, seed: int, classes: Sequence[str]) -> Labels:
    """Return the fold of each image."""
    if part.y.ndim == 2:
        return label_sides(part, [1 / count] * count, seed, classes)
    side = np.zeros(len(part), dtype=np.int64)
    if part.groups is not None:
        for fold, (_, chosen) in enumerate(_grouped_folds(part.y, part.groups, count, seed)):
            side[chosen] = fold
        return side
    stream, dealt = np.random.RandomState(seed), 0
    for label in np.unique(part.y):
        members = stream.permutation(np.flatnonzero(part.y == label))
        side[members] = (dealt + np.arange(len(members))) % count  # so that folds differ by one image at most
        dealt += len(members)
    return side


def origins(raw: Raw, folds: int | None = None) -> tuple[str, ...]:
    """Return where train, valid and test come from: what the reader says, or the share that was drawn."""
    train, valid, test = raw.seen.origins
    kind = "class" if raw.train.y.ndim == 1 else "label"
    kept = "" if raw.train.groups is None else f", in whole {raw.train.grouped}"
    part = f"the first of {folds} folds" if folds else f"drawn: {VALID_SHARE:.0%} of each {kind}"
    return (
        train,
        valid if raw.valid else f"{part} of the train images{kept}",
        test if raw.test else f"drawn: {TEST_SHARE:.0%} of each {kind}{kept}",
    )


def check_counts(raw: Raw) -> None:
    """Raise DataError, with the class, for data too small to split."""
    parts = ["train", *(name for name, part in (("valid", raw.valid), ("test", raw.test)) if part is None)]
    y, kind = raw.train.y, "class" if raw.train.y.ndim == 1 else "label"
    counts = np.bincount(y, minlength=len(raw.classes)) if y.ndim == 1 else y.sum(0)
    poorest = int(counts.argmin())
    if counts[poorest] < len(parts):
        listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
        raise DataError(
            f"{raw.place}: {kind} {raw.classes[poorest]} has {counts[poorest]} images; "
            f"at least {len(parts)} are needed for {listed}"
        )
