"""Why trials failed or were refused: grouped by reason, whatever the numbers in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from search.dashboard.studies.trial_view import TrialView

_NUMBER = re.compile(r"\d[\d,._]*\d|\d")
SHOWN = 10  # trials of a group that are listed


class FailureGroup(NamedTuple):
    """Trials that ended for one reason. `reason` is that of the first, `size` how many they are."""

    outcome: str
    kind: str
    reason: str
    size: int
    numbers: Sequence[int]


def failures(trials: Iterable[TrialView]) -> list[FailureGroup]:
    """Return the groups of trials that failed or were refused, the largest first."""
    found: dict[tuple[str, str, str], list[TrialView]] = {}
    for one in trials:
        if one.outcome in ("failed", "refused"):
            reason = _NUMBER.sub("#", one.record.reason or "")
            found.setdefault((one.outcome, one.record.kind or "", reason), []).append(one)
    groups = [
        FailureGroup(outcome, kind, ones[0].record.reason or "no reason was kept", len(ones), _numbers(ones))
        for (outcome, kind, _), ones in found.items()
    ]
    return sorted(groups, key=lambda group: -group.size)


def _numbers(ones: Sequence[TrialView]) -> list[int]:
    return [one.record.number for one in ones[:SHOWN]]
