"""Joining a study that another process began: `genome worker` is one more coordinator of a shared study.

It makes nothing of the study: neither the study itself, nor its text, nor its first genomes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from search.config import changes
from search.config.study import StudyConfig
from search.errors import StudyError
from search.storage.connect import sqlite_file
from search.storage.lock import hold
from search.storage.study import BEST, FORMAT_ATTR, Store, open_to_read

POLL_SECONDS = 1.0  # from one look for the study to the next


def check_shared(config: StudyConfig) -> None:
    """Raise StudyError for an embedded study, which has one coordinator and no room for another."""
    if config.storage is None or sqlite_file(config.storage) is not None:
        raise StudyError(
            f"study {config.name} is stored in a file, which one process on one machine writes; give it `storage: "
            f"postgresql://user@host/name`, or run it alone with `genome search {config.source.path}`"
        )


def await_study(config: StudyConfig, runs: Path, seconds: float) -> None:
    """Return when the study exists; raise StudyError where it does not after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        try:
            with closing(open_to_read(config.name, runs, config.storage)) as store:
                if (
                    FORMAT_ATTR in store.study.user_attrs
                ):  # the last that is stored of a study that is being made
                    return
            reason = f"the storage holds no whole study {config.name}; start it with `genome search`"
        except StudyError as error:
            reason = str(error)
        if time.monotonic() >= until:
            raise StudyError(reason)
        time.sleep(min(POLL_SECONDS, max(until - time.monotonic(), 0.0)))


def joined(stored: StudyConfig, file: StudyConfig) -> StudyConfig:
    """Return the stored study with what the file says of this machine: where images lie, workers, device.

    The budget, the epochs and the finale are those of the storage, which may have grown since the file was copied.
    Raises StudyError where the file is another study.
    """
    budget, kept = file.budget, stored.budget
    budget = replace(budget, device_time=kept.device_time, per_trial=kept.per_trial, memory=kept.memory)
    recipe = {**file.train.fixed, "epochs": stored.recipe.epochs}
    now = replace(
        file,
        budget=budget,
        trials=stored.trials,
        train=replace(file.train, fixed=recipe, most_bytes=kept.memory),
        finale=stored.finale,
        keep=stored.keep,
        references=stored.references,
        start=stored.start,
    )
    return changes.resumed(stored, now)


@contextmanager
def alone(store: Store) -> Iterator[None]:
    """Write `best/` in this block: processes that share the folder of a study end at the same time.

    Raises StudyError where another one writes it.
    """
    if not store.shared:
        yield
        return
    with hold(store.folder / f"{BEST}.lock", f"the export to {store.folder / BEST}"):
        yield
