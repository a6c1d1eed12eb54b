"""Checkpoints: one that an earlier trial left is taken over, one that nobody needs any more is deleted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search.storage.trial_files import CHECKPOINT_FILE

if TYPE_CHECKING:
    from trainer import Checkpoint

log = logging.getLogger("search")


def drop_checkpoint(folder: Path) -> None:
    """Delete the checkpoint in a folder, and what was half written of one."""
    for left in folder.glob(f"*{CHECKPOINT_FILE}*"):
        left.unlink(missing_ok=True)


def inherit(checkpoint: Checkpoint, folders: Sequence[str]) -> float:
    """Take over what the nearest of these folders keeps; the seconds in it, 0 where nothing is of use.

    A checkpoint in the trial's own folder, where that is none of them, was left by another study of that name.
    """
    if str(checkpoint.path.parent) not in folders:
        checkpoint.remove()
    kept = next((path for folder in folders if (path := Path(folder, CHECKPOINT_FILE)).exists()), None)
    if kept is None:
        return 0.0
    checkpoint.path.parent.mkdir(parents=True, exist_ok=True)
    kept.replace(checkpoint.path)
    try:
        state = checkpoint.load()
        return float(state["seconds"]) if state else 0.0
    except Exception as error:  # whatever a file can hold that is none of ours
        log.warning("trial in %s begins afresh: %s", checkpoint.path.parent, " ".join(str(error).split()))
        checkpoint.remove()
        return 0.0
