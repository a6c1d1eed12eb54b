"""What a trial's network gets right and wrong on the validation images, from its evaluation.json."""

from __future__ import annotations

import json
import os
import re
import shlex
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from search.dashboard.pages.downloads import is_of_export
from search.dashboard.studies.errors import NotFound
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.dashboard.web import links
from search.errors import StudyError
from search.results.evaluation.evaluation import Answer, Evaluation
from search.results.evaluation.file import EVALUATION_FILE, LARGEST, of_json
from search.results.evaluation.findings import confusions, recalls
from search.results.export import training_of
from search.storage.trial_files import REPORT_FILE, SUMS, WEIGHTS_FILE
from trainer import files
from trainer.system.folders import open_regular

BEST = ("best",)  # the folder of the study's export
KEPT = 64  # evaluations that are not read anew
FEW = 3  # classes and confusions that are told first
WORST, CLASS = "worst", "class"  # words of the pictures
_PICTURE = re.compile(rf"({WORST}|{CLASS})-(\d{{1,4}})\.png", re.ASCII)

Source = Callable[[str, bytes], str]  # what a page names a picture by, from its name and its content


class Stored(NamedTuple):
    """An evaluation.json that was found."""

    # of its folder, below that of the study
    parts: tuple[str, ...]
    found: Evaluation | None
    # why it is not shown
    trouble: str | None


def evaluation_page(snapshot: Snapshot, trial: TrialView, source: Source | None = None) -> dict[str, Any]:
    """Return the values of the section. source: of its pictures; None: their addresses on this server."""
    one = stored_evaluation(snapshot, trial)
    at = links.trial(snapshot.name, trial.record.number)
    named = source or (lambda name, _: f"{at}/evaluation/{name}")
    return {
        "command": f"genome evaluate {shlex.quote(snapshot.name)}#{trial.record.number}",
        "where": "/".join((*one.parts, EVALUATION_FILE)) if one else None,
        "trouble": one.trouble if one else None,
        "found": _values(one.found, named) if one and one.found else None,
        "is_trained": trial.record.values is not None,
    }


def inline(name: str, png: bytes) -> str:
    """Return a picture as an address that holds it, for a page without a server."""
    return f"data:image/png;base64,{b64encode(png).decode()}"


def evaluation_picture(snapshot: Snapshot, trial: TrialView, name: str) -> bytes:
    """Return a picture of an evaluation as PNG. Raises NotFound."""
    asked, one = _PICTURE.fullmatch(name), stored_evaluation(snapshot, trial)
    if asked is None or one is None or one.found is None:
        raise NotFound("there is no such picture")
    rows = one.found.worst if asked[1] == WORST else one.found.sheet
    if int(asked[2]) >= len(rows):
        raise NotFound("there is no such picture")
    return rows[int(asked[2])].png


def stored_evaluation(snapshot: Snapshot, trial: TrialView) -> Stored | None:
    """Return the newest evaluation of a trial's network, None where there is none."""
    newest = max(_places(snapshot, trial), default=None)
    if newest is None or snapshot.folder is None:
        return None
    stamp, parts = newest
    try:
        return Stored(parts, _read(snapshot.folder, parts, stamp), None)
    except StudyError as error:
        return Stored(parts, None, str(error))


def _places(snapshot: Snapshot, trial: TrialView) -> Iterator[tuple[tuple[int, int], tuple[str, ...]]]:
    """Yield time and size of each evaluation.json of the trial's network, and the parts of its folder."""
    folder, record = snapshot.folder, trial.record
    if folder is None or record.digest is None:
        return
    number, seed = training_of(record, snapshot.goal)
    own = ("trials", str(number), *(("seeds", str(seed)) if seed is not None else ()))
    for parts in (own, *([BEST] if is_of_export(folder, trial) else [])):
        try:
            with open_regular(folder, (*parts, EVALUATION_FILE)) as file:
                about = os.fstat(file.fileno())
        except OSError:
            continue
        yield (about.st_mtime_ns, about.st_size), parts


@lru_cache(maxsize=KEPT)
def _read(folder: Path, parts: tuple[str, ...], stamp: tuple[int, int]) -> Evaluation:
    """Return what an evaluation.json says. Raises StudyError for anything but what these weights came to.

    stamp: time and size of the file, so that a changed one is read anew.
    """
    try:
        content, report = (_bytes(folder, (*parts, name)) for name in (EVALUATION_FILE, REPORT_FILE))
        known = json.loads(report).get(SUMS, {})
        plain = files.unsealed(content)
        if parts == BEST:
            plain = json.loads(content) if files.sha256(content) == known.get(EVALUATION_FILE) else None
        if plain is None:
            raise StudyError("the file was changed since it was written (sha256)")
        found = of_json(plain)
        weights = known.get(WEIGHTS_FILE, found.weights)  # reports of earlier versions, and removed weights
    except (OSError, ValueError, RecursionError, AttributeError, TypeError) as error:
        raise StudyError(f"the file cannot be read ({' '.join(str(error).split())[:160]})") from None
    if found.weights != weights:
        raise StudyError("the file has the answers of other weights")
    return found


def _bytes(folder: Path, parts: tuple[str, ...]) -> bytes:
    with open_regular(folder, parts) as file:
        return file.read(LARGEST)


def _values(found: Evaluation, named: Source) -> dict[str, Any]:
    lowest = [row for row in recalls(found) if row.recall is not None and row.recall < 1.0][:FEW]
    return {
        "images": found.images,
        "errors": found.errors,
        "accuracy": found.accuracy,
        "loss": found.loss,
        "classes": list(found.classes),
        "is_multilabel": found.is_multilabel,
        "by_class": dict(found.by_class),
        "confusion": found.confusion,
        "calibration_error": found.calibration_error,
        "reliability": [one._asdict() for one in found.reliability],
        "lowest": [one._asdict() for one in lowest],
        "confused": [one._asdict() for one in confusions(found)[:FEW]],
        "worst": [
            {**_answer(one, found), "src": named(f"{WORST}-{i}.png", one.png)}
            for i, one in enumerate(found.worst)
        ],
        "sheet": [
            {
                "name": found.classes[row.label],
                "images": row.images,
                "shown": row.shown,
                "src": named(f"{CLASS}-{i}.png", row.png),
            }
            for i, row in enumerate(found.sheet)
        ],
    }


def _answer(one: Answer, found: Evaluation) -> dict[str, Any]:
    def words(labels: Any) -> str:
        return ", ".join(found.classes[label] for label in labels) or "no label"

    return {
        "number": one.number,
        "wanted": words(one.wanted),
        "said": words(one.said),
        "is_right": one.is_right,
        "loss": one.loss,
        "probabilities": [
            {"name": found.classes[label], "share": share, "is_wanted": label in one.wanted}
            for label, share in one.probabilities
        ],
    }
