"""Whether a file is a study or a genome that can be used, in one line."""

from __future__ import annotations

from pathlib import Path

import genome
from genome.source import SourceError, read
from genome.text import genome_of

from . import words
from .study_file import check_study


def check_file(path: Path, data_root: str | None = None) -> str:
    """Say what a good file holds. Raises SourceError or StudyError with one line for each mistake."""
    source = read(path)
    if "study" in source.value:
        study = check_study(source, data_root)
        return f"study {study.name}: {len(study.space().holes)} holes, on {study.data.name}"
    if "genome" in source.value:
        written = genome_of(source)
        plan = genome.resolve(written)
        return f"genome {written.name}: {plan.params:,} params, {words.short(plan.macs)} macs"
    raise SourceError(f"{path}:1  neither a study nor a genome; begin with `study: NAME` or `genome: NAME`")
