"""A study as one HTML file: no server, no network, no script; fit to print and to send."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from markupsafe import Markup

from genome.draw import picture_words
from genome.picture.colours import style
from search.dashboard.gene_analysis.analysis import GeneAnalysis
from search.dashboard.genomes.picture import genome_picture
from search.dashboard.pages.class_results import class_rows, confusion_cells
from search.dashboard.pages.evaluation import evaluation_page, inline
from search.dashboard.pages.genes import genes_page
from search.dashboard.pages.seed_trainings import seed_trainings
from search.dashboard.pages.study import row, study_page
from search.dashboard.studies.errors import NotFound
from search.dashboard.studies.library import Library
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trial_query import Query
from search.dashboard.studies.trial_view import TrialView
from search.dashboard.templates import Templates
from search.dashboard.web.assets import FOLDER
from search.errors import StudyError
from search.storage.record import Record
from trainer import files

SHOWN = 5  # networks with their picture, seeds and text
MOST_ROWS = 5_000  # newest trials in the table
PATIENCE_SECONDS = 60.0  # for what the search learned
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)  # of a picture: it stands once, in the head


def write_report(library: Library, name: str, to: Path) -> Path:
    """Write the report of a study into a file, in place of an earlier one, and return the file. Raises StudyError."""
    try:
        snapshot = library.snapshot(name)
    except NotFound as error:
        raise StudyError(f"{error}; name a study of the folder, or its YAML file") from None
    try:
        files.write(to, report(snapshot).encode())
    except OSError as error:
        raise StudyError(f"{to} cannot be written ({error.strerror}); name another file with --to") from None
    return to


def report(snapshot: Snapshot) -> str:
    """Return the report of a study as HTML."""
    learned = genes_page(snapshot, GeneAnalysis(), PATIENCE_SECONDS)
    values = {
        **study_page(snapshot, Query()),
        "style": Markup((FOLDER / "style.css").read_text(encoding="utf-8") + style(picture_words())),
        "snapshot": snapshot,
        "learned": learned,
        "networks": [_network(snapshot, record) for record in snapshot.best[:SHOWN]],
        "rows": [row(snapshot, trial) for trial in snapshot.trials[-MOST_ROWS:]],
    }
    return Templates({}, "").page("report.html", values)


def _work(snapshot: Snapshot, trial: TrialView) -> dict[str, Any]:
    """What a network gets right and wrong, with its pictures inside the page."""
    found = evaluation_page(snapshot, trial, inline)["found"]
    return {
        "evaluation": found,
        "by_class": class_rows(found, found["classes"]) if found else [],
        "confusion": confusion_cells(found) if found else [],
    }


def _network(snapshot: Snapshot, record: Record) -> dict[str, Any]:
    """One of the best networks: its values, its seeds, its text and its picture."""
    trial = snapshot.by_number[record.number]
    drawn = _STYLE.sub("", genome_picture(record.genome, is_narrow=False)) if record.genome else ""
    return {
        **row(snapshot, trial),
        "seeds": seed_trainings(snapshot, trial),
        **_work(snapshot, trial),
        "genome": record.genome,
        # a picture has shapes and escaped texts alone; its links lead to pages of the server
        "picture": Markup(re.sub(r"</?a\b[^>]*>", "", drawn)),
    }
