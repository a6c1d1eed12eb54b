"""The files of a trial that can be downloaded: those in its folder and, for the exported trial, those of the export.

Only a few fixed names below the study's folder can be downloaded, and symbolic links are never followed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from search.dashboard.studies.errors import NotFound
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.dashboard.web import links
from search.results.evaluation.file import EVALUATION_FILE
from search.results.exits.file import CURVE_FILE, EXITS_FILE
from search.results.exported import CARD_FILE, FORMAT, USAGE_FILE
from search.results.model_file import MODEL_FILE, TENSORS_FILE
from search.space.point import network_of
from search.storage.trial_files import GENOME_FILE, REPORT_FILE, WEIGHTS_FILE
from trainer.system.folders import open_regular

TRAINED, EXPORT = "trained", "export"
SAYS = {
    (TRAINED, WEIGHTS_FILE): "the weights of the trial",
    (TRAINED, REPORT_FILE): "the report of the training",
    (TRAINED, EVALUATION_FILE): "what the network gets right and wrong on the validation images",
    (EXPORT, GENOME_FILE): "the exported genome",
    (EXPORT, WEIGHTS_FILE): "the exported weights",
    (EXPORT, REPORT_FILE): "the report of the export, with the test accuracy",
    (EXPORT, EVALUATION_FILE): "what the network gets right and wrong on the validation images",
    (EXPORT, MODEL_FILE): "the network in plain PyTorch",
    (EXPORT, TENSORS_FILE): "its weights",
    (EXPORT, CARD_FILE): "the model card",
    (EXPORT, EXITS_FILE): "the thresholds at which images leave early",
    (EXPORT, CURVE_FILE): "accuracy over multiply-adds as a picture",
    (EXPORT, USAGE_FILE): "how to use the export",
}
CHUNK_BYTES = 1 << 18  # sent at once
LARGEST_REPORT = 1 << 24  # bytes


class Download(NamedTuple):
    """A file that can be downloaded."""

    name: str
    says: str  # what the file is, in words
    href: str
    size: int  # bytes


def downloads(snapshot: Snapshot, trial: TrialView) -> list[Download]:
    """Return the files of a trial that exist."""
    base = links.trial(snapshot.name, trial.record.number)
    found = []
    for (part, name), says in SAYS.items():
        try:
            with open_download(snapshot, trial, part, name) as file:
                size = size_of(file)
        except NotFound:
            continue
        found.append(Download(name, says, f"{base}/{part}/{name}", size))
    return found


def size_of(file: BinaryIO) -> int:
    """Return the size of an open file in bytes."""
    return os.fstat(file.fileno()).st_size


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a file in chunks, up to its present size, and close the file."""
    with file:
        left = size_of(file)
        while left and (chunk := file.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk


def open_download(snapshot: Snapshot, trial: TrialView, part: str, name: str) -> BinaryIO:
    """Return a file of a trial, open. Raises NotFound where there is no such file."""
    if (part, name) not in SAYS or snapshot.folder is None:
        raise NotFound("there is no such file")
    number = trial.record.number
    if part == TRAINED:
        return _plain_file(snapshot.folder, "trials", str(number), name)
    if not is_of_export(snapshot.folder, trial):
        raise NotFound(f"the export of study {snapshot.name} is not of trial {number}")
    return open_export(snapshot.folder, name)


def open_export(folder: Path, name: str) -> BinaryIO:
    """Return a file of the export in a study's folder, open. Raises NotFound."""
    return _plain_file(folder, "best", name)


def is_of_export(folder: Path, trial: TrialView) -> bool:
    """Return whether the export in the study's folder is of this trial."""
    try:
        with open_export(folder, REPORT_FILE) as file:
            info: Any = json.loads(file.read(LARGEST_REPORT))
    except (NotFound, OSError, ValueError):
        return False
    is_export = isinstance(info, dict) and info.get("export") == FORMAT
    if not is_export or trial.record.digest is None:
        return False
    return (info.get("trial"), info.get("digest")) == (trial.record.number, network_of(trial.record.digest))


def _plain_file(folder: Path, *parts: str) -> BinaryIO:
    """Open a file below a folder. Raises NotFound where it is no regular file, or a link is part of its path."""
    try:
        return open_regular(folder, parts)
    except OSError:
        raise NotFound(f"no {parts[-1]} is stored for this trial") from None
