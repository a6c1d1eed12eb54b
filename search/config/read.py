"""The study file: YAML in, one frozen value out, or the mistakes in it together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from genome.yaml.source import Source, SourceError, parse, read
from genome.yaml.tried import in_order
from genome.zoo.scale import FAMILIES
from search.config import schema_errors
from search.config.dataset import KEYS as READ_KEYS
from search.config.dataset import Dataset
from search.config.engine import RAY, EngineSetting
from search.config.exits import ExitsSetting
from search.config.finale import Finale
from search.config.keep import Keep
from search.config.latency import LatencySetting
from search.config.removed import report_removed, without_removed
from search.config.rules import HOLES, RULES
from search.config.schema import KEYS, Written, objectives_of
from search.config.study import StudyConfig
from search.config.train_section import TrainSection, check_together, read_train, recipes
from search.errors import StudyError
from search.pruners import registry as pruners
from search.samplers import registry as samplers
from search.samplers.base import AUTO, NONE
from search.samplers.proxy_vote import Screen
from search.space.parse import space_file
from search.space.recipe_space import SECTION, RecipeSpace
from search.space.space import Space
from trainer import Budget
from trainer.data.reading import Reading

DEFAULT_DEVICE_TIME = 600.0  # seconds, of a study that names neither a time nor a number of trials
STAND_INS: Mapping[str, Any] = {
    "study": "study",
    "data": "digits",
    "space": {},
}  # where a required key is wrong


class Draft(NamedTuple):
    """A study file with its mistakes."""

    # with a default in place of each key that is wrong
    config: StudyConfig
    # None where it, or the data whose shape it needs, is wrong
    space: Space | None
    # one line `file:line  address: found; allowed` each, in the order of the file
    mistakes: tuple[str, ...]


def read_study(
    path: Path | str, data_root: str | None = None, is_begun: bool = False, cache: str | None = None
) -> StudyConfig:
    """Read a study file. Raises StudyError with a line for each mistake, SourceError where it is no YAML.

    `is_begun` says that the study may be stored already: removed keys are then listed in `removed`, not refused.
    cache: folder that keeps its decoded images.
    """
    return check_study(read(path), data_root, Path(path).parent, is_begun, cache)


def parse_study(text: str, path: str, data_root: str | None = None) -> StudyConfig:
    """Read the text that a storage keeps of a study, which was checked when the study was begun.

    Its space is parsed only when it is asked for, so its data may be on another machine. Raises StudyError or
    SourceError.
    """
    config = _of_source(parse(text, path), data_root)
    report_removed(config)
    return config


def read_begun(path: Path | str, data_root: str | None = None) -> StudyConfig:
    """Read the file of a study that was begun, to find what is stored of the study.

    Its keys are checked. Its space is parsed only when it is asked for, so its data may be missing. Raises StudyError
    or SourceError.
    """
    return _of_source(read(path), data_root, Path(path).parent)


def _of_source(source: Source, data_root: str | None, folder: Path | None = None) -> StudyConfig:
    value, removed = without_removed(source)
    train = read_train(source)
    try:
        written = Written.model_validate(_with_fixed(value, train))
    except ValidationError as error:
        raise StudyError("\n".join(schema_errors.lines(source, error.errors(), KEYS))) from None
    if train is not None and train.mistakes:
        raise StudyError("\n".join(train.mistakes))
    return _filled(written, train, source, data_root, folder, removed)


def load_space(path: Path | str, data_root: str | None = None) -> Space:
    """Read a search space: that of a study file, or a file of its own (see `search.space.parse.space_file`).

    It holds networks alone; `StudyConfig.space` also holds the recipes that a study searches.

    Raises StudyError or SourceError with a line for each mistake.
    """
    source = read(path)
    if "study" in source.value:
        return replace(
            check_study(source, data_root, Path(path).parent, is_begun=True).space, recipes=RecipeSpace()
        )
    return space_file(source)


def check_study(
    source: Source,
    data_root: str | None = None,
    folder: Path | None = None,
    is_begun: bool = False,
    cache: str | None = None,
) -> StudyConfig:
    """Check a study and fill in its defaults; a path to own images may be relative to `folder`.

    Raises StudyError with one line for each mistake.
    """
    draft = read_draft(source, data_root, folder, is_begun, cache)
    if draft.mistakes:
        raise StudyError("\n".join(draft.mistakes))
    return draft.config


def read_draft(
    source: Source,
    data_root: str | None = None,
    folder: Path | None = None,
    is_begun: bool = False,
    cache: str | None = None,
) -> Draft:
    """Read a study, and the mistakes in it. Raises SourceError where the text is no study at all."""
    value, removed = without_removed(source)
    train = read_train(source)
    written, wrong, found = _validated(source, _with_fixed(value, train), train)
    lines = [*(() if is_begun else removed), *found]
    config = _filled(written, train, source, data_root, folder, removed)
    config = replace(config, data=replace(config.data, cache=cache))
    lines += _broken_together(config)
    if wrong.isdisjoint(("data", "space")) and (unread := _unread(config)):
        lines += unread
        wrong.add("data")
        config = replace(config, data=Dataset(STAND_INS["data"]))
    space = None
    if "space" not in wrong:
        try:
            space = config.space
        except (SourceError, StudyError) as error:
            lines += str(error).splitlines()
            wrong.add("space")
    lines += _broken_rules(config, wrong)
    return Draft(config, None if "data" in wrong else space, in_order(source, lines))


def _validated(
    source: Source, value: Mapping[str, Any], train: TrainSection | None
) -> tuple[Any, set[str], list[str]]:
    """Return a study's values with stand-ins for wrong keys, the wrong keys, and a line for each mistake."""
    lines = list(train.mistakes) if train else []
    wrong = {SECTION, HOLES} if lines else set[str]()
    try:
        written = Written.model_validate(value)
    except ValidationError as error:
        lines += schema_errors.lines(source, error.errors(), KEYS)
        wrong |= {str(finding["loc"][0]) for finding in error.errors()}
    return Written.model_validate(_with_stand_ins(value, wrong)) if wrong else written, wrong, lines


def _with_fixed(value: Mapping[str, Any], train: TrainSection | None) -> dict[str, Any]:
    """Return a study's values with the holes of its recipe taken out."""
    return {**value, SECTION: train.fixed} if train is not None else dict(value)


def _unread(config: StudyConfig) -> list[str]:
    try:
        config.data.shape()
    except ValueError as error:  # DataError of own images
        return str(config.source.error(("data",), str(error))).splitlines()
    return []


def _broken_together(config: StudyConfig) -> list[str]:
    try:
        check_together(config.source, config.train)
    except SourceError as error:
        return [str(error)]
    return []


def _with_stand_ins(value: Mapping[str, Any], wrong: Collection[str]) -> dict[str, Any]:
    """Return a study's values without its wrong keys, so that the others can be checked against each other."""
    needed = {key: stand_in for key, stand_in in STAND_INS.items() if key in wrong}
    return {**{key: inner for key, inner in value.items() if key not in wrong}, **needed}


def _broken_rules(config: StudyConfig, wrong: set[str]) -> list[str]:
    """Return a line for each rule between keys that does not hold; one that reads a wrong key is not looked at."""
    lines = []
    for rule in RULES:
        if wrong.isdisjoint(rule.keys) and (complaint := rule.complaint(config)):
            lines.append(str(config.source.error(rule.address, complaint)))
    return lines


def _filled(
    written: Any,
    train: TrainSection | None,
    source: Source,
    data_root: str | None,
    folder: Path | None,
    removed: tuple[str, ...],
) -> StudyConfig:
    budget = Budget.parse(written.budget.model_dump(exclude_unset=True))
    if budget.device_time is None and written.trials is None:
        budget = replace(budget, device_time=DEFAULT_DEVICE_TIME)
    sampler, asks = written.sampler, written.ask
    data = written.data
    return StudyConfig(
        name=written.study,
        data=_dataset(written.data, data_root, written.valid.folds).found(folder, is_path=bool(data.path)),
        objectives=objectives_of(written),
        budget=budget,
        limits={key: value for key, value in written.limits if value is not None and key != "latency"},
        latency=LatencySetting(**written.latency.model_dump()),
        latency_limit=written.limits.latency,
        exits=ExitsSetting(**written.exits.model_dump()),
        sampler=sampler.name,
        seed=sampler.seed,
        pruner=written.pruner.name or pruners.default(bool(budget.rungs)),
        curve=written.pruner.curve,
        screen=_screen(written.screen),
        train=recipes(train, written.train.model_dump(exclude_unset=True), budget.memory),
        asks_all=asks == "all" if asks else samplers.entry(sampler.name).joint,
        inherits=written.inherit,
        workers=None if written.workers == "auto" else written.workers,
        device=written.device,
        engine=_engine(written.engine),
        trials=written.trials,
        finale=_finale(written.finale, budget),
        keep=_keep(written.keep),
        storage=written.storage,
        artifacts=written.artifacts,
        references=_references(
            written.references, written.trials, budget, "references" in written.model_fields_set
        ),
        experience=_experience(written.experience, folder),
        start=tuple(written.start),
        source=source,
        removed=removed,
        until=dict(written.until),
    )


def _dataset(written: Any, data_root: str | None, folds: int | None) -> Dataset:
    said = Reading.parse({key: getattr(written, key) for key in READ_KEYS})
    return Dataset(written.name or written.path, data_root or written.root, said, written.mirror, folds)


def _engine(written: Any) -> EngineSetting:
    return EngineSetting(RAY, **written.ray.model_dump()) if written.ray else EngineSetting()


def _screen(written: Any) -> Screen | None:
    return Screen(tuple(written.proxies), written.keep) if written else None


def _keep(written: Any) -> Keep | None:
    return Keep(written.front == "all", written.top, written.rest == "all") if written else None


def _references(
    written: str | list[str], trials: int | None, budget: Budget, is_written: bool
) -> tuple[str, ...]:
    """Return families or names of the zoo: by default a few families where a budget pays for them."""
    if isinstance(written, list):
        return tuple(dict.fromkeys(written))
    has_room = is_written or (budget.device_time is not None and trials is None)
    return tuple(FAMILIES) if written == "auto" and has_room else ()


def _experience(written: str, folder: Path | None) -> str:
    """Return auto, none, or the path of a file, seen from the study file in `folder`."""
    if written in (AUTO, NONE) or folder is None:
        return written
    return str((folder / written).resolve())


def _finale(written: Any, budget: Budget) -> Finale | None:
    """The settings of the finale; where the file has none, a finale is held if there is a budget of device time."""
    if written is None:
        return Finale() if budget.device_time is not None else None
    return Finale(written.share, written.top, written.seeds) if written.top else None
