"""The exits of a trial's network: what `genome exits` found of them, from the newest exits.json of these weights."""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from search.config.exits import ExitsSetting
from search.dashboard.pages.downloads import is_of_export
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.errors import StudyError
from search.results.exits.file import EXITS_FILE, FORMAT
from search.results.export import training_of
from search.storage.trial_files import REPORT_FILE, WEIGHTS_FILE
from trainer import files
from trainer.system.folders import open_regular

BEST = ("best",)  # the folder of the study's export
MOST_POINTS = 1000  # of a curve


class ExitRow(NamedTuple):
    """An exit; accuracies are on the validation images."""

    name: str
    reads: Sequence[str]
    params: int  # of all that runs until it answers
    macs: int  # likewise
    accuracy: float  # of all images


class CurvePoint(NamedTuple):
    """Thresholds of the curve, on the validation images."""

    accuracy: float
    macs: float  # mean multiply-adds of an image
    shares: Sequence[float]  # of the images that leave at each exit
    accuracies: Sequence[float | None]  # of the images that leave at each exit


class TrialExits(NamedTuple):
    """The exits of a network with the curve that their thresholds reach."""

    exits: Sequence[ExitRow]
    points: Sequence[CurvePoint]  # the cheapest first
    chosen: int  # place of the point whose thresholds are kept
    rule: str
    target: str  # as it was written, such as --drop 0.5%
    whole_macs: int
    last_exit: float  # accuracy of the last exit alone
    images: int  # for validation


def exits_page(snapshot: Snapshot, trial: TrialView, exits: int) -> dict[str, Any] | None:
    """Return the values of the section of exits, None for a network of one exit or of several labels an image.

    exits: of the network.
    """
    if exits < 2 or snapshot.config.data.reading.multilabel:
        return None
    told: dict[str, Any] = {
        "command": _command(snapshot, trial) + _drop(snapshot),
        "where": None,
        "trouble": None,
        "found": None,
    }
    newest = max(_files(snapshot, trial), default=None, key=lambda one: one[0])
    if newest is None:
        return told
    _, parts = newest
    where = "/".join((*parts, EXITS_FILE))
    try:
        assert snapshot.folder is not None  # a file was found below it
        found = _read(snapshot.folder, parts, exits)
        return {**told, "command": _command(snapshot, trial), "where": where, "found": found}
    except StudyError as error:
        return {**told, "where": where, "trouble": str(error)}


def _command(snapshot: Snapshot, trial: TrialView) -> str:
    return f"genome exits {shlex.quote(snapshot.name)}#{trial.record.number}"


def _drop(snapshot: Snapshot) -> str:
    """Return the option for what the study's objective may lose, empty where that is the default."""
    exits = snapshot.config.exits
    differs = snapshot.config.stopping and exits != ExitsSetting()
    return f" --drop {shlex.quote(exits.drop)}" if differs else ""


def _files(snapshot: Snapshot, trial: TrialView) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the time of each exits.json of the trial's network, and the parts of its folder below the study's."""
    folder, record = snapshot.folder, trial.record
    if folder is None:
        return
    number, seed = training_of(record, snapshot.goal)
    own = ("trials", str(number), *(("seeds", str(seed)) if seed is not None else ()))
    for parts in (own, *([BEST] if is_of_export(folder, trial) else [])):
        try:
            with open_regular(folder, (*parts, EXITS_FILE)) as file:
                yield os.fstat(file.fileno()).st_mtime_ns, parts
        except OSError:
            continue


def _read(folder: Path, parts: tuple[str, ...], exits: int) -> TrialExits:
    """Return what an exits.json says. Raises StudyError for anything but what this network's weights came to."""
    try:
        plain = _stored(folder, parts)
        weights = files.sha256(_bytes(folder, (*parts, WEIGHTS_FILE)))
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(f"the file cannot be read ({' '.join(str(error).split())[:160]})") from None
    if plain is None:
        raise StudyError("the file was changed since it was written (sha256)")
    if plain.get("format") != FORMAT:
        raise StudyError(f"the file has not the format {FORMAT}")
    if plain.get("weights") != weights:
        raise StudyError("the file has the thresholds of other weights")
    try:
        found = _parsed(plain)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise StudyError("the file does not hold what this version of `genome exits` writes") from None
    if len(found.exits) != exits:
        raise StudyError(f"the file has {len(found.exits)} exits; the network has {exits}")
    return found


def _stored(folder: Path, parts: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the values of an exits.json, None where it is not as it was written.

    The report of an export has its sha256; beside the weights of a trial it has its own.
    """
    content = _bytes(folder, (*parts, EXITS_FILE))
    if parts != BEST:
        return files.unsealed(content)
    known = json.loads(_bytes(folder, (*parts, REPORT_FILE)))["files"].get(EXITS_FILE)
    return dict(json.loads(content)) if files.sha256(content) == known else None


def _bytes(folder: Path, parts: tuple[str, ...]) -> bytes:
    with open_regular(folder, parts) as file:
        return file.read()


def _parsed(plain: Mapping[str, Any]) -> TrialExits:
    """Return the values of an exits.json. Raises an error where one is missing or of another type."""
    rows = [
        ExitRow(
            str(row["name"]),
            [str(name) for name in row["reads"]],
            int(row["params"]),
            int(row["macs"]),
            _share(row["accuracy"]),
        )
        for row in plain["exits"]
    ]
    points = [_point(one, len(rows)) for one in plain["curve"][:MOST_POINTS]]
    chosen = [one["rule"] for one in plain["curve"][:MOST_POINTS]].index(plain["rule"])
    target, valid = plain["target"], plain["valid"]
    return TrialExits(
        rows,
        points,
        chosen,
        str(plain["kind"]),
        f"--{target['kind']} {target['text']}",
        int(plain["whole_macs"]),
        _share(valid["last_exit"]),
        int(valid["images"]),
    )


def _point(plain: Mapping[str, Any], exits: int) -> CurvePoint:
    shares = [_share(one) for one in plain["shares"]]
    accuracies = [None if one is None else _share(one) for one in plain["accuracies"]]
    macs = float(plain["macs"])
    if len(shares) != exits or len(accuracies) != exits or not math.isfinite(macs):
        raise ValueError(plain)
    return CurvePoint(_share(plain["accuracy"]), macs, shares, accuracies)


def _share(value: Any) -> float:
    number = float(value)
    if not 0.0 <= number <= 1.0:
        raise ValueError(value)
    return number
