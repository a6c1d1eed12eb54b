"""Checkpoints of trials: taken over from an earlier trial, copied to the artifacts, deleted when not needed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search.storage.artifacts import ArtifactError
from search.storage.checkpoint_copy import CheckpointCopy
from search.storage.place import Place
from search.storage.trial_files import CHECKPOINT_FILE, NOTE_FILE
from trainer import files

if TYPE_CHECKING:
    from search.storage.artifacts import Artifacts
    from trainer import Checkpoint

log = logging.getLogger("search")


def delete_checkpoint(place: Place) -> None:
    """Delete the checkpoint of a training, here and in the artifacts, and the files of one that was being written.

    What the artifacts keep because they cannot be reached is of no harm: nothing resumes from it.
    """
    for file in place.folder.glob(f"*{CHECKPOINT_FILE}*"):
        file.unlink(missing_ok=True)
    try:
        if place.artifacts:
            CheckpointCopy(place.artifacts, place.folder).delete()
    except ArtifactError as error:
        log.warning("a checkpoint that is no longer needed stays: %s", error)


def checkpoint_at(place: Place, every_seconds: float) -> Checkpoint:
    """Return the checkpoint of a training; each time that it is written, the artifacts get a copy."""
    from trainer import Checkpoint

    path, note = place.folder / CHECKPOINT_FILE, place.folder / NOTE_FILE
    if place.artifacts is None:
        return Checkpoint(path, every_seconds)
    copy = CheckpointCopy(place.artifacts, place.folder)
    copy.artifacts.connect()  # before the memory of the training is counted

    def publish(seconds: float) -> None:
        try:
            copy.write(path.read_bytes(), seconds, note.read_text() if note.exists() else None)
        except ArtifactError as error:
            log.warning("the checkpoint in %s is on this machine only: %s", place.folder, error)

    return Checkpoint(path, every_seconds, publish)


def take_over_checkpoint(
    checkpoint: Checkpoint, folders: Sequence[str], artifacts: Artifacts | None = None
) -> float:
    """Move the checkpoint of the nearest of these folders to `checkpoint`; return its seconds, 0 without a usable one.

    A checkpoint in the trial's own folder, where that folder is none of these, belongs to another study of that name
    and is deleted. One in the artifacts is taken where the folder has none, or one of fewer seconds.
    """
    if str(checkpoint.path.parent) not in folders:
        checkpoint.remove()
    for folder in folders if artifacts else ():
        assert artifacts is not None
        _fetch(CheckpointCopy(artifacts, Path(folder)))
    found = next((path for folder in folders if (path := Path(folder, CHECKPOINT_FILE)).exists()), None)
    if found is None:
        return 0.0
    checkpoint.path.parent.mkdir(parents=True, exist_ok=True)
    found.replace(checkpoint.path)
    return _seconds(checkpoint)


def _seconds(checkpoint: Checkpoint) -> float:
    """Return the seconds inside a checkpoint; a damaged one is deleted, and has none."""
    try:
        state = checkpoint.load()
        return float(state["seconds"]) if state else 0.0
    except Exception as error:  # a damaged file can raise anything
        log.warning(
            "trial in %s starts from scratch: %s", checkpoint.path.parent, " ".join(str(error).split())
        )
        checkpoint.remove()
        return 0.0


def _fetch(copy: CheckpointCopy) -> None:
    """Bring the checkpoint in the artifacts into the folder, unless the folder has it, or a later one."""
    from trainer import Checkpoint

    path = copy.folder / CHECKPOINT_FILE
    try:
        pointer = copy.pointer()
        if pointer is None or (path.exists() and files.sha256(path.read_bytes()) == pointer.named):
            return
        if path.exists() and _seconds(Checkpoint(path)) >= pointer.seconds:
            return
        content = copy.read(pointer)
    except ArtifactError as error:
        log.warning("no checkpoint is taken from the artifacts: %s", error)
        return
    if content is None:
        log.warning("the checkpoint of %s in the artifacts is missing or was changed", copy.folder)
        return
    files.write(path, content)
    if pointer.note is not None:
        files.write(copy.folder / NOTE_FILE, pointer.note.encode())
