"""The networks of the zoo that a study's space contains and its limits allow; most spaces contain none."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import genome
from search.config.study import StudyConfig
from search.dashboard.studies.snapshot import Snapshot
from search.errors import StudyError
from search.proposals.enqueue import fit
from search.space.space import Space


class ZooFilter:
    """Finds the networks of the zoo that fit a study, once for each study file: a search takes most of a second."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[StudyConfig, Sequence[str] | None]] = {}
        self._lock = threading.Lock()

    def fitting(self, snapshot: Snapshot) -> Sequence[str] | None:
        """Return the names of the networks that fit a study; None where the space cannot be read here."""
        with self._lock:
            config, names = self._known.get(snapshot.name, (None, None))
            if config is not snapshot.config:
                names = _fitting(snapshot.config)
                self._known[snapshot.name] = snapshot.config, names
            return names


def _fitting(config: StudyConfig) -> Sequence[str] | None:
    try:
        space = config.space
    except ValueError:
        return None
    return [name for name in genome.zoo.names() if _fits(config, space, name)]


def _fits(config: StudyConfig, space: Space, name: str) -> bool:
    try:
        fit(config, space, genome.zoo.get(name))
    except StudyError:
        return False
    return True
