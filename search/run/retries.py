"""Lineage: interrupted trials and the one that repeats them, which goes on from what the last of them kept."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search.run import clock
from search.storage.record import CHECKPOINT_FILE, Record
from search.storage.store import Store

if TYPE_CHECKING:
    from trainer import Checkpoint

log = logging.getLogger("search")


def ancestors(store: Store, retry_of: int | None) -> list[Record]:
    """Return the trials that a trial repeats, given the number that it retries, the nearest first."""
    if retry_of is None:
        return []
    records = {record.number: record for record in store.records()}
    found = []
    while retry_of in records:
        found.append(records.pop(retry_of))
        retry_of = found[-1].retry_of
    return found


def clear(store: Store, record: Record) -> None:
    """Delete what a trial that ended, and those that it repeats, needed while it was not over."""
    for one in (record, *ancestors(store, record.retry_of)):
        drop_checkpoint(store.trial_folder(one.number))
        clock.stop(store.trial_folder(one.number))


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
