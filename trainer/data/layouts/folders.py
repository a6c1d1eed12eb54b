"""folders: one folder a class, also below train/, val/ and test/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from trainer.data.gather import Listed, gather
from trainer.data.groups import groups_of_files, numbered_groups
from trainer.data.layouts.registry import OF_PICTURES, layout
from trainer.data.levels import check_level, descend, said_classes, split_folders
from trainer.data.name_classes import advice
from trainer.data.other_tasks import other_task
from trainer.data.raw import Raw
from trainer.data.reading import Reading
from trainer.data.seen import Seen, counted
from trainer.data.tree import Folder, scan
from trainer.errors import DataError


class _Classes(NamedTuple):
    """The class folders of each part."""

    parts: Mapping[str, Sequence[Folder]]
    origins: Mapping[str, str]
    notes: tuple[str, ...]


def fits(path: Path, reading: Reading) -> bool:
    """Whether the class folders of a folder can be told."""
    if not path.is_dir():
        return False
    tree = scan(path, reading.skip)
    try:
        _classes(tree, reading)
    except DataError:  # where no other layout fits, the reader says it
        return False
    return True


@layout(
    "folders",
    about="a folder with one subfolder per class, each with image files, at any depth",
    splits="folders train, val and test (training, valid, Test ..) above the class folders",
    fits=fits,
    answers=(*OF_PICTURES, "skip", "group"),
)
def read(path: Path, reading: Reading) -> Raw:
    """Read class folders; files of the system, masks beside images and what is no image are passed over and counted.

    Raises DataError where it is open which folders are the classes, and for what cannot be read.
    """
    tree = scan(path, reading.skip)
    found = _told_classes(tree, reading)
    names = reading.classes or tuple(sorted({folder.path.name for folder in found.parts["train"]}))
    _check_names(tree.path, found, names)
    listed = _grouped(path, reading, {part: _listed(each, names) for part, each in found.parts.items()})
    gathered = gather(path, listed, reading)
    seen = Seen(
        layout="class folders",
        origins=tuple(found.origins.get(part, "") for part in ("train", "valid", "test")),
        pixels=gathered.pixels,
        skipped=counted([*tree.all_skipped(), *_unread(tree, found)]),
        notes=(*found.notes, *_nested(found)),
    )
    return gathered.raw(path, path.resolve().name, names, seen)


def _told_classes(tree: Folder, reading: Reading) -> _Classes:
    """Return the classes. Raises DataError, with the task of the images where they have another one."""
    try:
        return _classes(tree, reading)
    except DataError as error:
        if names := advice(tree):
            raise DataError(f"{names} (else: {error})") from None
        if said := other_task(tree):
            raise DataError(said) from None
        raise


def _classes(tree: Folder, reading: Reading) -> _Classes:
    root = descend(tree)
    notes = () if root is tree else (f"the classes stand in {root.path.relative_to(tree.path)}/",)
    if reading.classes and (said := said_classes(root, reading.classes, at_once=True)):
        return _Classes({"train": said}, {}, notes)
    splits = split_folders(root)
    if splits:
        parts = {part: _part(part, folder, tree, reading) for part, folder in splits.items()}
        return _Classes(
            parts, {part: f"{splits[part].path.relative_to(tree.path)}/" for part in splits}, notes
        )
    return _Classes({"train": _level(root, reading)}, {}, notes)


def _part(part: str, folder: Folder, tree: Folder, reading: Reading) -> Sequence[Folder]:
    try:
        return _level(folder, reading)
    except DataError as error:
        if part == "train":
            raise
        inside = folder.path.relative_to(tree.path).as_posix()
        raise DataError(f"{error}; or leave this part out with skip: ['{inside}/*']") from None


def _level(folder: Folder, reading: Reading) -> Sequence[Folder]:
    root = descend(folder)
    if reading.classes:
        found = said_classes(root, reading.classes)
        if found is None:
            raise DataError(f"{root.path} has no folders {', '.join(reading.classes)}, as classes says")
        return found
    return check_level(root)


def _check_names(path: Path, found: _Classes, names: Sequence[str]) -> None:
    for part, folders in found.parts.items():
        strange = sorted({folder.path.name for folder in folders} - set(names))
        if strange:
            where, train = found.origins[part].rstrip("/"), found.origins["train"].rstrip("/")
            raise DataError(f"{path / where} has the class {strange[0]} that {path / train} has not")


def _grouped(root: Path, reading: Reading, listed: Mapping[str, Listed]) -> Mapping[str, Listed]:
    """Return the files with the groups that their paths name, where the user says how."""
    if reading.group is None:
        return listed
    names = {part: groups_of_files(root, one.files, reading.group) for part, one in listed.items()}
    numbers = numbered_groups(root, names)
    return {part: one._replace(groups=numbers[part]) for part, one in listed.items()}


def _listed(folders: Sequence[Folder], names: Sequence[str]) -> Listed:
    files, labels = [], []
    for label, name in enumerate(names):
        inside = sorted(file for folder in folders if folder.path.name == name for file in folder.files())
        files += inside
        labels += [label] * len(inside)
    return Listed(files, labels)


def _nested(found: _Classes) -> list[str]:
    """Return which classes have images in folders below theirs, since these may be something else."""
    nested = {
        folder.path.name: folder.filled for each in found.parts.values() for folder in each if folder.filled
    }
    return [
        f"class {name} has the images of {', '.join(f'{one.path.name}/' for one in inner[:3])} below it too"
        for name, inner in nested.items()
    ]


def _unread(tree: Folder, found: _Classes) -> list[tuple[str, str]]:
    """Return the image files that are in no class, and the class folders without images."""
    taken = {file for folders in found.parts.values() for folder in folders for file in folder.files()}
    beside = [
        ("in no class folder", str(file.relative_to(tree.path))) for file in tree.files() if file not in taken
    ]
    empty = [
        ("a folder without images", str(folder.path.relative_to(tree.path)))
        for folder in tree.walk()
        if not folder.holds_images and folder is not tree
    ]
    return [*beside, *empty]
