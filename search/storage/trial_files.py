"""The files of one training, in the folder of its trial or seed: genome, weights and report; the report is the last.

The report has the sha256 of the other files and of itself. Reports of earlier versions have none and are read.
Where the weights were removed, the report says so: it is written anew before they go, so that a kill in between leaves
weights that are removed later, and never a training that looks damaged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from search.errors import StudyError
from trainer import files

GENOME_FILE, WEIGHTS_FILE, REPORT_FILE = "genome.yaml", "weights.safetensors", "report.json"
CHECKPOINT_FILE = "checkpoint"  # deleted when the trial, or the trial that retries it, has ended
SUMS = "files"  # key of a report: the sums of the other files by name
REMOVED = "removed"  # key of a report: the rule by which the weights beside it were removed


class RemovedWeights(StudyError):
    """Weights that are no longer there, by the rule of their study; the message is the rule."""


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
        RemovedWeights: a training whose weights were removed.
    """
    report = _whole_report(folder)
    if report is None:
        raise StudyError(f"{folder / REPORT_FILE} is missing, or was changed since it was written")
    if of is not None and not _is_of(report, *of):
        raise StudyError(f"{folder / REPORT_FILE} is of another training")
    if REMOVED in report:
        raise RemovedWeights(str(report[REMOVED]))
    sums = report.pop(SUMS, {})
    text, weights = (_checked(folder / name, sums.get(name)) for name in (GENOME_FILE, WEIGHTS_FILE))
    try:
        return TrainingFiles(text.decode(), weights, report)
    except UnicodeDecodeError:
        raise StudyError(f"{folder / GENOME_FILE} is no text") from None


def remove_weights(folder: Path, rule: str) -> int:
    """Remove the weights of a training by a rule, which its report says from then on; return the bytes that are freed.

    A training whose report is missing or damaged is left as it is.
    """
    found = list(_weights_in(folder))
    report = _whole_report(folder) if found else None
    if report is None or "digest" not in report:
        return 0
    if REMOVED not in report:
        sums = {name: known for name, known in report.pop(SUMS, {}).items() if name != WEIGHTS_FILE}
        files.write(folder / REPORT_FILE, files.sealed({**report, SUMS: sums, REMOVED: rule}))
    size = sum(file.stat().st_size for file in found)
    for file in found:
        file.unlink(missing_ok=True)
    return size


def has_removed_weights(folder: Path) -> bool:
    """Whether a training is stored in a folder without its weights."""
    return (folder / REPORT_FILE).exists() and not (folder / WEIGHTS_FILE).exists()


def delete_temporary(folder: Path) -> None:
    """Delete the files that a process had begun to write when it was killed."""
    for name in (GENOME_FILE, WEIGHTS_FILE, REPORT_FILE):
        for file in folder.glob(f".{name}.*"):
            file.unlink(missing_ok=True)


def _weights_in(folder: Path) -> Iterator[Path]:
    """Yield the weights of a training, where they are there, and what was left of writing them."""
    yield from folder.glob(f".{WEIGHTS_FILE}.*")
    if (folder / WEIGHTS_FILE).exists():
        yield folder / WEIGHTS_FILE


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
