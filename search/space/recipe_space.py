"""The recipes that a study tries: keys with one value, and keys that are searched, as the holes of a space are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any

from genome.domain import Domain, OneOf
from search.space.holes import Ask, Hole, SpaceError
from search.space.mismatch import told
from search.space.point import NOTHING_SEARCHED, Searched
from search.space.ranges import written
from trainer import Recipe
from trainer.recipe.recipe import CONDITIONAL

AUTO = "auto"  # in place of a batch
SECTION = "train"  # of a study file; begins the names of the holes
OF_OPTIMIZER = ("lr", "weight_decay")  # whose defaults are the optimizer's


@dataclass(frozen=True)
class RecipeSpace:
    """The recipes of a study. Without holes there is one."""

    # values as a person wrote them; keys that are not written have their default
    fixed: Mapping[str, Any] = field(default_factory=dict)
    # by key, each named train.KEY, in the order of the keys of a recipe
    holes: Mapping[str, Hole] = field(default_factory=dict)
    # whether each network has the largest batch whose training fits into these bytes
    auto_batch: bool = False
    most_bytes: int | None = None

    @cached_property
    def base(self) -> Recipe:
        """The recipe with the first value of each hole."""
        return self.recipe(self.decode(lambda _, domain: first(domain)))

    def values(self, key: str) -> tuple[Any, ...]:
        """Return what a key may be: its value, the choices of its hole, or the ends of its range."""
        return ends(self.holes[key].domain) if key in self.holes else (getattr(self.base, key),)

    def recipe(self, searched: Searched) -> Recipe:
        """Return the recipe of these values. Raises RecipeError for values that a recipe refuses.

        With `batch: auto` the batch is that of a network (`search.config.candidate.recipe_of`), and here the default.
        """
        return Recipe.parse({**self.fixed, **searched})

    def decode(self, ask: Callable[[str, Domain], Any], everything: bool = False) -> Searched:
        """Return the values of these answers. With `everything`, keys without effect are asked too and ignored."""
        return self._walk(lambda name, domain, _: ask(name, domain), NOTHING_SEARCHED, everything)

    def encode(self, searched: Searched) -> dict[str, Any]:
        """Return the answers that decode to these values. Raises SpaceError where they are none of this space."""
        answers: dict[str, Any] = {}

        def answer(name: str, domain: Domain, known: Any) -> Any:
            if known is None or known not in domain:
                raise SpaceError(f"{name} is {told(known)}; in this study it is {domain}")
            answers[name] = known
            return known

        made = self._walk(answer, searched)
        for key in searched:
            if key not in made:
                raise SpaceError(
                    f"{SECTION}.{key} is {told(searched[key])}; this study does not search it here"
                )
        return answers

    def completed(self, known: Mapping[str, Any], rng: Random) -> Searched:
        """Return the known values where they are in this space, and even draws for all others."""
        return self._walk(lambda _, domain, value: value if value in domain else domain.draw(rng), known)

    def plain(self) -> dict[str, Any]:
        """Return the section of a study file, every default written that is the same for all recipes."""
        shown = self.base.to_dict() | {key: written(hole.domain) for key, hole in self.holes.items()}
        if self.auto_batch:
            shown["batch"] = AUTO
        if "optimizer" in self.holes:
            for key in OF_OPTIMIZER:
                if key not in self.fixed and key not in self.holes:
                    del shown[key]
        return shown

    def _walk(self, ask: Ask, known: Mapping[str, Any], everything: bool = False) -> Searched:
        """Ask for each key that has an effect beside the answers so far."""
        searched: dict[str, Any] = {}
        for key, hole in self.holes.items():
            is_used = key not in CONDITIONAL or self.recipe(searched).uses(key)
            if is_used or everything:
                value = hole.fill(ask, known.get(key))
                if is_used:
                    searched[key] = value
        return searched


def first(domain: Domain) -> Any:
    """Return the first value of a domain."""
    return domain.choices[0] if isinstance(domain, OneOf) else domain.low


def ends(domain: Domain) -> tuple[Any, ...]:
    """Return the listed choices of a domain, or the ends of its range."""
    return domain.choices if isinstance(domain, OneOf) else (domain.low, domain.high)
