"""The section `train:` of a study file: keys with one value, and holes, whose values are all checked beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple, get_args, get_type_hints

from genome.domain import Domain, Float
from genome.yaml.source import Source, SourceError, shown
from search.space.holes import Hole
from search.space.ranges import domain_of, narrowed, with_real_choices
from search.space.recipe_space import AUTO, SECTION, RecipeSpace, ends
from trainer import Recipe, RecipeError

KEYS = tuple(field.name for field in fields(Recipe))
REAL = {name for name, kind in get_type_hints(Recipe).items() if float in (kind, *get_args(kind))}
# keys that are no holes, and why
ONE_VALUE: Mapping[str, str] = {
    "epochs": "trials are compared at equal epochs, by rungs, learning curves and the finale",
    "patience": "trials are compared at equal epochs, and it ends some of them earlier",
    "seed": "a seed is luck, and the finale trains with other seeds",
}
MOST_TOGETHER = 1_000  # combinations of values that are checked


class TrainSection(NamedTuple):
    """The section as it is written."""

    # keys with one value, not checked yet
    fixed: dict[str, Any]
    # whether the batch is that which fits a network
    auto_batch: bool
    # by key, in the order of the keys of a recipe
    holes: dict[str, Hole]
    # one line `file:line  address: found; allowed` for each hole that is wrong
    mistakes: tuple[str, ...]


def read_train(source: Source) -> TrainSection | None:
    """Separate the holes of the section from its other keys; None where the file has no such section."""
    given = source.value.get(SECTION)
    if not isinstance(given, dict):
        return None
    asked = [key for key in KEYS if isinstance(given.get(key), dict)]
    fixed = {key: value for key, value in given.items() if key not in asked}
    if auto_batch := fixed.get("batch") == AUTO:
        del fixed["batch"]
    holes: dict[str, Hole] = {}
    mistakes = []
    for key in asked:
        try:
            spec = _hole(source, key, given[key])
        except SourceError as error:
            mistakes.append(str(error))
            continue
        if isinstance(spec, Hole):
            holes[key] = spec
        else:
            fixed[key] = spec
    return TrainSection(fixed, auto_batch, holes, tuple(mistakes))


def recipes(section: TrainSection | None, fixed: Mapping[str, Any], most_bytes: int | None) -> RecipeSpace:
    """Return the recipes of a section whose keys with one value were checked. most_bytes: `budget.memory`."""
    if section is None:
        return RecipeSpace(fixed)
    return RecipeSpace(fixed, section.holes, section.auto_batch, most_bytes)


def check_together(source: Source, recipes: RecipeSpace) -> None:
    """Raise SourceError where values of several holes, each fine alone, make a recipe that is refused.

    Checked are all combinations of the ends of ranges and of the listed choices, the first thousand of them.
    """
    values = [[(key, value) for value in ends(hole.domain)] for key, hole in recipes.holes.items()]
    for chosen in itertools.islice(itertools.product(*values), MOST_TOGETHER):
        try:
            recipes.recipe(dict(chosen))
        except RecipeError as error:
            raise source.error((SECTION,), f"{SECTION}.{error}") from None


def _hole(source: Source, key: str, value: dict[str, Any]) -> Any:
    """The hole of a key, or its value where there is one only. Raises SourceError."""
    at, label = (SECTION, key), f"{SECTION}.{key}"
    if key in ONE_VALUE:
        raise source.error(at, f"{label} is {shown(value)}; it must be one value: {ONE_VALUE[key]}")
    domain = domain_of(source, at, label, value)
    if key in REAL:
        domain = with_real_choices(source, at, label, domain)
    _check_values(source, key, next(iter(value)), domain)
    return narrowed(label, domain, key in REAL)


def _check_values(source: Source, key: str, form: str, domain: Domain) -> None:
    """Let the recipe judge each choice, or both ends of the range."""
    for place, value in enumerate(ends(domain)):
        try:
            Recipe.parse({key: float(value) if isinstance(domain, Float) else value})
        except RecipeError as error:
            raise source.error((SECTION, key, form, place), f"{SECTION}.{error}") from None
