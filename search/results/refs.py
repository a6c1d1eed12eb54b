"""REF: a genome named by a YAML file, by `zoo:NAME`, or by `STUDY#TRIAL`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import genome
from genome import Genome
from search.config.read import parse_study, read_begun, report_removed
from search.config.study import StudyConfig
from search.errors import StudyError
from search.storage.data_facts import with_stored_shape
from search.storage.record import Record
from search.storage.study import TEXT_ATTR, Store, check_format, open_to_read


class Opened(NamedTuple):
    """An existing study, to be read."""

    store: Store
    config: StudyConfig

    def trial(self, number: int) -> Record:
        """Return one trial. Raises StudyError when there is none of that number, or none with a genome."""
        found = next((r for r in self.store.records() if r.number == number), None)
        if found is None:
            raise StudyError(
                f"study {self.config.name} has no trial {number}; see `genome best {self.config.name} --all`"
            )
        if found.genome is None:
            raise StudyError(
                f"trial {number} of study {self.config.name} has no genome ({found.reason or found.outcome})"
            )
        return found


def open_study(name: str, runs: Path, data_root: str | None = None) -> Opened:
    """Open a study by its name in `runs`, or by its YAML file, to read it; it may be running meanwhile."""
    url = None
    if is_file(name):
        config = read_begun(name, data_root)
        name, url = config.name, config.storage
    store = open_to_read(name, runs, url)
    attrs = store.study.user_attrs
    check_format(attrs, name)
    config = parse_study(attrs[TEXT_ATTR], f"{name} as begun", data_root)
    return Opened(store, with_stored_shape(config, attrs))


def check_removed(config: StudyConfig, runs: Path) -> None:
    """Raise StudyError where a file has keys that were removed, unless its study was begun by an earlier version."""
    if not config.removed:
        return
    try:
        open_to_read(config.name, runs, config.storage)
    except StudyError:
        raise StudyError("\n".join(config.removed)) from None
    report_removed(config)


def is_file(study: str) -> bool:
    """Whether a study is named by its file, not by its name."""
    return study.endswith((".yaml", ".yml"))


def genome_of(ref: str, runs: Path, folder: Path = Path()) -> Genome:
    """Return the genome that a REF names; a file's path is relative to `folder`.

    Raises StudyError, GenomeError for a name that the zoo has not, or SourceError with `file:line`.
    """
    if ref.startswith("zoo:"):
        return genome.zoo.get(ref.removeprefix("zoo:"))
    study, mark, number = ref.rpartition("#")
    if mark and not (folder / ref).exists():
        return genome.loads(_text(study, number, runs, folder), path=ref)
    return genome.load(folder / ref)


def split_trial(ref: str) -> tuple[str, int | None]:
    """Split STUDY or STUDY#TRIAL. Raises StudyError when what follows # is no number."""
    study, mark, number = ref.partition("#")
    if mark and not (number.isascii() and number.isdigit()):
        raise StudyError(
            f"{ref!r} names no trial; write {study or 'STUDY'}#NUMBER, such as {study or 'STUDY'}#12"
        )
    return study, int(number) if mark else None


def _text(study: str, number: str, runs: Path, folder: Path) -> str:
    name, trial = split_trial(f"{study}#{number}")
    assert trial is not None
    opened = open_study(str(folder / name) if is_file(name) else name, runs)
    text = opened.trial(trial).genome
    assert text is not None
    return text
