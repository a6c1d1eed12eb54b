"""Checkpoints of trials: taken over from an earlier trial, and deleted when no trial needs them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search.storage.trial_files import CHECKPOINT_FILE

if TYPE_CHECKING:
    from trainer import Checkpoint

log = logging.getLogger("search")


def delete_checkpoint(folder: Path) -> None:
    """Delete the checkpoint in a folder, and the temporary files of one that was being written."""
    for file in folder.glob(f"*{CHECKPOINT_FILE}*"):
        file.unlink(missing_ok=True)


def take_over_checkpoint(checkpoint: Checkpoint, folders: Sequence[str]) -> float:
    """Move the checkpoint of the nearest of these folders to `checkpoint`; return its seconds, 0 without a usable one.

    A checkpoint in the trial's own folder, where that folder is none of these, belongs to another study of that name
    and is deleted.
    """
    if str(checkpoint.path.parent) not in folders:
        checkpoint.remove()
    found = next((path for folder in folders if (path := Path(folder, CHECKPOINT_FILE)).exists()), None)
    if found is None:
        return 0.0
    checkpoint.path.parent.mkdir(parents=True, exist_ok=True)
    found.replace(checkpoint.path)
    try:
        state = checkpoint.load()
        return float(state["seconds"]) if state else 0.0
    except Exception as error:  # a damaged file can raise anything
        log.warning(
            "trial in %s starts from scratch: %s", checkpoint.path.parent, " ".join(str(error).split())
        )
        checkpoint.remove()
        return 0.0
