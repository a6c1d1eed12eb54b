"""How far the predicted peak memory of a study's trainings was from the measured one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from search import formatting
from search.storage.record import Record
from search.storage.study import Store
from search.storage.trial_files import read_report

MOST = 200  # trainings whose reports are read, the latest


class PeakError(NamedTuple):
    """The errors |predicted / measured - 1| of trainings."""

    trainings: int
    median: float
    ninetieth: float
    """The 90th percentile."""

    def sentence(self) -> str:
        """Return it in a line."""
        return (
            f"predicted peak memory of {formatting.some(self.trainings, 'training')}: off by {self.median:.0%} at the "
            f"median, {self.ninetieth:.0%} at the 90th percentile; on a CPU the growth of the process is "
            "measured, which is coarse for small networks"
        )


def peak_error(store: Store, records: Sequence[Record]) -> PeakError | None:
    """Return the error over the latest trials that measured their peak; None where none did."""
    found = sorted(_errors(store, records))
    if not found:
        return None
    median, ninetieth = (found[math.ceil(share * len(found)) - 1] for share in (0.5, 0.9))
    return PeakError(len(found), median, ninetieth)


def _errors(store: Store, records: Sequence[Record]) -> Iterator[float]:
    for record in [one for one in records if one.outcome == "done"][-MOST:]:
        report = read_report(store.trial_folder(record.number), record.digest, record.number) or {}
        predicted, measured = report.get("predicted_memory_bytes"), report.get("peak_memory_bytes")
        if isinstance(predicted, int) and isinstance(measured, int) and predicted > 0 and measured > 0:
            yield abs(predicted / measured - 1)
