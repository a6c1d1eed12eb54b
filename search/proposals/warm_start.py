"""Warm start: the first trials of a study are the genomes in its study file, and the best genomes of another study."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path
from random import Random
from typing import NamedTuple

import genome
from genome import GenomeError
from genome.yaml.source import SourceError
from search.config.study import StudyConfig
from search.errors import StudyError
from search.results.ranking import ranking
from search.results.refs import Named, named, open_study, split_trial
from search.samplers.base import ORIGIN, Origin
from search.space.adapt import fitted
from search.space.point import NOTHING_SEARCHED, Point, Searched
from search.space.space import Space
from search.storage.record import Record, point_attrs
from search.storage.study import Store, open_to_read

log = logging.getLogger("search")

START = "start"  # origin of the genomes; also the attribute of a study that stores their texts by REF
RECIPES = "start_recipes"  # attribute of a study that stores the searched values of their recipes by REF
MOST = 5  # genomes that are taken from another study


class PointFit(NamedTuple):
    """A point of the space, or None and the sentence that says where the genome leaves it."""

    point: Point | None
    complaint: str = ""


def start_genomes(config: StudyConfig, runs: Path, known: Collection[str] = ()) -> dict[str, Point]:
    """Return the genomes under `start:` as points of the space, by REF. known: REFs that are not read.

    Where the study searches its recipe, a trial brings the values that it was trained with; those that are no values of
    this space, and those of other genomes, are drawn evenly.

    Raises StudyError with one line for each genome that does not exist, or does not fit the space, and where.
    """
    fits = _fits(config, config.space, runs, known)
    if wrong := _mistakes(config, fits):
        raise StudyError("\n".join(wrong))
    return {ref: fit.point for ref, fit in fits.items() if fit.point is not None}


def start_mistakes(config: StudyConfig, space: Space | None, runs: Path) -> list[str]:
    """Return a line for each genome under `start:` that does not exist, or does not fit the space, if given."""
    return _mistakes(config, _fits(config, space, runs))


def _fits(
    config: StudyConfig, space: Space | None, runs: Path, known: Collection[str] = ()
) -> dict[str, PointFit]:
    folder = Path(config.source.path).parent
    return {ref: _read(config, space, ref, runs, folder) for ref in config.start if ref not in known}


def _mistakes(config: StudyConfig, fits: Mapping[str, PointFit]) -> list[str]:
    return [
        str(config.source.error(("start", place), f"start: {line}"))
        for place, ref in enumerate(config.start)
        if ref in fits
        for line in fits[ref].complaint.splitlines()
    ]


def _read(config: StudyConfig, space: Space | None, ref: str, runs: Path, folder: Path) -> PointFit:
    """Return what a REF names as a point of the space, if given. A genome that cannot be read does not fit."""
    try:
        found = named(ref, runs, folder)
        fit = _fitted(config, space, ref, found) if space is not None else PointFit(Point(found.genome))
    except (StudyError, SourceError, GenomeError) as error:
        return PointFit(None, str(error))
    return fit if fit.point is not None else PointFit(None, f"{ref} does not fit: {fit.complaint}")


def _fitted(config: StudyConfig, space: Space, ref: str, found: Named) -> PointFit:
    """Fit the genome to the space; what its recipe does not say is drawn, the same whenever it is asked for."""
    fit = fitted(space, found.genome)
    if fit.genome is None:
        return PointFit(None, fit.complaint)
    known = found.recipe.to_dict() if found.recipe else {}
    return PointFit(Point(fit.genome, space.recipes.completed(known, Random(f"{config.seed}/{ref}"))))


def best_of(study: str, config: StudyConfig, runs: Path) -> dict[str, Point]:
    """Return the best genomes of another study, or the genome of STUDY#TRIAL, that fit the space, by REF.

    The log reports genomes that do not fit. Raises StudyError where none fits.
    """
    space = config.space
    fits = {
        ref: _fitted(config, space, ref, one) for ref, one in _others(study, config.data.root, runs).items()
    }
    for ref, fit in fits.items():
        if fit.point is None:
            log.warning("%s left out: it does not fit the space: %s", ref, fit.complaint)
    found = {ref: fit.point for ref, fit in fits.items() if fit.point is not None}
    if not found:
        raise StudyError(f"no genome of {study} fits the space of {config.source.path}; run without --from")
    return found


def _others(study: str, data_root: str | None, runs: Path) -> dict[str, Named]:
    """Return the best genomes of a study, or the genome of STUDY#TRIAL, by REF."""
    name, number = split_trial(study)
    opened = open_study(name, runs, data_root)
    if number is not None:
        records = [opened.trial(number)]
    else:
        records = [r for r in ranking(opened.store.records(), opened.config.objectives, MOST) if r.genome]
    if not records:
        raise StudyError(f"study {opened.config.name} has no finished trial to start from")
    return {f"{opened.config.name}#{record.number}": opened.named(record) for record in records}


def stored_genomes(name: str, runs: Path, url: str | None) -> dict[str, str]:
    """Return the stored start genomes of a study, texts by REF; none where the study does not exist yet."""
    try:
        with closing(open_to_read(name, runs, url)) as store:
            return dict(store.study.user_attrs.get(START, {}))
    except StudyError:
        return {}


def store_genomes(store: Store, found: Mapping[str, Point]) -> None:
    """Store the genomes with the study, which then no longer needs the files and studies that they were read from."""
    attrs = store.study.user_attrs
    before, recipes = attrs.get(START, {}), attrs.get(RECIPES, {})
    new = {ref: point for ref, point in found.items() if ref not in before}
    searched = {ref: dict(point.searched) for ref, point in new.items() if point.searched}
    if searched:  # first: a text without its recipe could not be enqueued
        store.study.set_user_attr(RECIPES, {**recipes, **searched})
    if new:
        texts = {ref: genome.dump(point.genome) for ref, point in new.items()}
        store.study.set_user_attr(START, {**before, **texts})


def enqueue(store: Store, space: Space) -> None:
    """Enqueue the start genomes of a study that have no trial yet, in order."""
    enqueued = {ref_of(record) for record in store.records()}
    recipes: Mapping[str, Searched] = store.study.user_attrs.get(RECIPES, {})
    for ref, text in store.study.user_attrs.get(START, {}).items():
        if ref not in enqueued:
            point = Point(genome.loads(text), recipes.get(ref, NOTHING_SEARCHED))
            attrs = {**point_attrs(point), ORIGIN: Origin(START, moves=(ref,)).to_json()}
            store.study.enqueue_trial(space.answers(point), user_attrs=attrs)


def ref_of(record: Record) -> str | None:
    """Return the REF of the start genome of a trial; None for any other trial."""
    return record.origin.moves[0] if record.origin and record.origin.by == START else None
