"""Levels: which folders of a tree are the splits and which are the classes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from trainer.data.hints import hint_of_folder
from trainer.data.tree import Folder
from trainer.data.words import split_of, splits_of
from trainer.errors import DataError

# Folders of these names hold a part of each image's facts, or pieces of a set; they are no classes.
CONTAINERS = frozenset(
    {
        "annotations",
        "groundtruth",
        "images",
        "imgs",
        "inputs",
        "jpegimages",
        "labels",
        "masks",
        "metadata",
        "segmentations",
        "targets",
    }
)
PIECE = re.compile(r"(.*[_\- ])?(part|shard|batch|fold|chunk|images|imgs)[_\- ]?\d+", re.IGNORECASE)
YEAR = re.compile(r"(19|20)\d\d")
# a class and a split in one name: cat_train and train_cat
SPLIT_IN_NAME = (
    re.compile(r"(?P<class>.+)[_\- ](?P<split>[A-Za-z]+)"),
    re.compile(r"(?P<split>[A-Za-z]+)[_\- ](?P<class>.+)"),
)
SHOWN = 4  # names of folders in a sentence


def descend(tree: Folder) -> Folder:
    """Return the first folder with a choice: below a folder that holds one folder and no image."""
    inner = tree.filled
    if not tree.images and len(inner) == 1 and inner[0].filled:
        return descend(inner[0])
    return tree


def split_folders(root: Folder) -> Mapping[str, Folder]:
    """Return the folders of train, valid and test; none where there are no splits.

    Raises DataError where only a part of the folders are splits.
    """
    splits = splits_of([folder.path.name for folder in root.filled])
    named = [(split, folder) for split, folder in zip(splits, root.filled, strict=True) if split]
    found = dict(named)
    others = [folder for split, folder in zip(splits, root.filled, strict=True) if split is None]
    if not found or _is_a_class(found, others):
        return {}
    if len(found) < len(named):
        twice = next(folder for split, folder in named if folder is not found[split])
        raise DataError(
            f"{root.path} has two folders of one split, {twice.path.name}/ too; merge or remove one"
        )
    if "train" not in found or (len(found) == 1 and others):
        raise DataError(_half(root, [folder for _, folder in named], others))
    if others:
        raise DataError(
            f"{root.path} has {_listed([folder for _, folder in named])} and also {others[0].path.name}/; only splits "
            f"may be there: leave it out with skip: ['{others[0].path.name}/*'], or say classes: [..]"
        )
    return {split: _labelled(found[split]) for split in ("train", "valid", "test") if split in found}


def _is_a_class(found: Mapping[str, Folder], others: Sequence[Folder]) -> bool:
    """Whether the one folder called train is a class among others, such as bus, car and train."""
    alike = any(re.match(r"train|val|test", folder.path.name, re.IGNORECASE) for folder in others)
    return set(found) == {"train"} and len(others) > 1 and not alike


def _half(root: Folder, splits: Sequence[Folder], others: Sequence[Folder]) -> str:
    if others:
        every = ", ".join(folder.path.name for folder in root.filled)
        return (
            f"{root.path} has {_listed(splits)}, which looks like a split, and also {_listed(others)}; leave those out "
            f"with skip: ['{others[0].path.name}/*'], or say classes: [{every}] if they are the classes"
        )
    return f"{root.path} has {_listed(splits)} and no train/; name the folder of the train images train"


def _labelled(folder: Folder) -> Folder:
    if folder.filled or not folder.images:
        return folder
    raise DataError(
        f"{folder.path} has {len(folder.images)} images and no class folders, so their classes are not known; put them "
        "into one folder per class or name them in a CSV file with a column of labels, or leave them out with "
        f"skip: ['{folder.path.name}/*']"
    )


def said_classes(root: Folder, names: Sequence[str], *, at_once: bool = False) -> Sequence[Folder] | None:
    """Return the folders of these names at the first depth that has them all; None where there is none.

    at_once: look directly in `root` alone.
    """
    level = root.filled
    while level:
        found = [folder for folder in level if folder.path.name in names]
        if {folder.path.name for folder in found} == set(names):
            return found
        level = () if at_once else tuple(inner for folder in level for inner in folder.filled)
    return None


def check_level(root: Folder) -> Sequence[Folder]:
    """Return the folders of the classes. Raises DataError where they may be no classes."""
    folders = root.filled
    if len(folders) < 2:
        raise DataError(
            f"{root.path} has {len(folders)} subfolders with images; there must be one for each class, at least 2"
            + _flat(root)
        )
    _check_containers(root, folders)
    _check_splits_in_names(root, folders)
    if all(not folder.images for folder in folders):
        raise DataError(_two_levels(root.path, folders))
    return folders


def _flat(root: Folder) -> str:
    flat = [folder for folder in (root, *root.filled) if folder.images]
    if not flat:
        return hint_of_folder([file for folder in root.walk() for file in folder.others])
    return (
        f" ({flat[0].path.name} holds {len(flat[0].images)} images: name their classes in a CSV file with a column of "
        "file names and one of labels, or sort them into folders)"
    )


def _check_containers(root: Folder, folders: Sequence[Folder]) -> None:
    names = [folder.path.name for folder in folders]
    if {name.lower() for name in names} == {"input", "target"} or any(
        name.lower() in CONTAINERS for name in names
    ):
        raise DataError(
            f"{root.path} has {_listed(folders)}, which look like parts of one set and not like classes; give the path "
            f"of the folder with the class folders, a CSV file of names and labels, or say classes: "
            f"[{', '.join(names[:SHOWN])}] if they are the classes"
        )
    shared = sorted(set.intersection(*({inner.path.name for inner in folder.filled} for folder in folders)))
    if len(shared) > 1 and (all(map(PIECE.fullmatch, names)) or all(map(YEAR.fullmatch, names))):
        raise DataError(
            f"{root.path} has {_listed(folders)}, which look like pieces of one set, each with the same classes; say "
            f"classes: [{', '.join(shared)}] to read all of them as one set, or give the path of one"
        )
    if all(map(PIECE.fullmatch, names)) or all(map(YEAR.fullmatch, names)):
        raise DataError(
            f"{root.path} has {_listed(folders)}, which look like pieces of one set and not like classes; put a CSV "
            f"file of names and labels beside them, or say classes: [{', '.join(names[:SHOWN])}] if they are classes"
        )


def _check_splits_in_names(root: Folder, folders: Sequence[Folder]) -> None:
    """Raise DataError where each folder is a class and a split in one, as cat_train and cat_test."""
    names = [folder.path.name for folder in folders]
    for pattern in SPLIT_IN_NAME:
        found = [pattern.fullmatch(name) for name in names]
        pairs = [(one["class"], split_of(one["split"])) for one in found if one]
        classes, splits = {name for name, _ in pairs}, {split for _, split in pairs}
        if len(pairs) == len(names) > len(classes) > 1 and None not in splits and len(splits) > 1:
            first = sorted(classes)[0]
            raise DataError(
                f"{root.path} has {_listed(folders)}, whose names are of a class and of a split; put the splits above "
                f"the classes, as train/{first}, or say classes: [{', '.join(names)}] if each is a class"
            )


def _two_levels(path: Path, folders: Sequence[Folder]) -> str:
    inner = [{one.path.name for one in descend(folder).filled} for folder in folders]
    outer = ", ".join(folder.path.name for folder in folders)
    shared = sorted(set.intersection(*inner))
    if len(shared) > 1 and all(split_of(name) for name in shared):
        return (
            f"{path} has {_listed(folders)}, and each holds {' and '.join(shared)}; put the splits above the classes, "
            f"as {shared[-1]}/{folders[0].path.name}"
        )
    if len(shared) > 1:
        first = descend(folders[0]).path
        return (
            f"{path} has {_listed(folders)}, and each holds folders such as {' and '.join(shared[:2])}; give the path "
            f"{first} if those are the classes, or say classes: [{outer}] if the upper ones are"
        )
    below = sorted(set.union(*inner))
    lower = (
        f", or classes: [{', '.join(below)}] if the lower folders are the classes" if len(below) > 1 else ""
    )
    return (
        f"{path} has {_listed(folders)}, and images only in folders below them; say classes: [{outer}]{lower}"
    )


def _listed(folders: Sequence[Folder]) -> str:
    names = [f"{folder.path.name}/" for folder in folders]
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return " and ".join([", ".join(names[:SHOWN]), *more]) if more else " and ".join(names)
