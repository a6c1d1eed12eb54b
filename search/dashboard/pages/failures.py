"""Why trials failed or were refused: trials whose reasons differ only in numbers form one group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from search.dashboard.studies.trial_view import TrialView

_NUMBER = re.compile(r"\d[\d,._]*\d|\d")
SHOWN = 10  # trials of a group that the page lists


class FailureGroup(NamedTuple):
    """Trials that ended for one reason."""

    outcome: str
    kind: str
    reason: str  # of the first trial
    size: int  # trials in the group
    numbers: Sequence[int]  # of the first trials


def failures(trials: Iterable[TrialView]) -> list[FailureGroup]:
    """Return the groups of trials that failed or were refused, the largest first."""
    found: dict[tuple[str, str, str], list[TrialView]] = {}
    for trial in trials:
        if trial.outcome in ("failed", "refused"):
            reason = _NUMBER.sub("#", trial.record.reason or "")
            found.setdefault((trial.outcome, trial.record.kind or "", reason), []).append(trial)
    groups = [
        FailureGroup(outcome, kind, ones[0].record.reason or "no reason is stored", len(ones), _numbers(ones))
        for (outcome, kind, _), ones in found.items()
    ]
    return sorted(groups, key=lambda group: -group.size)


def _numbers(ones: Sequence[TrialView]) -> list[int]:
    return [trial.record.number for trial in ones[:SHOWN]]
