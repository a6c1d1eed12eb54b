"""Retries: interrupted trials and the trial that retries them from their last checkpoint."""

from __future__ import annotations

from search.storage.charge_file import delete_charge
from search.storage.record import Record
from search.storage.study import Store
from search.workers.checkpoints import delete_checkpoint

KILLED = "killed"  # the kind of failure of a training whose worker died
LOST = "lost"  # the kind of an interruption: the machine of its worker went away


def ancestors(store: Store, retry_of: int | None) -> list[Record]:
    """Return the trials that a trial retries, given the number of the nearest, the nearest first."""
    if retry_of is None:
        return []
    records = {record.number: record for record in store.records()}
    found = []
    while retry_of in records:
        found.append(records.pop(retry_of))
        retry_of = found[-1].retry_of
    return found


def clear(store: Store, record: Record) -> None:
    """Delete the checkpoints and charge files of a trial that has ended and of the trials that it retries."""
    for trial in (record, *ancestors(store, record.retry_of)):
        delete_checkpoint(store.place(trial.number))
        delete_charge(store.trial_folder(trial.number))
