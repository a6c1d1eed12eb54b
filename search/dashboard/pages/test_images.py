"""What an exported network reaches on the test images, which no training, search or choice has seen."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from search.dashboard.pages.downloads import is_of_export, open_export
from search.dashboard.studies.errors import NotFound
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.results.exported import FORMAT
from search.storage.trial_files import REPORT_FILE

LARGEST = 1 << 24  # bytes of a report that is read


class TestResult(NamedTuple):
    """The scores of the exported network on the test images."""

    number: int  # of the trial
    accuracy: float
    loss: float | None
    images: int | None
    seed: int | None  # with which it was trained
    confusion: Any  # images by class and prediction, as the report has it


def test_result(snapshot: Snapshot) -> TestResult | None:
    """Return what the export in the study's folder says of the test images, None where it says nothing."""
    info = _report(snapshot)
    accuracy, number = _part(info, "accuracy"), info.get("trial")
    if info.get("export") != FORMAT or not _is_share(accuracy) or type(number) is not int:
        return None
    trial = snapshot.by_number.get(number)
    if trial is None or snapshot.folder is None or not is_of_export(snapshot.folder, trial):
        return None
    loss, images = _part(info, "loss"), _part(info, "images")
    training = info.get("training")
    seed = training.get("seed") if isinstance(training, Mapping) else None
    return TestResult(
        number,
        float(accuracy),
        float(loss) if isinstance(loss, float | int) and math.isfinite(loss) else None,
        images if type(images) is int else None,
        seed if type(seed) is int else None,
        _part(info, "confusion"),
    )


def test_result_of(snapshot: Snapshot, trial: TrialView) -> TestResult | None:
    """Return the result of a trial's network, None where it is not the exported one."""
    found = test_result(snapshot)
    return found if found is not None and found.number == trial.record.number else None


def _report(snapshot: Snapshot) -> Mapping[str, Any]:
    if snapshot.folder is None:
        return {}
    try:
        with open_export(snapshot.folder, REPORT_FILE) as file:
            found: Any = json.loads(file.read(LARGEST))
    except (NotFound, OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _part(info: Mapping[str, Any], key: str) -> Any:
    found = info.get(key)
    return found.get("test") if isinstance(found, Mapping) else None


def _is_share(value: Any) -> bool:
    return isinstance(value, float | int) and 0 <= value <= 1
