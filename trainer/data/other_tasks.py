"""Other tasks: folders of images that are labelled for something else than one class an image."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from trainer.data.tree import MASK_FOLDERS, Folder

BEGIN = 1 << 12  # bytes by which a file is judged
COCO = re.compile(
    r"(instances|person_keypoints|stuff|panoptic)_\w+\.json|_annotations\.coco\.json", re.IGNORECASE
)
VOC = re.compile(rb"<annotation[\s>].*<object>", re.DOTALL)
YOLO = re.compile(rb"(\d+( \d*\.?\d+(e-?\d+)?){4,}\s*)+")  # a class and the numbers of a box on each line
INPUTS = frozenset({"images", "image", "imgs", "img", "input", "inputs", "jpegimages"})
OUTPUTS = frozenset({"target", "targets", "output", "outputs"}) | MASK_FOLDERS


def other_task(tree: Folder) -> str | None:
    """Return for what a folder of images is labelled, as a reason to refuse it; None where nothing says it."""
    return _of_boxes(tree) or _of_pictures(tree)


def _of_boxes(tree: Folder) -> str | None:
    for file in (file for folder in tree.walk() for file in folder.others):
        if form := next((form for form, holds in FORMS.items() if holds(file)), None):
            return (
                f"{file} has boxes of objects ({form}), which is object detection; here each image is of one class: "
                "cut the objects out into one folder per class, or name the class of each image in a CSV file"
            )
    return None


def _of_pictures(tree: Folder) -> str | None:
    for folder in tree.walk():
        names = [inner.path.name for inner in folder.filled]
        kinds = [(name.lower() in INPUTS, name.lower() in OUTPUTS) for name in names]
        if sorted(kinds) == [(False, True), (True, False)]:
            return (
                f"{folder.path} has {names[0]}/ and {names[1]}/, a picture for each picture, which is segmentation or "
                "the like; here each image is of one class: sort the images into one folder per class, or name the "
                f"class of each in a CSV file (or say classes: [{', '.join(names)}] if these are the classes)"
            )
    return None


def _is_coco(file: Path) -> bool:
    return bool(COCO.fullmatch(file.name))


def _is_voc(file: Path) -> bool:
    return file.suffix.lower() == ".xml" and bool(VOC.search(_begin(file)))


def _is_yolo(file: Path) -> bool:
    return file.suffix.lower() == ".txt" and bool(YOLO.fullmatch(_begin(file)))


FORMS: Mapping[str, Callable[[Path], bool]] = {"COCO": _is_coco, "Pascal VOC": _is_voc, "YOLO": _is_yolo}


def _begin(file: Path) -> bytes:
    """Return the first lines of a file, none of them cut."""
    if not file.is_file():
        return b""
    with file.open("rb") as stream:
        begin = stream.read(BEGIN)
    return begin if len(begin) < BEGIN else begin[: begin.rfind(b"\n") + 1]
