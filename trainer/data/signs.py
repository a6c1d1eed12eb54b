"""Signs: what is doubtful about a data set, found in its images and labels. A sign is one function here."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from trainer.data.data import Data, Split
from trainer.data.gather import MAX_AUTO

FEW = 5  # images of a class
MOSTLY = 0.8  # share of one class, from which accuracy says little
LARGE = 512  # pixels of a side, from which on few networks are trained in a budget
DARK = 32 / 255  # of white, below which pixels are hardly scaled
SHOWN = 5  # classes that are named
ALIKE = 0.5  # of the distance of other images of a class, below which neighbours are alike
DRAWN = ("drawn", "the first of")  # how the origin of a split begins that the owner has not made
PAIRS = 1024  # neighbours that are compared
BLOCK = 4096  # images that are looked at together

Sign = Callable[[Data], str | None]
SIGNS: list[Sign] = []


def sign(find: Sign) -> Sign:
    """Register a function that says what is doubtful, or returns None."""
    SIGNS.append(find)
    return find


def signs(data: Data) -> tuple[str, ...]:
    """Return a sentence for each thing that is doubtful."""
    return tuple(said for find in SIGNS if (said := find(data)) is not None)


def splits(data: Data) -> Mapping[str, Split]:
    """Return the three splits by name."""
    return {"train": data.train, "valid": data.valid, "test": data.test}


def class_counts(data: Data, split: Split) -> Tensor:
    """Return the images of each class, or with each label, (K,)."""
    if data.is_multilabel:
        return split.y.cpu().sum(0)
    return torch.bincount(split.y.cpu(), minlength=len(data.classes))


def majority(data: Data) -> tuple[str, float]:
    """Return the class that has the most validation images, and its share of them."""
    counts = class_counts(data, data.valid)
    most = int(counts.argmax())
    return data.classes[most], float(counts[most]) / max(len(data.valid), 1)


@sign
def of_one_colour(data: Data) -> str | None:
    found = sum(_flat(split) for split in splits(data).values())
    total = sum(map(len, splits(data).values()))
    if not found:
        return None
    return f"{found:,} of {total:,} images are of one colour all over; look at them with --sheet"


def _flat(split: Split) -> int:
    blocks = (x.flatten(2) for x in torch.split(split.x, BLOCK))
    return sum(int((block == block[:, :, :1]).all(dim=2).all(dim=1).sum()) for block in blocks)


@sign
def of_many_pixels(data: Data) -> str | None:
    _, height, width = data.input
    if max(height, width) <= LARGE or data.reading.size is not None:
        return None
    return (
        f"images of {height}x{width} take about {height * width / MAX_AUTO**2:,.0f} times the work of {MAX_AUTO}x"
        f"{MAX_AUTO}; say a size for pictures, such as size: auto, the median side and at most {MAX_AUTO}, or save "
        "smaller arrays"
    )


@sign
def hardly_scaled(data: Data) -> str | None:
    high = max(int(block.numpy().max()) for block in torch.split(data.train.x.cpu(), BLOCK))
    if high > DARK * data.white:
        return None
    low, white = data.seen.scale
    stored = f"{low + (white - low) * high / data.white:g}"
    return f"no train pixel is above {stored} of {white:g}; say range: [{low:g}, {stored}] if that is white"


@sign
def equal_in_two_splits(data: Data) -> str | None:
    train = {key for key, _ in _hashes(data.train)}
    told = []
    for name, split in (("valid", data.valid), ("test", data.test)):
        if equal := sum(key in train for key, _ in _hashes(split)):
            told.append(f"{equal:,} of {len(split):,} {name} images")
    return (
        f"{' and '.join(told)} are equal to a train image, so their accuracy is flattered" if told else None
    )


@sign
def equal_in_two_classes(data: Data) -> str | None:
    labels: dict[bytes, Any] = {}
    found = sum(labels.setdefault(key, label) != label for key, label in _hashes(data.train))
    what = "with other labels" if data.is_multilabel else "of another class"
    return f"{found:,} train images are equal to one {what}" if found else None


def _hashes(split: Split) -> Iterator[tuple[bytes, Any]]:
    for x, y in zip(split.x.cpu().numpy(), split.y.tolist(), strict=True):
        yield hashlib.blake2b(x.tobytes(), digest_size=16).digest(), y


@sign
def classes_of_few_images(data: Data) -> str | None:
    counts = class_counts(data, data.train).tolist()
    few = [f"{name} ({count})" for name, count in zip(data.classes, counts, strict=True) if count < FEW]
    kind = "labels" if data.is_multilabel else "classes"
    return f"{kind} with fewer than {FEW} train images: {_listed(few)}" if few else None


@sign
def classes_that_a_split_lacks(data: Data) -> str | None:
    told = []
    for name in ("valid", "test"):
        counts = class_counts(data, splits(data)[name]).tolist()
        lacking = [one for one, count in zip(data.classes, counts, strict=True) if count == 0]
        if lacking:
            told.append(f"{name} has no image of {_listed(lacking)}")
    return "; ".join(told) or None


@sign
def classes_that_differ_in_case_alone(data: Data) -> str | None:
    lower = [name.lower().strip() for name in data.classes]
    alike = [name for name in data.classes if lower.count(name.lower().strip()) > 1]
    return f"classes that differ in case or spaces alone: {_listed(alike)}" if alike else None


@sign
def mostly_one_class(data: Data) -> str | None:
    name, share = majority(data)
    if share < MOSTLY or data.is_multilabel:
        return None
    return (
        f"{share:.1%} of the validation images are {name}: a network that always says so has accuracy {share:.4f}, so "
        "take balanced_accuracy, macro_f1 or auc as the objective"
    )


@sign
def labels_that_every_image_has(data: Data) -> str | None:
    if not data.is_multilabel:
        return None
    counts = class_counts(data, data.train).tolist()
    always = [name for name, count in zip(data.classes, counts, strict=True) if count == len(data.train)]
    return f"labels that every train image has: {_listed(always)}" if always else None


@sign
def partly_grey(data: Data) -> str | None:
    if data.input[0] != 3:
        return None
    grey = sum(map(_grey, splits(data).values()))
    total = sum(map(len, splits(data).values()))
    if not grey:
        return None
    return f"{grey:,} of {total:,} images are grey and are read as colour; store all of them as grey, or none"


def _grey(split: Split) -> int:
    return sum(int((x == x[:, :1]).flatten(1).all(dim=1).sum()) for x in torch.split(split.x, BLOCK))


@sign
def two_values_alone(data: Data) -> str | None:
    found = sum(_of_two_values(split) for split in splits(data).values())
    total = sum(map(len, splits(data).values()))
    if not 0 < found < total / 2:  # where most images are black and white, all may be meant so
        return None
    return f"{found:,} of {total:,} images hold two values alone, as masks do; leave these out with skip: ['*_m.png']"


def _of_two_values(split: Split) -> int:
    # torch has no extremes of uint16
    kind = torch.uint8 if split.x.dtype == torch.uint8 else torch.int32
    blocks = (x.flatten(1).to(kind) for x in torch.split(split.x, BLOCK))
    ends = ((block, block.amin(1, keepdim=True), block.amax(1, keepdim=True)) for block in blocks)
    return sum(int((((x == low) | (x == high)).all(1) & (low < high)[:, 0]).sum()) for x, low, high in ends)


@sign
def neighbours_are_alike(data: Data) -> str | None:
    """Files that follow each other may be frames of a film or shots of one scene; images are drawn one by one."""
    if not any(place.startswith(DRAWN) and "whole" not in place for place in data.seen.origins):
        return None
    near, far = _distances(data.train)
    if not far or statistics.median(near) > ALIKE * statistics.median(far):
        return None
    kind = "of their labels" if data.is_multilabel else "of their class"
    return (
        f"images that follow each other are more alike than others {kind}, as frames of a film are, and the drawn "
        "splits part them, so accuracy is flattered; say with group what belongs together (a column of a table, or a "
        "regular expression of the paths in class folders), or give splits of your own"
    )


def _distances(split: Split) -> tuple[list[float], list[float]]:
    """Return mean distances of images of one class, or of the same labels.

    They are those of some images to the next one, and to the one half a class away.
    """
    near: list[float] = []
    far: list[float] = []
    kinds, kind_of = torch.unique(split.y.cpu(), dim=0, return_inverse=True)
    for kind in range(len(kinds)):
        members = torch.nonzero(kind_of == kind).flatten()
        step = max(1, len(members) * len(kinds) // PAIRS)
        for place in range(0, len(members) - 1, step) if len(members) >= 2 * FEW else ():
            one = split.x[members[place]].float()
            for found, other in ((near, place + 1), (far, (place + len(members) // 2) % len(members))):
                found.append(float((one - split.x[members[other]].float()).abs().mean()))
    return near, far


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
