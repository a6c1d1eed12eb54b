"""Claims: which of several coordinators on a shared storage has a training of the finale in hand."""

from __future__ import annotations

import time

from search.config.finale import Task
from search.run.recovery import SETTLE_SECONDS, is_abandoned, owner
from search.storage.seed_results import OneSeed, over_seeds
from search.storage.store import Store


def claimed(store: Store, task: Task, epochs: int) -> Task | None:
    """Claim a task, and return it with what is known of it now; None where another trains it, or has."""
    known = _known(store, task)
    if known is not None and known.epochs == epochs and (known.is_over or _is_taken(store, known)):
        return None
    begun = known or OneSeed("interrupted", epochs)
    mine = begun._replace(outcome="running", owner=owner(), seen_at=time.time(), epochs=epochs)
    store.keep_seed(task.record.number, task.seed, mine)
    time.sleep(SETTLE_SECONDS)
    now = _known(store, task)
    return task._replace(known=known) if now is not None and now.owner == owner() else None


def _known(store: Store, task: Task) -> OneSeed | None:
    found = over_seeds(store.study.user_attrs).get(task.record.number)
    return found.seeds.get(task.seed) if found else None


def _is_taken(store: Store, one: OneSeed) -> bool:
    return one.outcome == "running" and not is_abandoned(store, one.owner, one.seen_at)
