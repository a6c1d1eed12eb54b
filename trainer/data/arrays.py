"""Arrays: named arrays of images and labels as a data set, wherever they were stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np

from trainer.data.axes import channels_first, images_first, order_of
from trainer.data.labels import class_names, numbered, plain_labels
from trainer.data.multilabel import marks
from trainer.data.raw import Array, Images, Labels, Part, Raw
from trainer.data.reading import Reading
from trainer.data.seen import Seen, counted
from trainer.data.spool import Rows
from trainer.data.tree import LEFT_OUT
from trainer.data.values import bounds, check_scale, kind_of, scaled, span, told
from trainer.data.words import SPLITS, role_of
from trainer.errors import DataError

WANTED = "train_x and train_y, and may hold valid_x, valid_y, test_x, test_y and classes"


class Roles(NamedTuple):
    """The name of each array by (split, role); images without a split are those of train."""

    names: Mapping[tuple[str, str], str]
    classes: str | None
    unused: tuple[str, ...]
    left_out: tuple[str, ...] = ()  # by `skip`


class Pair(NamedTuple):
    """Images and labels of one part as they are stored, with their names."""

    x: Array
    y: Array
    x_name: str
    y_name: str


def roles(place: str, names: Sequence[str], reading: Reading) -> Roles:
    """Find which array is what by its name, or as the user says.

    Raises DataError where two are the same, or half of a pair is missing.
    """
    said = {name: role for name, role in ((reading.image, "x"), (reading.label, "y")) if name}
    if unknown := [name for name in said if name not in names]:
        raise DataError(f"{place} has no array {unknown[0]}; it has {', '.join(names)}")
    taken = {(role_of(name)[0], role) for name, role in said.items()}
    found: dict[tuple[str, str], str] = {}
    classes, unused = None, []
    left_out = tuple(name for name in names if _is_left_out(name, reading))
    for name in (name for name in names if name not in left_out):
        split, role = role_of(name)
        role = said.get(name) or (None if (split, role) in taken else role)
        if role == "classes" and classes is not None:
            raise DataError(f"{place}: {classes} and {name} may both be the names of the classes; keep one")
        if role == "classes":
            classes = name
        elif role is None:
            unused.append(name)
        elif (key := (split or "all", role)) in found:
            raise DataError(
                f"{place}: {found[key]} and {name} may both be the {_role(role)} of {split or 'the set'}; keep one, "
                f"and leave the other out with skip: ['{name}']"
            )
        else:
            found[key] = name
    found = _unnamed(found, place)
    _check_pairs(place, found, unused)
    return Roles(found, classes, tuple(unused), left_out)


def _is_left_out(name: str, reading: Reading) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in reading.skip or ())


def _role(role: str) -> str:
    return "images" if role == "x" else "labels"


def _unnamed(found: dict[tuple[str, str], str], place: str) -> dict[tuple[str, str], str]:
    """Return the names with those without a split as train."""
    bare = {role: name for (split, role), name in found.items() if split == "all"}
    if not bare:
        return found
    if ("train", "x") in found or ("train", "y") in found:
        odd = next(iter(bare.values()))
        raise DataError(
            f"{place}: {odd} is of no split beside arrays of train; leave it out with skip: ['{odd}'], or name its "
            "split"
        )
    return {("train" if split == "all" else split, role): name for (split, role), name in found.items()}


def _check_pairs(place: str, found: Mapping[tuple[str, str], str], unused: list[str]) -> None:
    for split in ("train", *sorted({split for split, _ in found} - {"train"})):
        for role in ("x", "y"):
            if (split, role) not in found:
                half = "" if split == "train" else found[split, "x" if role == "y" else "y"]
                without = f"; or leave {half} out with skip: ['{half}']" if half else ""
                raise DataError(
                    f"{place} has no array {split}_{role}; it must hold {WANTED}{_said(role, unused)}{without}"
                )


def _said(role: str, unused: Sequence[str]) -> str:
    """Return which arrays may be meant, with what says so."""
    if not unused:
        return ""
    key = "image" if role == "x" else "label"
    words = " or ".join(f"{key}: {name}" for name in unused[:3])
    return f" (not understood: {', '.join(unused[:5])}; if one is it, say {words})"


def raw_of(
    place: str,
    name: str,
    pairs: Mapping[str, Pair],
    names: tuple[str, ...] | None,
    reading: Reading,
    about: Seen,
) -> Raw:
    """Return the data set of pairs by split. Raises DataError for shapes, values or labels that are not understood."""
    images = {split: _first(place, pair) for split, pair in pairs.items()}
    x, pixels, scale = _pixels(place, pairs, images, reading)
    y, classes = _labels(
        place, pairs, names or reading.classes, {split: len(one) for split, one in x.items()}, reading
    )
    parts = {split: Part(x[split], y[split]) for split in pairs}
    _check_alike(place, parts)
    origins = tuple(f"{pairs[one].x_name}, {pairs[one].y_name}" if one in pairs else "" for one in SPLITS)
    seen = about._replace(origins=origins, pixels=pixels, scale=scale)
    return Raw(name, classes, parts["train"], parts.get("valid"), parts.get("test"), False, place, seen)


def _first(place: str, pair: Pair) -> Array:
    return images_first(f"{place}: {pair.x_name}", pair.x, len(pair.y))


def _pixels(
    place: str, pairs: Mapping[str, Pair], images: Mapping[str, Array], reading: Reading
) -> tuple[Mapping[str, Array], str, tuple[float, float]]:
    """Return images as (N, C, H, W) of black to white, their values in words, and those that are black and white."""
    orders = {
        split: order_of(f"{place}: {pairs[split].x_name}", one.shape, reading.channels)
        for split, one in images.items()
    }
    spans = {split: span(f"{place}: {pairs[split].x_name}", one) for split, one in images.items()}
    if len(set(orders.values())) > 1:
        listed = " but ".join(f"{pairs[one].x_name} has shape {images[one].shape}" for one in images)
        raise DataError(f"{place}: {listed}; the order of their axes differs, so save all in one order")
    whole = spans["train"]
    for split, one in spans.items():
        if one.kind != whole.kind:
            raise DataError(
                f"{place}: {pairs['train'].x_name} is {whole.kind} but {pairs[split].x_name} is {one.kind}; "
                "save both alike"
            )
        whole = whole.with_(one)
    check_scale(place, {pairs[split].x_name: one for split, one in spans.items()})
    names = " and ".join(dict.fromkeys(pair.x_name for pair in pairs.values()))
    low, high = bounds(f"{place}: {names}", whole, reading, several=len(pairs) > 1)
    kind = kind_of(whole, low, high, reading)
    x = {
        split: np.ascontiguousarray(channels_first(scaled(one, low, high, kind), orders[split]))
        for split, one in images.items()
    }
    return x, told(whole, low, high, kind), (low, high)


def _labels(
    place: str,
    pairs: Mapping[str, Pair],
    names: tuple[str, ...] | None,
    images: Mapping[str, int],
    reading: Reading,
) -> tuple[Mapping[str, Labels], tuple[str, ...]]:
    if reading.multilabel:
        return _several(place, pairs, names, images)
    plain = {split: plain_labels(f"{place}: {pair.y_name}", pair.y, names) for split, pair in pairs.items()}
    order, classes = class_names(f"{place}: {pairs['train'].y_name}", plain["train"], names)
    y = {
        split: numbered(
            f"{place}: {pairs[split].y_name}", one, order, images[split], of_train=split == "train"
        )
        for split, one in plain.items()
    }
    return y, classes


def _several(
    place: str, pairs: Mapping[str, Pair], names: tuple[str, ...] | None, images: Mapping[str, int]
) -> tuple[Mapping[str, Labels], tuple[str, ...]]:
    _, known = marks(f"{place}: {pairs['train'].y_name}", pairs["train"].y, images["train"], names)
    y = {
        split: marks(f"{place}: {one.y_name}", one.y, images[split], known)[0] for split, one in pairs.items()
    }
    return y, known


def _check_alike(place: str, parts: Mapping[str, Part]) -> None:
    for split, part in parts.items():
        if part.x.shape[1:] != parts["train"].x.shape[1:]:
            raise DataError(
                f"{place}: train images are {_size(parts['train'].x)} but {split} images are {_size(part.x)}; "
                "they must agree"
            )


def _size(x: Images | Rows) -> str:
    return "x".join(str(side) for side in x.shape[1:])


def unused_arrays(found: Roles) -> Seen:
    """Return what is known of a set of arrays before they are read."""
    unused = [("an array that is not understood", name) for name in found.unused]
    return Seen(skipped=counted([*unused, *((LEFT_OUT, name) for name in found.left_out)]))
