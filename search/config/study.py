"""A study as a frozen value: what its file says, with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import yaml

from genome.op import Shape
from genome.yaml.source import Source
from genome.zoo.scale import FAMILIES
from search.config.dataset import Dataset
from search.config.engine import EngineSetting
from search.config.exits import ExitsSetting
from search.config.finale import Finale
from search.config.keep import Keep
from search.config.latency import LatencySetting
from search.objective import Objective
from search.pruners import registry as pruners
from search.pruners.brackets import usual_rungs
from search.samplers.proxy_vote import Screen
from search.space import preset
from search.space.parse import space_of
from search.space.recipe_space import SECTION, RecipeSpace
from search.space.space import Space
from trainer import Budget, Recipe


@dataclass(frozen=True)
class StudyConfig:
    """A study as a person wrote it, with every default filled in."""

    name: str
    data: Dataset
    objectives: tuple[Objective, ...]
    budget: Budget
    # highest values of a network: params, macs, depth, memory (bytes to run one image)
    limits: Mapping[str, int]
    # how latency is measured, and the most seconds of a network
    latency: LatencySetting
    latency_limit: float | None
    # how networks stop early, where that is an objective
    exits: ExitsSetting
    sampler: str
    seed: int
    pruner: str
    # trials also stop by a forecast of their learning curve
    curve: bool
    # None screens nothing
    screen: Screen | None
    train: RecipeSpace
    # the sampler is also asked for holes without effect
    asks_all: bool
    # a network begins with the weights of the trial that its genome was made from
    inherits: bool
    # None is one for each device slot
    workers: int | None
    device: str
    # what runs them
    engine: EngineSetting
    # None is as many as the budget pays for
    trials: int | None
    finale: Finale | None
    # whose weights are kept; None keeps all
    keep: Keep | None
    # URL; None is a file in the folder of the study
    storage: str | None
    # URL of the folder of weights and checkpoints that all machines reach; None leaves them where they were trained
    artifacts: str | None
    # published networks to train first: families, or zoo:NAME
    references: tuple[str, ...]
    # of other images: auto for that of the package, none, or the path of a file
    experience: str
    # REFs of the genomes to begin with
    start: tuple[str, ...]
    source: Source
    # a sentence for each key in the text that this version no longer has, and that was ignored
    removed: tuple[str, ...] = ()
    # values of objectives at which the search ends, when one trial has reached all of them
    until: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def space(self) -> Space:
        """The search space, parsed when it is first asked for. Raises SourceError with its place."""
        shape, classes = self._shape
        space = space_of(self.source_in_full, ("space",), self.name, Shape(*shape), classes)
        return replace(space, recipes=self.train, limits=self.limits)

    @cached_property
    def source_in_full(self) -> Source:
        """The text with the nodes of a preset in place of its name. Raises as `space`."""
        if preset.KEY not in self.source.value["space"]:
            return self.source
        return preset.in_full(self.source, ("space",), Shape(*self._shape[0]))

    @property
    def _shape(self) -> tuple[tuple[int, int, int], int]:
        try:
            return self.data.shape()
        except ValueError as error:  # DataError of own images
            raise self.source.error(("data",), str(error)) from None

    @property
    def recipe(self) -> Recipe:
        """The recipe, with the first value of each key that is searched; epochs, patience and seed never are."""
        return self.train.base

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs after which a trial is compared with others; pruners that let it pause have usual ones."""
        if not pruners.entry(self.pruner).pauses:
            return self.budget.rungs
        epochs = self.recipe.epochs
        return tuple(rung for rung in self.budget.rungs if rung < epochs) or usual_rungs(epochs)

    @property
    def curve_points(self) -> tuple[int, ...]:
        """The epochs after which a trial's learning curve is looked at: every tenth of the training, and the last."""
        epochs = self.recipe.epochs
        return (*range(-(-epochs // 10), epochs, -(-epochs // 10)), epochs) if self.curve else ()

    @property
    def measures_latency(self) -> bool:
        """Whether the latency of each network is measured: it is an objective or has a limit."""
        return self.latency_limit is not None or any(one.is_measured for one in self.objectives)

    @property
    def stopping(self) -> tuple[str, ...]:
        """The objectives that tell what a network comes to that stops early."""
        return tuple(one.name for one in self.objectives if one.is_of_exits)

    def limits_in_full(self) -> dict[str, float]:
        """Return every limit by its name, that of the latency in seconds."""
        latency = {} if self.latency_limit is None else {"latency": self.latency_limit}
        return {**self.limits, **latency}

    def plain(self) -> dict[str, Any]:
        """Return what makes it this study, as plain values: where things lie is left out."""
        budget = {**vars(self.budget), "rungs": list(self.budget.rungs)}
        return {
            "study": self.name,
            "data": self.data.identity(),
            **({"valid": {"folds": self.data.folds}} if self.data.folds else {}),
            "objectives": dict(self.objectives),
            "budget": {k: v for k, v in budget.items() if v is not None},
            "limits": self.limits_in_full(),
            **({"latency": self.latency.plain()} if self.latency != LatencySetting() else {}),
            **({"exits": self.exits.plain()} if self.exits != ExitsSetting() else {}),
            "sampler": {"name": self.sampler, "seed": self.seed},
            "pruner": {"name": self.pruner, "curve": True} if self.curve else self.pruner,
            **({"screen": self.screen.plain()} if self.screen else {}),
            SECTION: self.train.plain(),
            "ask": "all" if self.asks_all else "active",
            **({"inherit": True} if self.inherits else {}),
            "workers": self.workers or "auto",
            "device": self.device,
            **({"trials": self.trials} if self.trials else {}),
            **({"until": dict(self.until)} if self.until else {}),
            "finale": self.finale._asdict() if self.finale else "none",
            "references": self._plain_references(),
            **({"keep": self.keep.plain()} if self.keep else {}),
            **({"experience": self.experience} if self.experience != "auto" else {}),
            **({"start": list(self.start)} if self.start else {}),
            "space": self.source_in_full.value["space"],
        }

    def _plain_references(self) -> list[str] | str:
        if not self.references:
            return "none"
        return "auto" if self.references == tuple(FAMILIES) else list(self.references)

    def text(self) -> str:
        """Return the study as canonical YAML, every default written; `search.config.read.parse_study` reads it back."""
        return yaml.safe_dump(self.plain(), sort_keys=False, default_flow_style=False, width=100)
