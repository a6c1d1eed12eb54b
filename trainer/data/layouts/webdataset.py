"""webdataset: tar archives with an image and its label side by side, as 0001.jpg and 0001.cls. Nothing is unpacked."""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from trainer.data.classified import classified
from trainer.data.encoded import Encoded
from trainer.data.label_texts import check_texts, whole_numbers
from trainer.data.layouts.registry import OF_PICTURES, layout
from trainer.data.picture import SUFFIXES as PICTURES
from trainer.data.raw import Array, Raw
from trainer.data.reading import Reading
from trainer.data.seen import Seen, counted
from trainer.data.words import SPLITS, split_of, split_within
from trainer.errors import DataError

SUFFIXES = (".tar", ".tar.gz", ".tgz")
LABELS = frozenset(
    {"cls", "cls.txt", "class", "label", "json"}
)  # what stands behind the first dot of a label's file
LOOKED_AT = 16  # entries by which an archive is judged


class _Sample(NamedTuple):
    """The files of one key: its image and its label, where it has them."""

    key: str
    image: Encoded | None
    label: str | None


class _Shard(NamedTuple):
    """The samples of an archive with an image, their labels, and what was passed over."""

    images: Sequence[Encoded]
    labels: Array
    passed: Sequence[tuple[str, str]]


def _files(path: Path) -> Mapping[Path, str]:
    """Return the archives of a path with the split of each."""
    if not path.is_dir():
        return {path: "train"} if path.name.lower().endswith(SUFFIXES) else {}
    direct = {file: split_within(file.name) or "train" for file in _archives(path)}
    inner = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and split_of(folder.name)]
    return direct or {file: split_of(folder.name) or "" for folder in inner for file in _archives(folder)}


def _archives(folder: Path) -> list[Path]:
    found = sorted(
        file for file in folder.iterdir() if file.name.lower().endswith(SUFFIXES) and file.is_file()
    )
    return [file for file in found if not file.name.startswith(".")]


def _fits(path: Path, _: Reading) -> bool:
    """Whether archives begin with a label beside an image; true for a given one that cannot be read."""
    return any(_is_shard(file, damaged=path.is_file()) for file in _files(path))


def _is_shard(file: Path, *, damaged: bool) -> bool:
    """Whether an archive is a shard; `damaged` is the answer for one that cannot be read."""
    try:
        with tarfile.open(file) as opened:
            names = [entry.name for _, entry in zip(range(LOOKED_AT), opened, strict=False) if entry.isfile()]
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        return damaged
    kinds = {_apart(name)[1] for name in names}
    return bool(kinds & LABELS) and any(f".{kind}" in PICTURES for kind in kinds)


def _apart(name: str) -> tuple[str, str]:
    """Return the key of an entry, all before the first dot of its file name, and what stands behind that."""
    path = PurePosixPath(name)
    first, _, rest = path.name.partition(".")
    return str(path.with_name(first)) if first else name, rest.lower()


@layout(
    "webdataset",
    about="a .tar archive with an image and its label side by side, as 0001.jpg and 0001.cls (or label in 0001.json), "
    "or a folder of such archives (WebDataset)",
    splits="names of the archives or of their folders: train-0000.tar, val, test",
    fits=_fits,
    answers=(*OF_PICTURES, "label"),
)
def read(path: Path, reading: Reading) -> Raw:
    """Read archives of samples. Raises DataError for damaged ones and for images without a label."""
    shards: dict[str, list[_Shard]] = {}
    origins: dict[str, list[str]] = {}
    for file, split in _files(path).items():
        shards.setdefault(split, []).append(_shard(file, reading))
        origins.setdefault(split, []).append(file.name)
    if "train" not in shards:
        raise DataError(f"{path} has archives of {', '.join(shards)} and none of train")
    texts = {split: np.concatenate([one.labels for one in each]) for split, each in shards.items()}
    labels = _as_numbers(path, texts, reading)
    images = {split: [image for one in each for image in one.images] for split, each in shards.items()}
    gathered, classes = classified(path, images, labels, reading)
    passed = [one for each in shards.values() for shard in each for one in shard.passed]
    names = tuple(", ".join(origins.get(split, ())) for split in SPLITS)
    seen = Seen("WebDataset archives", names, gathered.pixels, counted(passed))
    return gathered.raw(path, path.resolve().stem, classes, seen)


def _as_numbers(path: Path, texts: Mapping[str, Array], reading: Reading) -> Mapping[str, Array]:
    """Return labels as whole numbers where all of all splits are."""
    every = np.concatenate(list(texts.values())).tolist()
    check_texts(every, "label", lambda row: f"{path}, image {row},", reading.classes)
    if whole_numbers(every, "label", lambda row: f"{path}, image {row},") is None:
        return texts
    return {split: each.astype(np.int64) for split, each in texts.items()}


def _shard(file: Path, reading: Reading) -> _Shard:
    samples = list(_samples(file, reading))
    with_image = [one for one in samples if one.image is not None]
    unlabelled = [one.key for one in with_image if one.label is None]
    if unlabelled:
        raise DataError(
            f"{file}: {unlabelled[0]} has no label ({len(unlabelled)} of {len(with_image)} images in all); write it "
            f"beside the image, as {unlabelled[0]}.cls, or say label: KEY for the key of the .json that holds it"
        )
    if not with_image:
        raise DataError(f"{file} holds no images with labels; write 0001.jpg and 0001.cls for each image")
    passed = [
        ("a sample without an image", f"{file.name}: {one.key}") for one in samples if one.image is None
    ]
    return _Shard(
        [one.image for one in with_image if one.image], np.asarray([one.label for one in with_image]), passed
    )


def _samples(file: Path, reading: Reading) -> Iterator[_Sample]:
    """Yield the samples of an archive; the entries of one key stand together. Raises DataError."""
    sample = _Sample("", None, None)
    for key, kind, content in _entries(file):
        if key != sample.key:
            if sample.key:
                yield sample
            sample = _Sample(key, None, None)
        if f".{kind.rpartition('.')[2]}" in PICTURES:
            if sample.image is not None:
                raise DataError(f"{file}: {key} has two images; WebDataset has one image for each key")
            sample = sample._replace(image=Encoded(f"{file}: {key}.{kind}", content))
        elif kind == "json" and sample.label is not None and reading.label is None:
            continue  # the label beside it has the word
        elif (
            kind in LABELS and (label := _label(f"{file}: {key}.{kind}", kind, content, reading)) is not None
        ):
            sample = sample._replace(label=label)
    if sample.key:
        yield sample


def _entries(file: Path) -> Iterator[tuple[str, str, bytes]]:
    try:
        with tarfile.open(file) as opened:
            for entry in opened:
                stream = opened.extractfile(entry) if entry.isfile() else None
                if stream is not None and not PurePosixPath(entry.name).name.startswith("."):
                    yield *_apart(entry.name), stream.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} is no readable tar archive ({error}); fetch it again") from None


def _label(place: str, kind: str, content: bytes, reading: Reading) -> str | None:
    """Return the label that an entry holds, None for a .json without one. Raises DataError for what is no text."""
    try:
        text = content.decode("utf-8").strip()
        found = json.loads(text) if kind == "json" else text
    except ValueError:
        raise DataError(f"{place} is no text of a label; write the number or the name of the class") from None
    if kind == "json":
        found = found.get(reading.label or "label") if isinstance(found, dict) else None
    return None if found is None else found if isinstance(found, str) else json.dumps(found)
