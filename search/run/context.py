"""What all parts of one run of a study share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from search.config.study import StudyConfig
from search.proposals.history import History
from search.run.budget import Budget
from search.run.progress import Progress
from search.storage.study import Store


class Context(NamedTuple):
    """One run of a study."""

    config: StudyConfig
    store: Store
    budget: Budget
    progress: Progress
    stop_asked: Callable[[], bool]  # whether the user wants the run to end
    history: History
