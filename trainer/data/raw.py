"""Raw: images as a reader returns them, before they are split."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.errors import DataError

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Raw:
    """Images (N, C, H, W) of 0..255 and labels (N,), with the official test part if there is one."""

    name: str
    classes: tuple[str, ...]
    train_x: Images
    train_y: Labels
    test_x: Images | None
    test_y: Labels | None
    mirror: bool
    place: str  # where the data was read from, in messages


def check_labels(place: str, labels: Labels, classes: int, images: int, *, all_present: bool) -> None:
    """Raise DataError unless there is a label of 0..classes-1 for each image.

    all_present: whether every class must have an image.
    """
    if len(labels) != images:
        raise DataError(
            f"{place} has {len(labels)} labels for {images} images; there must be one for each image"
        )
    if images == 0:
        raise DataError(f"{place} is empty; at least one image a class is needed")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        wrong = low if low < 0 else high
        raise DataError(f"{place} holds the label {wrong}; labels must be 0..{classes - 1}")
    if all_present:
        missing = np.flatnonzero(np.bincount(labels, minlength=classes) == 0)
        if len(missing):
            raise DataError(
                f"{place} has no image of class {missing[0]}; every label of 0..{classes - 1} must occur"
            )
