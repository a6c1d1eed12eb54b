"""A network that a study may train: its text and recipe, the facts of its plan, and the limits that it breaks."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import genome
from genome import GenomeError, Plan
from search.config.needed_memory import NeededMemory
from search.config.study import StudyConfig
from search.objective import planned_values
from search.space.point import Point, Searched, digest_of
from search.space.recipe_space import RecipeSpace
from trainer import Recipe


class Candidate(NamedTuple):
    """One network that may be trained."""

    # of its genome
    text: str
    # of the network and of `searched`
    digest: str
    # what it is trained with; its seed is that of the study
    recipe: Recipe
    # the values of the recipe that the study searches
    searched: Searched
    params: int
    # to run one image
    macs: int
    depth: int
    # to run one image
    memory_bytes: int
    # at the peak of its training, evaluations included
    train_memory_bytes: int

    def facts(self) -> dict[str, int | str]:
        """Return what is stored with the trial besides the text."""
        named = ("digest", "params", "macs", "depth", "memory_bytes")
        return {name: getattr(self, name) for name in named}

    def seed(self, base: int) -> int:
        """Return the seed that the search trains this network with.

        With one seed for all networks, similar networks would begin with the same weights in most nodes and share their
        luck, and a sampler that learns from similarity would follow it.
        """
        return zlib.crc32(f"{base}/{self.digest}".encode())

    def planned(self) -> dict[str, float]:
        """Return the values of the objectives that need no training."""
        return planned_values(self)


class Excess(NamedTuple):
    """A limit of a study, and the value of a network."""

    limit: str
    allowed: int
    found: int

    @property
    def over(self) -> float:
        """How far over the limit, as a share of it; 0 or below is inside."""
        return self.found / self.allowed - 1.0

    def __str__(self) -> str:
        return f"{self.limit} is {self.found:,}; at most {self.allowed:,} is allowed"


def candidate(point: Point, recipes: RecipeSpace) -> Candidate:
    """Resolve a network and its recipe. Raises GenomeError for a network that cannot be built."""
    plan = genome.resolve(point.genome)
    if not plan.exits:
        raise GenomeError("no exit is reached from the image")
    recipe = recipe_of(plan, point.searched, recipes)
    return Candidate(
        text=genome.dump(point.genome),
        digest=digest_of(genome.digest(plan), point.searched),
        recipe=recipe,
        searched=point.searched,
        params=plan.params,
        macs=plan.macs,
        depth=plan.depth,
        memory_bytes=plan.memory_bytes,
        train_memory_bytes=NeededMemory(plan, recipe).training(recipe.batch),
    )


def recipe_of(plan: Plan, searched: Searched, recipes: RecipeSpace) -> Recipe:
    """Return the recipe of a network, with `batch: auto` the number that it stands for."""
    recipe = recipes.recipe(searched)
    if not recipes.auto_batch or recipes.most_bytes is None:
        return recipe
    return replace(recipe, batch=NeededMemory(plan, recipe).largest_batch(recipes.most_bytes))


def measured(network: Candidate, config: StudyConfig) -> list[Excess]:
    """Return every limit of the study with what the network has, whether over it or not."""
    found: Mapping[str, int] = {
        "params": network.params,
        "macs": network.macs,
        "depth": network.depth,
        "memory": network.memory_bytes,
    }
    limits = [Excess(name, allowed, found[name]) for name, allowed in config.limits.items()]
    if config.budget.memory is not None:
        limits.append(Excess("budget.memory", config.budget.memory, network.train_memory_bytes))
    return limits
