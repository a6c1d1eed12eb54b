"""Whether a file is a study or a genome that can be used, in one line."""

from __future__ import annotations

from pathlib import Path

import genome
from genome.source import SourceError, read
from genome.text import genome_of
from search import formatting
from search.config.study import check_study
from search.proposals.warm_start import begun_with


def check_file(path: Path, runs: Path, data_root: str | None = None) -> str:
    """Say what a good file holds. Raises SourceError or StudyError with one line for each mistake.

    A study may begin with trials of other studies; these are looked for in `runs`.
    """
    source = read(path)
    if "study" in source.value:
        study = check_study(source, data_root, path.parent)
        first = begun_with(study, runs)
        tail = f", {len(first)} to begin with" if first else ""
        return f"study {study.name}: {len(study.space().holes)} holes, on {study.data.name}{tail}"
    if "genome" in source.value:
        written = genome_of(source)
        plan = genome.resolve(written)
        return f"genome {written.name}: {plan.params:,} params, {formatting.short(plan.macs)} macs"
    raise SourceError(f"{path}:1  neither a study nor a genome; begin with `study: NAME` or `genome: NAME`")
