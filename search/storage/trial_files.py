"""The files of one training, in the folder of its trial or seed: genome, weights and report; the report is the last.

The report has the sha256 of the other files and of itself. Reports of earlier versions have none and are read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from search.errors import StudyError
from trainer import files

GENOME_FILE, WEIGHTS_FILE, REPORT_FILE = "genome.yaml", "weights.safetensors", "report.json"
CHECKPOINT_FILE = "checkpoint"  # deleted when the trial, or the trial that retries it, has ended
SUMS = "files"  # key of a report: the sums of the other files by name


class TrainingFiles(NamedTuple):
    """What the files of one training hold."""

    # of the genome
    text: str
    # as safetensors
    weights: bytes
    report: dict[str, Any]


def write_training(folder: Path, text: str, weights: bytes, report: Mapping[str, Any]) -> None:
    """Write the files of a training; a folder with a report is complete."""
    content = {GENOME_FILE: text.encode(), WEIGHTS_FILE: weights}
    for name, stored in content.items():
        files.write(folder / name, stored)
    whole = {**report, SUMS: {name: files.sha256(stored) for name, stored in content.items()}}
    files.write(folder / REPORT_FILE, files.sealed(whole))


def read_training(folder: Path, of: tuple[str | None, int] | None = None) -> TrainingFiles:
    """Return the files of a training. of: the digest of its network and the number of its trial, if they are known.

    Raises:
        StudyError: a file that is missing, or was changed since it was written (sha256), or is of another training.
    """
    report = _whole_report(folder)
    if report is None:
        raise StudyError(f"{folder / REPORT_FILE} is missing, or was changed since it was written")
    if of is not None and not _is_of(report, *of):
        raise StudyError(f"{folder / REPORT_FILE} is of another training")
    sums = report.pop(SUMS, {})
    text, weights = (_checked(folder / name, sums.get(name)) for name in (GENOME_FILE, WEIGHTS_FILE))
    try:
        return TrainingFiles(text.decode(), weights, report)
    except UnicodeDecodeError:
        raise StudyError(f"{folder / GENOME_FILE} is no text") from None


def read_report(folder: Path, digest: str | None, number: int) -> dict[str, Any] | None:
    """Return the report in a folder as plain values.

    None where it does not exist, was changed since it was written, or is of another network or trial.
    """
    report = _whole_report(folder)
    return report if report is not None and _is_of(report, digest, number) else None


def _is_of(report: Mapping[str, Any], digest: str | None, number: int) -> bool:
    return digest is not None and (report.get("digest"), report.get("number")) == (digest, number)


def _whole_report(folder: Path) -> dict[str, Any] | None:
    """The report in a folder; None where there is none, or where it is not as it was written."""
    try:
        content = (folder / REPORT_FILE).read_bytes()
    except OSError:
        return None
    return files.unsealed(content) or _earlier(content)


def _earlier(content: bytes) -> dict[str, Any] | None:
    """The report of an earlier version, which has no sums."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and not {SUMS, files.OWN_SUM} & set(found) else None


def _checked(path: Path, known: str | None) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror}") from None
    if known is not None and files.sha256(content) != known:
        raise StudyError(f"{path} was changed since it was written (sha256)")
    return content
