"""Lineage: interrupted trials and the one that repeats them, which goes on from what the last of them kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.storage.charge_file import delete_charge
from search.storage.record import Record
from search.storage.store import Store
from search.workers.checkpoints import drop_checkpoint

if TYPE_CHECKING:
    pass


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
        delete_charge(store.trial_folder(one.number))
