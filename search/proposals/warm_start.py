"""Warm start: the first trials of a study are the genomes in its study file, and the best genomes of another study."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

import genome
from genome import Genome, GenomeError
from genome.yaml.source import SourceError
from search.config.study import StudyConfig
from search.errors import StudyError
from search.results.ranking import ranking
from search.results.refs import genome_of, open_study, split_trial
from search.samplers.base import ORIGIN, Origin
from search.space.adapt import Fit, fitted
from search.space.space import Space
from search.storage.record import GENOME, Record
from search.storage.study import Store, open_to_read

log = logging.getLogger("search")

START = "start"  # origin of the genomes; also the attribute of a study that stores their texts by REF
MOST = 5  # genomes that are taken from another study


def start_genomes(config: StudyConfig, runs: Path, known: Collection[str] = ()) -> dict[str, Genome]:
    """Return the genomes under `start:` as genomes of the space, by REF. known: REFs that are not read.

    Raises StudyError with one line for each genome that does not exist, or does not fit the space, and where.
    """
    fits = _fits(config, config.space, runs, known)
    if wrong := _mistakes(config, fits):
        raise StudyError("\n".join(wrong))
    return {ref: fit.genome for ref, fit in fits.items() if fit.genome is not None}


def start_mistakes(config: StudyConfig, space: Space | None, runs: Path) -> list[str]:
    """Return a line for each genome under `start:` that does not exist, or does not fit the space, if given."""
    return _mistakes(config, _fits(config, space, runs))


def _fits(
    config: StudyConfig, space: Space | None, runs: Path, known: Collection[str] = ()
) -> dict[str, Fit]:
    folder = Path(config.source.path).parent
    return {ref: _read(space, ref, runs, folder) for ref in config.start if ref not in known}


def _mistakes(config: StudyConfig, fits: Mapping[str, Fit]) -> list[str]:
    return [
        str(config.source.error(("start", place), f"start: {fits[ref].complaint}"))
        for place, ref in enumerate(config.start)
        if ref in fits and fits[ref].genome is None
    ]


def _read(space: Space | None, ref: str, runs: Path, folder: Path) -> Fit:
    """Return the genome of a REF as a genome of the space, if given. A genome that cannot be read does not fit."""
    try:
        found = genome_of(ref, runs, folder)
        fit = fitted(space, found) if space is not None else Fit(found)
    except (StudyError, SourceError, GenomeError) as error:
        return Fit(None, str(error))
    return fit if fit.genome is not None else Fit(None, f"{ref} does not fit: {fit.complaint}")


def best_of(study: str, config: StudyConfig, runs: Path) -> dict[str, Genome]:
    """Return the best genomes of another study, or the genome of STUDY#TRIAL, that fit the space, by REF.

    The log reports genomes that do not fit. Raises StudyError where none fits.
    """
    space = config.space
    fits = {ref: fitted(space, one) for ref, one in _others(study, config.data.root, runs).items()}
    for ref, fit in fits.items():
        if fit.genome is None:
            log.warning("%s left out: it does not fit the space: %s", ref, fit.complaint)
    found = {ref: fit.genome for ref, fit in fits.items() if fit.genome is not None}
    if not found:
        raise StudyError(f"no genome of {study} fits the space of {config.source.path}; run without --from")
    return found


def _others(study: str, data_root: str | None, runs: Path) -> dict[str, Genome]:
    """Return the best genomes of a study, or the genome of STUDY#TRIAL, by REF."""
    name, number = split_trial(study)
    opened = open_study(name, runs, data_root)
    if number is not None:
        records = [opened.trial(number)]
    else:
        records = [r for r in ranking(opened.store.records(), opened.config.objectives, MOST) if r.genome]
    if not records:
        raise StudyError(f"study {opened.config.name} has no finished trial to start from")
    texts = {f"{opened.config.name}#{record.number}": record.genome or "" for record in records}
    return {ref: genome.loads(text, path=ref) for ref, text in texts.items()}


def stored_genomes(name: str, runs: Path, url: str | None) -> dict[str, str]:
    """Return the stored start genomes of a study, texts by REF; none where the study does not exist yet."""
    try:
        return dict(open_to_read(name, runs, url).study.user_attrs.get(START, {}))
    except StudyError:
        return {}


def store_genomes(store: Store, found: Mapping[str, Genome]) -> None:
    """Store the genomes with the study, which then no longer needs the files and studies that they were read from."""
    before = store.study.user_attrs.get(START, {})
    new = {ref: genome.dump(one) for ref, one in found.items() if ref not in before}
    if new:
        store.study.set_user_attr(START, {**before, **new})


def enqueue(store: Store, space: Space) -> None:
    """Enqueue the start genomes of a study that have no trial yet, in order."""
    enqueued = {ref_of(record) for record in store.records()}
    for ref, text in store.study.user_attrs.get(START, {}).items():
        if ref not in enqueued:
            attrs = {GENOME: text, ORIGIN: Origin(START, moves=(ref,)).to_json()}
            store.study.enqueue_trial(space.encode(genome.loads(text)), user_attrs=attrs)


def ref_of(record: Record) -> str | None:
    """Return the REF of the start genome of a trial; None for any other trial."""
    return record.origin.moves[0] if record.origin and record.origin.by == START else None
