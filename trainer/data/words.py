"""The words by which files, folders, arrays and columns name their part of a data set."""

from __future__ import annotations

import re
from collections.abc import Sequence

SPLITS = ("train", "valid", "test")
_SPLIT = re.compile(
    r"(?P<train>train(ing)?|trn)|(?P<valid>val(id(ation)?)?|dev)|(?P<test>test(ing)?|tst|t10k|eval(uation)?)"
)
_TAIL = re.compile(r"([_\- ]?(set|data|images|imgs|split))?([_\- ]?(19|20)\d\d)?")

IMAGES = frozenset({"x", "image", "images", "img", "imgs", "data", "pixels", "inputs", "input", "features"})
LABELS = frozenset({"y", "label", "labels", "lbl", "target", "targets"})
NAMES = frozenset({"classes", "classnames", "labelnames", "targetnames"})


def split_of(name: str) -> str | None:
    """Return train, valid or test for a name that says no more than that, as Train, testing_set or val2017."""
    lower = name.lower()
    found = _SPLIT.match(lower)
    if found is None or _TAIL.fullmatch(lower[found.end() :]) is None:
        return None
    return found.lastgroup or next(key for key, value in found.groupdict().items() if value)


def splits_of(names: Sequence[str]) -> list[str | None]:
    """Return the split of each name of a folder, also where all begin alike, as flowers_train and flowers_test."""
    found = [split_of(name) for name in names]
    if any(found) or len(names) < 2:
        return found
    alike = [len(set(letters)) == 1 for letters in zip(*names, strict=False)]
    begin = names[0][: alike.index(False) if False in alike else len(alike)]
    cut = max(begin.rfind(mark) for mark in "_- ") + 1
    return [split_of(name[cut:]) for name in names]


def split_within(name: str) -> str | None:
    """Return the split that a longer name begins with or has as a word, such as train-00000-of-00001."""
    found = {split_of(word) for word in re.findall(r"[A-Za-z]+", name)} - {None}
    return found.pop() if len(found) == 1 else None


def role_of(name: str) -> tuple[str | None, str | None]:
    """Return the split of an array's name and its role: x, y, classes, or None where the name does not say it.

    `train_x`, `x_train`, `xtrain`, `train_images`, `kmnist-train-labels` and `Y` are understood.
    """
    lower = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    words = re.findall(r"t10k|[a-z]+", lower)
    if "".join(words) in NAMES:
        return None, "classes"
    if len(words) == 1:
        words = _apart(words[0])
    splits = {split for word in words if (split := split_of(word))}
    roles = {role for word in words for role, known in (("x", IMAGES), ("y", LABELS)) if word in known}
    # `test_data_labels` are labels: the word for data adds nothing to a word for labels
    role = "y" if roles == {"x", "y"} and "data" in words else (roles.pop() if len(roles) == 1 else None)
    return (splits.pop() if len(splits) == 1 else None), role


def _apart(word: str) -> list[str]:
    """Return xtrain as x and train, trainlabels as train and labels."""
    for known in IMAGES | LABELS:
        for one, other in ((word.removeprefix(known), known), (word.removesuffix(known), known)):
            if one != word and split_of(one):
                return [one, other]
    return [word]
