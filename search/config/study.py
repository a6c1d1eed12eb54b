"""The study file: YAML in, one frozen value out, or every mistake in it at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from genome.op import Shape
from genome.source import Source, SourceError, parse, read
from search.config import schema_errors
from search.config.dataset import SHAPES, Dataset
from search.config.finale import Finale
from search.config.schema import KEYS, REMOVED, Written
from search.errors import StudyError
from search.objective import Objective
from search.pruners import registry as pruners
from search.pruners.brackets import is_too_early, usual_rungs
from search.samplers import registry as samplers
from search.samplers.proxy_vote import Screen
from search.space.parse import space_of
from search.space.space import Space
from trainer import Budget, Recipe

log = logging.getLogger("search")

DEFAULT_DEVICE_TIME = 600.0  # seconds, of a study that names neither a time nor a number of trials


@dataclass(frozen=True)
class StudyFile:
    """A study as a person wrote it, with every default filled in.

    `inherits`: a network begins with the weights of the trial that its genome was made from. `workers` None is one
    for each device slot; `trials` None is as many as the budget buys. `limits` are highest values of a network:
    params, macs, depth, memory (bytes to run one image). `start` are REFs of the genomes to begin with. `screen` None
    screens nothing; `finale` None is none.
    """

    name: str
    data: Dataset
    objectives: tuple[Objective, ...]
    budget: Budget
    limits: Mapping[str, int]
    sampler: str
    seed: int
    pruner: str
    curve: bool
    screen: Screen | None
    recipe: Recipe
    asks_all: bool
    inherits: bool
    workers: int | None
    device: str
    trials: int | None
    finale: Finale | None
    storage: str | None
    start: tuple[str, ...]
    source: Source
    # a sentence for each key in the text that this version no longer has, and that was ignored
    removed: tuple[str, ...] = ()

    def space(self) -> Space:
        """Return the search space. Raises SourceError with its place."""
        shape, classes = self.data.shape()
        return space_of(self.source, ("space",), self.name, Shape(*shape), classes)

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs after which a trial is compared with others; rules that let it pause have usual ones."""
        if not pruners.entry(self.pruner).pauses:
            return self.budget.rungs
        epochs = self.recipe.epochs
        return tuple(rung for rung in self.budget.rungs if rung < epochs) or usual_rungs(epochs)

    @property
    def curve_points(self) -> tuple[int, ...]:
        """The epochs after which a trial's learning curve is looked at: every tenth of the training, and the last."""
        epochs = self.recipe.epochs
        return (*range(-(-epochs // 10), epochs, -(-epochs // 10)), epochs) if self.curve else ()

    def plain(self) -> dict[str, Any]:
        """Return what makes it this study, as plain values: where things lie is left out."""
        budget = {**vars(self.budget), "rungs": list(self.budget.rungs)}
        return {
            "study": self.name,
            "data": self.data.identity(),
            "objectives": dict(self.objectives),
            "budget": {k: v for k, v in budget.items() if v is not None},
            "limits": dict(self.limits),
            "sampler": {"name": self.sampler, "seed": self.seed},
            "pruner": {"name": self.pruner, "curve": True} if self.curve else self.pruner,
            **({"screen": self.screen.plain()} if self.screen else {}),
            "train": self.recipe.to_dict(),
            "ask": "all" if self.asks_all else "active",
            **({"inherit": True} if self.inherits else {}),
            "workers": self.workers or "auto",
            "device": self.device,
            **({"trials": self.trials} if self.trials else {}),
            "finale": self.finale._asdict() if self.finale else "none",
            **({"start": list(self.start)} if self.start else {}),
            "space": self.source.value["space"],
        }

    def text(self) -> str:
        """Return the study as canonical YAML, every default written; `parse_study` reads it back."""
        return yaml.safe_dump(self.plain(), sort_keys=False, default_flow_style=False, width=100)


def read_study(path: Path | str, data_root: str | None = None, is_begun: bool = False) -> StudyFile:
    """Read a study file. Raises StudyError with a line for each mistake, SourceError where it is no YAML.

    `is_begun` says that the study may be stored already: removed keys are then listed in `removed`, not refused.
    """
    return check_study(read(path), data_root, Path(path).parent, is_begun)


def parse_study(text: str, path: str, data_root: str | None = None) -> StudyFile:
    """Read a study's text, such as a storage keeps it."""
    study = check_study(parse(text, path), data_root, is_begun=True)
    report_removed(study)
    return study


def stored_study(text: str, path: str) -> StudyFile:
    """Read the text that a storage keeps of a study that was checked when it began.

    Its space is not looked at again, so its data may be on another machine. Raises StudyError or SourceError.
    """
    source = parse(text, path)
    value, removed = _without_removed(source)
    try:
        study = _filled(Written.model_validate(value), source, None, None, removed)
    except ValidationError as error:
        raise StudyError("\n".join(schema_errors.lines(source, error.errors(), KEYS))) from None
    report_removed(study)
    return study


def report_removed(study: StudyFile) -> None:
    """Log, once for each study, that keys of an earlier version are ignored."""
    if study.removed:
        _log_removed(study.name, len(study.removed))


@cache
def _log_removed(name: str, count: int) -> None:
    keys = ", ".join(map(".".join, REMOVED))
    log.warning("study %s: ignoring keys of an earlier version (of %s)", name, keys)


def _without_removed(source: Source) -> tuple[Any, tuple[str, ...]]:
    """Return a study's values without keys of earlier versions, and a sentence with its place for each of these."""
    value, lines = dict(_complete(source)), []
    for (section, key), reason in REMOVED.items():
        if isinstance(value.get(section), dict) and key in value[section]:
            value[section] = {name: inner for name, inner in value[section].items() if name != key}
            lines.append(
                str(source.error((section, key), f"{section}.{key} was removed: {reason}; take the key out"))
            )
    return value, tuple(lines)


def check_study(
    source: Source, data_root: str | None = None, folder: Path | None = None, is_begun: bool = False
) -> StudyFile:
    """Check a study and fill in its defaults; a path to own images may be relative to `folder`.

    Raises StudyError with one line for each mistake.
    """
    wrong: list[str] = []
    value, removed = _without_removed(source)
    try:
        study = _filled(Written.model_validate(value), source, data_root, folder, removed)
    except ValidationError as error:
        wrong = schema_errors.lines(source, error.errors(), KEYS)
        study = None
    wrong += () if is_begun else removed
    wrong += _wrong_space(source, study, data_root)
    if wrong or study is None:
        raise StudyError("\n".join(wrong))
    return study


def _complete(source: Source) -> Any:
    if "study" not in source.value:
        raise source.error((), "study is missing; begin with `study: NAME`")
    return source.value


def _wrong_space(source: Source, study: StudyFile | None, data_root: str | None) -> list[str]:
    """Check the space, also of a study with other mistakes when its data is known; then what needs both."""
    if not isinstance(source.value.get("space"), dict):
        return []  # said already
    try:
        if study is None:
            named = source.value.get("data")
            shape, classes = SHAPES[named] if isinstance(named, str) and named in SHAPES else SHAPES["digits"]
            space_of(source, ("space",), "study", Shape(*shape), classes)
            return []
        space = study.space()
    except (SourceError, StudyError) as error:
        return [str(error)]
    except ValueError as error:  # DataError of own images
        return [str(source.error(("data",), str(error)))]
    if misplaced := _misplaced_rung(study):
        return [str(source.error(("budget", "rungs"), misplaced))]
    if study.inherits and not samplers.entry(study.sampler).names_parents:
        said = (
            f"inherit is true, and {study.sampler} makes no genome from those of trials; use sampler: evolve"
        )
        return [str(source.error(("inherit",), said))]
    if study.screen and not samplers.entry(study.sampler).proposes:
        able = ", ".join(samplers.proposing())
        blind = f"screen is for samplers that propose genomes: {able}; sampler is {study.sampler}"
        return [str(source.error(("screen",), blind))]
    unfit = samplers.entry(study.sampler).complaint(len(study.objectives), space.holes)
    return [str(source.error(("sampler",), f"sampler is {unfit}"))] if unfit else []


def _misplaced_rung(study: StudyFile) -> str | None:
    rungs, epochs = study.budget.rungs, study.recipe.epochs
    if rungs and rungs[-1] > epochs:
        return f"budget.rungs has epoch {rungs[-1]} and training ends at {epochs}; give rungs of 1..{epochs}"
    if rungs and pruners.entry(study.pruner).pauses and is_too_early(rungs[0], epochs):
        usual = ", ".join(map(str, usual_rungs(epochs)))
        return (
            f"budget.rungs has epoch {rungs[0]}, under a tenth of {epochs}, where ranks say little of the end; "
            f"give {study.pruner} later ones, such as [{usual}], or none"
        )
    return None


def _filled(
    written: Any, source: Source, data_root: str | None, folder: Path | None, removed: tuple[str, ...]
) -> StudyFile:
    budget = Budget.parse(written.budget.model_dump(exclude_unset=True))
    if budget.device_time is None and written.trials is None:
        budget = replace(budget, device_time=DEFAULT_DEVICE_TIME)
    sampler, asks = written.sampler, written.ask
    data = written.data
    return StudyFile(
        name=written.study,
        data=Dataset(data.name or data.path, data_root or data.root, data.size, data.mirror).found(folder),
        objectives=tuple(Objective(name, direction) for name, direction in written.objectives.items()),
        budget=budget,
        limits={key: value for key, value in written.limits if value is not None},
        sampler=sampler.name,
        seed=sampler.seed,
        pruner=written.pruner.name or pruners.default(bool(budget.rungs)),
        curve=written.pruner.curve,
        screen=_screen(written.screen),
        recipe=Recipe.parse(written.train.model_dump(exclude_unset=True)),
        asks_all=asks == "all" if asks else samplers.entry(sampler.name).joint,
        inherits=written.inherit,
        workers=None if written.workers == "auto" else written.workers,
        device=written.device,
        trials=written.trials,
        finale=_finale(written.finale, budget),
        storage=written.storage,
        start=tuple(written.start),
        source=source,
        removed=removed,
    )


def _screen(written: Any) -> Screen | None:
    return Screen(tuple(written.proxies), written.keep) if written else None


def _finale(written: Any, budget: Budget) -> Finale | None:
    """Where nothing is said of it, a finale is held where there is device time to keep for it."""
    if written is None:
        return Finale() if budget.device_time is not None else None
    return Finale(written.share, written.top, written.seeds) if written.top else None
