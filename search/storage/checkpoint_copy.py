"""The copy of a training's checkpoint in the artifacts, from which another machine resumes it.

The copy is named by the sha256 of its content. `checkpoint.json` names the latest; it is written after the copy that it
names, and before the earlier copy is deleted, so that a kill at any moment leaves one that is whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from search.storage.artifacts import Artifacts
from search.storage.trial_files import CHECKPOINT_FILE
from trainer import files

POINTER_FILE = f"{CHECKPOINT_FILE}.json"


class Pointer(NamedTuple):
    """The latest checkpoint of a training in the artifacts."""

    # sha256 of its content
    named: str
    # of the training so far
    seconds: float
    # what the training began with
    note: str | None


@dataclass(frozen=True)
class CheckpointCopy:
    """The copy of the checkpoint in one folder of a study. Every method raises ArtifactError."""

    artifacts: Artifacts
    folder: Path

    def write(self, content: bytes, seconds: float, note: str | None) -> None:
        """Replace the copy, by one attempt: the next copy is soon due."""
        pointer = Pointer(files.sha256(content), seconds, note)
        self.artifacts.write(self._name(pointer.named), content, 0.0)
        self.artifacts.write(self._pointer, files.sealed(pointer._asdict()), 0.0)
        self._remove_copies(but=self._name(pointer.named))

    def pointer(self) -> Pointer | None:
        """Return the pointer to the latest copy, None where there is no copy."""
        plain = files.unsealed(self.artifacts.read(self._pointer) or b"")
        return Pointer(**plain) if plain is not None else None

    def read(self, pointer: Pointer) -> bytes | None:
        """Return the copy, None where it is missing or was changed."""
        content = self.artifacts.read(self._name(pointer.named))
        return content if content is not None and files.sha256(content) == pointer.named else None

    def delete(self) -> None:
        """Delete the copy."""
        self.artifacts.remove([self._pointer])
        self._remove_copies()

    def _remove_copies(self, but: str = "") -> None:
        key = self.artifacts.key(self.folder)
        found = [f"{key}/{name}" for name in self.artifacts.names(key, 0.0)]
        self.artifacts.remove(name for name in found if name.endswith(f".{CHECKPOINT_FILE}") and name != but)

    def _name(self, named: str) -> str:
        return f"{self.artifacts.key(self.folder)}/{named}.{CHECKPOINT_FILE}"

    @property
    def _pointer(self) -> str:
        return f"{self.artifacts.key(self.folder)}/{POINTER_FILE}"
