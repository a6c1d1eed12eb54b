"""`genome check`: the validation of one file, a study, a space or a genome."""

from __future__ import annotations

from pathlib import Path

import genome
from genome.text import genome_of
from genome.yaml.source import SourceError, read
from genome.yaml.tried import in_order
from search import formatting
from search.config import reach
from search.config.read import read_draft
from search.config.study import StudyConfig
from search.errors import StudyError
from search.proposals.references import mistakes as reference_mistakes
from search.proposals.warm_start import start_mistakes
from search.space.parse import space_file


def _of_networks(config: StudyConfig) -> list[str]:
    """Return the mistakes that networks of the space show."""
    return reach.mistakes(config) or reference_mistakes(config)


def check_file(path: Path, runs: Path, data_root: str | None = None) -> str:
    """Return a line that describes a valid file. Raises SourceError or StudyError with one line for each mistake.

    `runs` is the folder of the other studies whose trials a study may start with.
    """
    source = read(path)
    if "study" in source.value:
        config, space, mistakes = read_draft(source, data_root, path.parent)
        mistakes = in_order(
            source,
            [*mistakes, *start_mistakes(config, space, runs), *(_of_networks(config) if space else ())],
        )
        if mistakes or space is None:
            raise StudyError("\n".join(mistakes))
        first = len(set(config.start))
        tail = f", {first} to start with" if first else ""
        return (
            f"study {config.name}: {formatting.some(len(space.holes), 'hole')}, on {config.data.name}{tail}"
        )
    if "space" in source.value:
        found = space_file(source)
        return f"space {found.name}: {formatting.some(len(found.holes), 'hole')}"
    if "genome" in source.value:
        written = genome_of(source)
        plan = genome.resolve(written)
        return f"genome {written.name}: {plan.params:,} params, {formatting.short(plan.macs)} macs"
    raise SourceError(f"{path}:1  neither a study nor a genome; begin with `study: NAME` or `genome: NAME`")
