"""The files of one training, in the folder of its trial or seed: genome, weights and report; the report is the last.

The report has the sha256 of the other files and of itself. Reports of earlier versions have none and are read.
Where the weights were removed, the report says so: it is written anew before they go, so that a kill in between leaves
weights that are removed later, and never a training that looks damaged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from search.errors import StudyError
from trainer import files

GENOME_FILE, WEIGHTS_FILE, REPORT_FILE = "genome.yaml", "weights.safetensors", "report.json"
CHECKPOINT_FILE = "checkpoint"  # deleted when the trial, or the trial that retries it, has ended
# beside the checkpoint of a trial that inherited weights, and deleted with the checkpoint
NOTE_FILE = f"{CHECKPOINT_FILE}.inherited"
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


def write_training(folder: Path, text: str, weights: bytes, report: Mapping[str, Any]) -> dict[str, str]:
    """Write the files of a training; a folder with a report is complete. Return the sha256 of genome and weights."""
    content = {GENOME_FILE: text.encode(), WEIGHTS_FILE: weights}
    for name, stored in content.items():
        files.write(folder / name, stored)
    sums = {name: files.sha256(stored) for name, stored in content.items()}
    files.write(folder / REPORT_FILE, files.sealed({**report, SUMS: sums}))
    return sums


def read_training(folder: Path, of: tuple[str | None, int] | None = None) -> TrainingFiles:
    """Return the files of a training. of: the digest of its network and the number of its trial, if they are known.

    Raises:
        StudyError: a file that is missing, or was changed since it was written (sha256), or is of another training.
        RemovedWeights: a training whose weights were removed.
    """

    def stored(name: str, _: str | None) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise StudyError(f"{folder / name} cannot be read: {error.strerror}") from None

    return checked_training(str(folder), _whole_report(folder), stored, of)


def checked_training(
    where: str,
    report: dict[str, Any] | None,
    stored: Callable[[str, str | None], bytes],
    of: tuple[str | None, int] | None,
) -> TrainingFiles:
    """Return the files of a training in any place, checked. Raises as `read_training`.

    where: the place, for messages.  stored: the content of a file, by its name and the sha256 that the report has.
    """
    if report is None:
        raise StudyError(f"{where}/{REPORT_FILE} is missing, or was changed since it was written")
    if of is not None and not is_report_of(report, *of):
        raise StudyError(f"{where}/{REPORT_FILE} is of another training")
    if REMOVED in report:
        raise RemovedWeights(str(report[REMOVED]))
    sums, content = report.pop(SUMS, {}), dict[str, bytes]()
    for name in (GENOME_FILE, WEIGHTS_FILE):
        content[name], known = stored(name, sums.get(name)), sums.get(name)
        if known is not None and files.sha256(content[name]) != known:
            raise StudyError(f"{where}/{name} was changed since it was written (sha256)")
    try:
        return TrainingFiles(content[GENOME_FILE].decode(), content[WEIGHTS_FILE], report)
    except UnicodeDecodeError:
        raise StudyError(f"{where}/{GENOME_FILE} is no text") from None


def remove_weights(folder: Path, rule: str) -> int:
    """Remove the weights of a training by a rule, which its report says from then on; return the bytes that are freed.

    A training whose report is missing or damaged is left as it is.
    """
    found = list(_weights_in(folder))
    report = _whole_report(folder) if found else None
    if report is None or "digest" not in report:
        return 0
    if REMOVED not in report:
        files.write(folder / REPORT_FILE, without_weights(report, rule))
    size = sum(file.stat().st_size for file in found)
    for file in found:
        file.unlink(missing_ok=True)
    return size


def without_weights(report: Mapping[str, Any], rule: str) -> bytes:
    """Return the content of the report of a training whose weights are removed by a rule."""
    sums = {name: known for name, known in report.get(SUMS, {}).items() if name != WEIGHTS_FILE}
    return files.sealed({**report, SUMS: sums, REMOVED: rule})


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
    return report if report is not None and is_report_of(report, digest, number) else None


def is_report_of(report: Mapping[str, Any], digest: str | None, number: int) -> bool:
    """Whether a report is of this network and this trial."""
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
