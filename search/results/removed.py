"""How many trials of a study have no weights any more."""

from __future__ import annotations

from collections.abc import Iterable

from search.formatting import some
from search.storage.record import Record
from search.storage.study import Store
from search.storage.trial_files import has_removed_weights


def removed_weights(store: Store, records: Iterable[Record]) -> str:
    """Return how many trials are stored here without their weights, empty where none is."""
    without = sum(has_removed_weights(store.trial_folder(record.number)) for record in records)
    return f"the weights of {some(without, 'trial')} were removed, by `keep` of the study" if without else ""
