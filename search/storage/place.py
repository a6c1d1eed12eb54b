"""The place of the files of one training: a folder of this machine and, with artifacts, a copy that all machines reach.

In the artifacts a file is named by the sha256 of its content, in the folder of its trial or seed. `report.json` there
names the genome and the weights; it is written last, so that what it names is whole.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.errors import StudyError
from search.storage.artifacts import PATIENCE_SECONDS, ArtifactError, Artifacts
from search.storage.trial_files import (
    REMOVED,
    REPORT_FILE,
    SUMS,
    WEIGHTS_FILE,
    RemovedWeights,
    TrainingFiles,
    checked_training,
    is_report_of,
    read_report,
    read_training,
    remove_weights,
    without_weights,
    write_training,
)
from trainer import files

log = logging.getLogger("search")

PUBLISHED_FILE = "published"  # in the folder, the artifacts that have a copy of it


@dataclass(frozen=True)
class Place:
    """Where the files of one training are."""

    folder: Path
    artifacts: Artifacts | None = None

    def write(self, text: str, weights: bytes, report: Mapping[str, Any]) -> dict[str, str]:
        """Write the files, and return the sha256 of genome and weights by name.

        Where the artifacts cannot be written, the files are here alone and the log says so.
        """
        (self.folder / PUBLISHED_FILE).unlink(missing_ok=True)  # of an earlier training
        sums = write_training(self.folder, text, weights, report)
        try:
            self.publish()
        except ArtifactError as error:
            log.warning("the weights in %s are on this machine only: %s", self.folder, error)
        return sums

    def publish(self) -> None:
        """Copy the files in the folder to the artifacts. Raises ArtifactError."""
        if self.artifacts is None:
            return
        content = (self.folder / REPORT_FILE).read_bytes()
        for name, known in (files.unsealed(content) or {}).get(SUMS, {}).items():
            self.artifacts.write(self._named(known), (self.folder / name).read_bytes())
        self.artifacts.write(self._named(REPORT_FILE), content)
        files.write(self.folder / PUBLISHED_FILE, self.artifacts.url.encode())

    def has_report(self) -> bool:
        """Whether the folder has the files of a training that has ended."""
        return (self.folder / REPORT_FILE).exists()

    def is_published(self) -> bool:
        """Whether the artifacts have what the folder has."""
        path = self.folder / PUBLISHED_FILE
        return (
            self.artifacts is not None and path.exists() and path.read_bytes() == self.artifacts.url.encode()
        )

    def read(self, of: tuple[str | None, int] | None = None) -> TrainingFiles:
        """Return the files, from the artifacts where the folder lacks them. Raises as `read_training`."""
        try:
            return read_training(self.folder, of)
        except RemovedWeights:
            raise
        except StudyError as here:
            published = self._published_report()
            if published is None and self.artifacts is not None and not self.has_report():
                raise StudyError(f"{here}, and so is {self._where}/{REPORT_FILE}") from None
            if published is None:
                raise
            if self.has_report():
                log.warning("%s; the artifacts are read instead", here)
        return checked_training(self._where, published, self._published, of)

    def report(self, digest: str | None, number: int) -> dict[str, Any] | None:
        """Return the report as plain values, None where there is none of this network and trial."""
        found = read_report(self.folder, digest, number)
        if found is not None or self.artifacts is None:
            return found
        published = self._published_report()
        return published if published is not None and is_report_of(published, digest, number) else None

    def forget_report(self) -> None:
        """Delete the report of an earlier training."""
        (self.folder / REPORT_FILE).unlink(missing_ok=True)
        if self.artifacts is not None:
            self.artifacts.remove([self._named(REPORT_FILE)], PATIENCE_SECONDS)

    def remove_weights(self, rule: str) -> int:
        """Do `trial_files.remove_weights` here and in the artifacts; return the bytes that are freed here.

        Where the artifacts cannot be changed, nothing is removed and the log says so.
        """
        if self.artifacts is not None and (self.folder / WEIGHTS_FILE).exists():
            try:
                self._remove_published(self.artifacts, rule)
            except ArtifactError as error:
                log.warning("the weights in %s are removed by the next run: %s", self.folder, error)
                return 0
        return remove_weights(self.folder, rule)

    def _remove_published(self, artifacts: Artifacts, rule: str) -> None:
        published = self._published_report()
        if published is None:
            return
        if REMOVED not in published:
            artifacts.write(self._named(REPORT_FILE), without_weights(published, rule), 0.0)
        weights = files.sha256((self.folder / WEIGHTS_FILE).read_bytes())
        artifacts.remove([self._named(weights)])

    # --- names and contents in the artifacts

    def _named(self, name: str) -> str:
        assert self.artifacts is not None
        return f"{self.artifacts.key(self.folder)}/{name}"

    @property
    def _where(self) -> str:
        assert self.artifacts is not None
        return f"{self.artifacts.url}/{self.artifacts.key(self.folder)}"

    def _published_report(self) -> dict[str, Any] | None:
        """The report in the artifacts, None where there is none, or one that was changed."""
        if self.artifacts is None:
            return None
        return files.unsealed(self.artifacts.read(self._named(REPORT_FILE)) or b"")

    def _published(self, name: str, known: str | None) -> bytes:
        """The content of a file in the artifacts."""
        assert self.artifacts is not None
        content = self.artifacts.read(self._named(known or name))
        if content is None:
            raise StudyError(f"{self._where}/{known or name}, the {name} of the training, is missing")
        return content
