"""Whether a study is running, finished or stopped."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from search.config.study import StudyConfig
from search.results import target
from search.run.budget import SMALLEST_SHARE
from search.run.ownership import killed_in
from search.space.members import DOUBTFUL, is_used_up
from search.storage.record import Record

UNTRAINED = ("reused", "refused")  # outcomes of trials that train nothing


class StudyState(NamedTuple):
    """The state of a study."""

    word: str  # running, finished or stopped
    why: str  # the reason, as a clause


def study_state(config: StudyConfig, records: Sequence[Record], is_running: bool) -> StudyState:
    """Return the state of a study."""
    if is_running:
        return StudyState("running", "the search is running")
    if (found := target.reached(records, config)) is not None:
        return StudyState("finished", target.sentence(found, config))
    counted = sum(record.is_counted for record in records)
    if config.trials is not None and counted >= config.trials:
        return StudyState("finished", f"all {config.trials} trials were made")
    if _is_spent(config, records):
        return StudyState("finished", "the budget is spent")
    if _is_used_up(config, records):
        return StudyState("finished", "every network of the space has a trial")
    stopped = "the search was stopped before its end; `genome search` resumes it"
    return StudyState("stopped", killed_in(records) or stopped)


def _is_used_up(config: StudyConfig, records: Sequence[Record]) -> bool:
    """Whether the space holds no network without a trial. It is counted where the last trials trained none."""
    last = records[-DOUBTFUL:]
    if len(last) < DOUBTFUL or any(record.outcome not in UNTRAINED for record in last):
        return False
    with suppress(ValueError):  # a space that cannot be read here
        return is_used_up(config.space, {record.digest for record in records if record.digest})
    return False


def _is_spent(config: StudyConfig, records: Sequence[Record]) -> bool:
    """Whether the budget that is left allows no further trial; a finale reserves its share of the budget."""
    budget, finale = config.budget.device_time, config.finale
    if budget is None:
        return False
    spent = sum(record.seconds for record in records)
    spent_on_finale = sum(record.finale.seconds for record in records if record.finale)
    reserved = max(finale.share * budget - spent_on_finale, 0.0) if finale else 0.0
    return budget - spent - reserved < SMALLEST_SHARE * budget
