"""Tree: the image files of a folder and of the folders below it, and what was passed over there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from trainer.data.picture import SUFFIXES, UNREAD
from trainer.errors import DataError

SYSTEM = frozenset(
    {
        "__macosx",
        "@eadir",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "thumbs.db",
        "desktop.ini",
    }
)
MASK = re.compile(r"(.+?)[_\-. ](masks?|seg|segmentation|gt|groundtruth)([_\- ]?\d+)?", re.IGNORECASE)
IMAGE_FOLDERS = frozenset({"image", "images", "img", "imgs", "jpegimages"})
MASK_FOLDERS = frozenset(
    {
        "annotation",
        "annotations",
        "groundtruth",
        "groundtruths",
        "gt",
        "label",
        "labels",
        "mask",
        "masks",
        "seg",
        "segmentation",
        "segmentations",
        "trimaps",
    }
)

PACKED = (".nii.gz", ".svgz")
HIDDEN, NO_IMAGE, LEFT_OUT = "hidden or of the system", "no image", "left out by skip"
MASKED = "a mask beside its image (skip: [] reads masks too)"
LOOP = "a link to a folder above it"
STUDIES = "a folder of studies"
CACHE = ".images"  # in every folder of studies: decoded images


_KNOWN: ContextVar[dict[tuple[Path, tuple[str, ...] | None], Folder] | None] = ContextVar(
    "_KNOWN", default=None
)


class Folder(NamedTuple):
    """A folder as a reader sees it, files and folders in the order of their names."""

    path: Path
    images: tuple[Path, ...]  # directly in it
    folders: tuple[Folder, ...]
    others: tuple[Path, ...]  # files that are no images
    skipped: tuple[tuple[str, str], ...]  # why, and which, of this folder alone

    def walk(self) -> Iterator[Folder]:
        """Yield this folder and every one below it."""
        yield self
        for folder in self.folders:
            yield from folder.walk()

    def files(self) -> list[Path]:
        """Return the image files in it and below it, in the order of their paths."""
        return sorted(image for folder in self.walk() for image in folder.images)

    @property
    def holds_images(self) -> bool:
        return any(folder.images for folder in self.walk())

    @property
    def filled(self) -> tuple[Folder, ...]:
        """The folders directly in it that hold images somewhere."""
        return tuple(folder for folder in self.folders if folder.holds_images)

    def all_skipped(self) -> list[tuple[str, str]]:
        """Return why and which, of everything that was passed over in it and below it."""
        return [one for folder in self.walk() for one in folder.skipped]


@dataclass(frozen=True)
class _Rule:
    """What is passed over."""

    root: Path
    skip: tuple[str, ...] | None

    def why(self, path: Path) -> str | None:
        if path.name.startswith(".") or path.name.lower() in SYSTEM:
            return HIDDEN
        if holds_studies(path):
            return STUDIES
        if not self.skip:
            return None
        inside = path.relative_to(self.root).as_posix()
        return LEFT_OUT if any(fnmatch(path.name, one) or fnmatch(inside, one) for one in self.skip) else None


def holds_studies(path: Path | str) -> bool:
    """Whether a search keeps its studies in a folder: pictures that it writes there are no images of the data set."""
    return os.path.isdir(os.path.join(path, CACHE))


def scan(root: Path, skip: tuple[str, ...] | None = None) -> Folder:
    """List the image files of a folder; links are followed.

    skip: patterns of names, or of paths below the folder, that are left out.  Raises DataError for a folder that cannot
    be read, a link to nothing, and image files of formats that are not read.
    """
    known = _KNOWN.get()
    if known is None:
        return _scan(root, _Rule(root, skip), ())
    if (root, skip) not in known:
        known[root, skip] = _scan(root, _Rule(root, skip), ())
    return known[root, skip]


@contextmanager
def listed_once() -> Iterator[None]:
    """Let `scan` list a folder once, however many layouts look at it: a folder of 100,000 files takes seconds."""
    before = _KNOWN.set({})
    try:
        yield
    finally:
        _KNOWN.reset(before)


def _scan(path: Path, rule: _Rule, above: tuple[str, ...]) -> Folder:
    here = (*above, os.path.realpath(path))
    images, folders, others, skipped = [], [], [], []
    for entry in _entries(path):
        why = rule.why(entry)
        if why is None and entry.is_dir():
            if os.path.realpath(entry) in here:
                why = LOOP
            else:
                folders.append(_scan(entry, rule, here))
        elif why is None and _is_image(entry):
            images.append(entry)
        elif why is None:
            others.append(entry)
            why = f"{NO_IMAGE} ({entry.suffix.lower() or 'no suffix'})"
        if why is not None:
            skipped.append((why, str(entry.relative_to(rule.root))))
    masks = _masks(images) if rule.skip != () else set()
    skipped += [(MASKED, str(mask.relative_to(rule.root))) for mask in sorted(masks)]
    kept = tuple(image for image in images if image not in masks)
    beside = _mask_folders(folders) if rule.skip != () and path != rule.root else ()
    skipped += [(MASKED, str(mask.relative_to(rule.root))) for folder in beside for mask in folder.files()]
    skipped += [one for folder in beside for one in folder.all_skipped()]
    inner = tuple(folder for folder in folders if folder not in beside)
    return Folder(path, kept, inner, tuple(others), tuple(skipped))


def _entries(path: Path) -> list[Path]:
    try:
        return [path / name for name in sorted(os.listdir(path))]  # sorting paths takes longer
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def _is_image(file: Path) -> bool:
    suffix = file.suffix.lower()
    if suffix in UNREAD or file.name.lower().endswith(PACKED):
        ending = "".join(file.suffixes[-2:]) if suffix == ".gz" else file.suffix
        raise DataError(
            f"{file} is of a format that is not read; convert it to PNG or TIFF, or leave such files out with "
            f"skip: ['*{ending}']"
        )
    if suffix not in SUFFIXES or file.is_file():
        return suffix in SUFFIXES
    if not file.exists():
        raise DataError(f"{file} is a link to a file that is not there; restore the file or remove the link")
    return False


def _mask_folders(folders: Sequence[Folder]) -> tuple[Folder, ...]:
    """Return the folders of masks beside one of images, as images/1.png and masks/1.png below a class."""
    pictures = {
        file.stem for folder in folders if _is_named(folder, IMAGE_FOLDERS) for file in folder.files()
    }
    masks = (folder for folder in folders if _is_named(folder, MASK_FOLDERS))
    return tuple(folder for folder in masks if any(_bare(file) in pictures for file in folder.files()))


def _is_named(folder: Folder, names: frozenset[str]) -> bool:
    return re.sub(r"[_\- ]", "", folder.path.name.lower()) in names


def _bare(mask: Path) -> str:
    match = MASK.fullmatch(mask.stem)
    return match[1] if match else mask.stem


def _masks(images: list[Path]) -> set[Path]:
    """Return the images `x_mask` beside which there is an image `x`."""
    stems = {image.stem for image in images}
    found = ((image, MASK.fullmatch(image.stem)) for image in images)
    return {image for image, match in found if match and match[1] in stems}
