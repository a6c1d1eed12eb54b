"""Cached: data sets in a folder, read once, and then mapped into the memory of every process that trains on them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from trainer.data import store
from trainer.data.data import DIGITS, Data, Split, digest_head
from trainer.data.fingerprint import fingerprint
from trainer.data.moments import Tally
from trainer.data.raw import Part, Raw
from trainer.data.seen import Seen
from trainer.data.split import Divided
from trainer.data.spool import SpoolError, blocks, spooled
from trainer.data.store import Column, Entry

NAMES = ("train", "valid", "test")
WORTH_BYTES = 64 << 20  # of a data set with a name, from which on processes share it

log = logging.getLogger("trainer")


def cached(folder: Path, path: Path, said: Mapping[str, Any], read: Callable[[], Divided]) -> Data | None:
    """Return own images from the folder, where they are put first if they are not there; None if that fails.

    path: of the images.  said: what shapes the reading, as plain values.  read: reads them. Raises what `read` raises.
    """
    found = _kept(folder, path, said, lambda place: _write(place, read()))
    return None if found is None else data_of(found)


def cached_raw(folder: Path, path: Path, said: Mapping[str, Any], read: Callable[[], Raw]) -> Raw | None:
    """Return own images that are not split yet, as `cached` does: one folder is for any number of folds."""
    found = _kept(folder, path, {"split": False, **said}, lambda place: _write_raw(place, read()))
    return None if found is None else _raw_of(found)


def _kept(folder: Path, path: Path, said: Mapping[str, Any], write: Callable[[Path], None]) -> Entry | None:
    """Return what lies in the folder, where `write` puts it first if it is not there; None if that fails."""
    try:
        place = folder / fingerprint(path.expanduser(), said)
    except (OSError, ValueError, RuntimeError):
        return None  # the reader says what is wrong with the path
    try:
        return store.opened(place) or _put(place, write)
    except (OSError, SpoolError) as error:
        log.warning("%s cannot keep decoded images (%s): each process has them in its memory", folder, error)
        return None


def _put(place: Path, write: Callable[[Path], None]) -> Entry:
    with store.alone(place):
        if found := store.opened(place):  # another process was faster
            return found
        with spooled(place):
            write(place)
        store.forget_old(place.parent)
    return _read_back(place)


def _write(place: Path, found: Divided) -> None:
    x = found.train.x
    shape = (x.shape[1], x.shape[2], x.shape[3])
    tally = Tally(shape[0], x.dtype)
    columns = {}
    for name, part in zip(NAMES, (found.train, found.valid, found.test), strict=True):
        pixels = tally.seen(blocks(part.x)) if name == "train" else blocks(part.x)
        columns[f"{name}_x"] = Column(pixels, (len(part), *shape), part.x.dtype)
        columns[f"{name}_y"] = Column([part.y], part.y.shape, part.y.dtype)

    def facts() -> dict[str, Any]:
        mean, std = tally.moments()
        known = {"name": found.name, "classes": found.classes, "input": shape, "mirror": found.mirror}
        return {**known, "mean": mean, "std": std, "seen": found.seen.to_json()}

    store.write(place, digest_head(shape, found.classes), columns, facts)


def _write_raw(place: Path, raw: Raw) -> None:
    columns, kinds = {}, {}
    for name, part in zip(NAMES, (raw.train, raw.valid, raw.test), strict=True):
        if part is None:
            continue
        kinds[name] = part.grouped
        columns[f"{name}_x"] = Column(blocks(part.x), part.x.shape, part.x.dtype)
        columns[f"{name}_y"] = Column([part.y], part.y.shape, part.y.dtype)
        if part.groups is not None:
            columns[f"{name}_groups"] = Column([part.groups], part.groups.shape, part.groups.dtype)
    known = {"name": raw.name, "classes": raw.classes, "mirror": raw.mirror, "place": raw.place}
    facts = {**known, "grouped": kinds, "seen": raw.seen.to_json()}
    store.write(place, "not split", columns, lambda: facts)


def _raw_of(found: Entry) -> Raw:
    facts, arrays = found.facts, found.arrays
    train, valid, test = (
        Part(arrays[f"{name}_x"], arrays[f"{name}_y"], arrays.get(f"{name}_groups"), facts["grouped"][name])
        if name in facts["grouped"]
        else None
        for name in NAMES
    )
    assert train is not None  # every data set has it
    known = facts["name"], tuple(facts["classes"])
    return Raw(*known, train, valid, test, facts["mirror"], facts["place"], Seen.of_json(facts["seen"]))


def _read_back(place: Path) -> Entry:
    found = store.opened(place)
    if found is None:
        raise OSError(f"{place} does not hold what was written")
    return found


def shared(folder: Path, data: Data) -> Data:
    """Return a data set that is in memory as one that processes share, where that saves much memory."""
    splits = (data.train, data.valid, data.test)
    if sum(split.x.nbytes for split in splits) < WORTH_BYTES:
        return data
    place = folder / data.digest()
    try:
        found = store.opened(place)
        if found is None:
            with store.alone(place):
                _write(place, _again(data))
            found = _read_back(place)
    except OSError as error:
        log.warning("%s cannot keep images (%s): each process has them in its memory", folder, error)
        return data
    return data_of(found)


def _again(data: Data) -> Divided:
    train, valid, test = (
        Part(split.x.numpy(), split.y.numpy()) for split in (data.train, data.valid, data.test)
    )
    return Divided(data.name, data.classes, train, valid, test, data.mirror, data.seen)


def data_of(found: Entry) -> Data:
    """Return the data set that a folder of the cache holds."""
    facts, arrays = found.facts, found.arrays
    train, valid, test = (
        Split(torch.from_numpy(arrays[f"{name}_x"]), torch.from_numpy(arrays[f"{name}_y"]), mapped=True)
        for name in NAMES
    )
    channels, height, width = facts["input"]
    data = Data(
        name=facts["name"],
        input=(channels, height, width),
        classes=tuple(facts["classes"]),
        train=train,
        valid=valid,
        test=test,
        mean=tuple(facts["mean"]),
        std=tuple(facts["std"]),
        mirror=facts["mirror"],
        seen=Seen.of_json(facts["seen"]),
        place=found.folder,
    )
    data.__dict__["_digest"] = found.digest[:DIGITS]
    return data
