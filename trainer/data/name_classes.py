"""Name classes: classes that stand in the names of image files, such as cat.0.jpg and dog_12.jpg."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from trainer.data.tree import MASK_FOLDERS, Folder

# cat.0, cat_12, cat (3), cat12 and 12_cat
FORMS = (
    re.compile(r"(?P<name>\d*[^\W\d_].*?)[\W_]*\d+\W*"),
    re.compile(r"\d+[\W_]+(?P<name>[^\W\d_].*)"),
)
FEWEST = 3  # images of a class on average, from which names tell classes
MOST_SHOWN = 4


def classes_of(files: Sequence[Path]) -> Mapping[Path, str]:
    """Return the class in the name of each file that has one, all by the same form."""
    found = [
        {file: match["name"] for file in files if (match := form.fullmatch(file.stem))} for form in FORMS
    ]
    return max(found, key=len)


def without_masks(tree: Folder) -> list[Path]:
    """Return the image files of a folder that are not below one of masks or of other annotations."""
    return [file for file in tree.files() if not _folders(tree, file) & MASK_FOLDERS]


def _folders(tree: Folder, file: Path) -> set[str]:
    return {part.lower() for part in file.relative_to(tree.path).parts[:-1]}


def advice(tree: Folder) -> str | None:
    """Return what to say where the names of files tell several classes in one folder; None where they do not."""
    filled = max(tree.walk(), key=lambda folder: len(folder.images))
    counts = Counter(classes_of(filled.images).values())
    if len(counts) < 2 or counts.total() < FEWEST * len(counts) or 2 * counts.total() < len(filled.images):
        return None
    names = sorted(counts)
    listed = ", ".join(names[:MOST_SHOWN]) + (" .." if len(names) > MOST_SHOWN else "")
    return f"the names of files in {filled.path} tell classes ({listed}); say layout: file_names if these are meant"
