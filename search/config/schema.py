"""The keys of a study file and what each may hold, as pydantic checks them: strictly, and all at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from genome.source import shown
from search import objective
from search.config.dataset import SHAPES
from search.config.finale import Finale
from search.objective import DIRECTIONS, LEARNT, MAXIMIZE
from search.pruners.rules import PRUNERS
from search.samplers import SAMPLERS
from trainer import Budget, Recipe, parse_bytes
from trainer.proxies import PROXIES

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _study_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(
            f"is {shown(repr(name))}; a name has letters, digits, `.`, `_` or `-`, a letter or digit first, "
            "64 at most, and is no path"
        )
    return name


def _word(choices: tuple[str, ...]) -> Callable[[str], str]:
    def check(word: str) -> str:
        if word not in choices:
            raise ValueError(f"is {shown(repr(word))}; it may be {', '.join(choices)}")
        return word

    return check


def _device(word: str) -> str:
    if not DEVICE.fullmatch(word):
        raise ValueError(f"is {shown(repr(word))}; it may be auto, cpu, cuda or cuda:N")
    return word


def _workers(value: Any) -> Any:
    if value != "auto" and (type(value) is not int or not 1 <= value <= 256):
        raise ValueError(f"is {shown(repr(value))}; it may be auto or a whole number 1..256")
    return value


def _objectives(value: Any) -> Any:
    """Take one name, a list of names, or names with directions; give names with directions."""
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list):
        names = {name: DIRECTIONS.get(name, ("",))[0] for name in names if isinstance(name, str)}
    if not isinstance(names, dict) or not names:
        raise ValueError(f"is {shown(repr(value))}; write such as {{accuracy: maximize, macs: minimize}}")
    for name, direction in names.items():
        if wrong := objective.complaint(name, direction):
            raise ValueError(wrong)
    if not set(names) & set(LEARNT):
        raise ValueError(f"is {', '.join(names)}; one of accuracy and loss must be among them")
    return names


def _checked(parse_one: Callable[[dict[str, Any]], object], key: str) -> AfterValidator:
    """Let the trainer judge one key of its own: its sentence is ours."""

    def check(value: Any) -> Any:
        parse_one({key: value})
        return value

    return AfterValidator(check)


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _bytes(value: Any) -> Any:
    return parse_bytes(value, "memory")


class _Data(_Section):
    name: str | None = None
    path: str | None = None
    root: str | None = None
    size: Annotated[int, Field(ge=1, le=4096)] | None = None
    mirror: bool | None = None


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long, a NUL in it
        return False


def _one_source(data: _Data) -> _Data:
    if bool(data.name) == bool(data.path):
        raise ValueError("needs one of `name:` (a known data set) and `path:` (a folder or .npz of yours)")
    if (
        data.name
        and data.name not in SHAPES
        and not re.search(r"[/\\.~]", data.name)
        and not _exists(data.name)
    ):
        known = ", ".join(SHAPES)
        raise ValueError(f"is {shown(repr(data.name))}; it may be {known} or a path, such as ./images")
    return data


class _Sampler(_Section):
    name: Annotated[str, AfterValidator(_word(SAMPLERS))] = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


class _Pruner(_Section):
    name: Annotated[str, AfterValidator(_word(PRUNERS))] | None = None
    curve: bool = False


def _proxies(words: list[str]) -> list[str]:
    if not words or len(set(words)) < len(words):
        raise ValueError(f"is {shown(str(words))}; give one or more, each once: {', '.join(PROXIES)}")
    return [_word(PROXIES)(word) for word in words]


class _Screen(_Section):
    proxies: Annotated[list[str], AfterValidator(_proxies)] = Field(
        ["params", "synflow", "jacob_cov", "snip"]
    )
    keep: Annotated[float, Field(ge=0.02, le=0.9)] = 0.25


Count = Annotated[int, Field(ge=1)]


class _Limits(_Section):
    params: Count | None = None
    macs: Count | None = None
    depth: Count | None = None
    memory: Annotated[int, BeforeValidator(_bytes)] | None = None


class _Finale(_Section):
    share: Annotated[float, Field(gt=0, lt=1)] = Finale().share
    top: Annotated[int, Field(ge=0, le=100)] = Finale().top
    seeds: Annotated[int, Field(ge=1, le=100)] = Finale().seeds


def _finale(value: Any) -> Any:
    if value != "none" and not isinstance(value, dict):
        raise ValueError(
            f"is {shown(repr(value))}; it may be none, or such as {{share: 0.2, top: 3, seeds: 3}}"
        )
    return {"top": 0} if value == "none" else value


def _section(name: str, parse_one: Callable[[dict[str, Any]], object], keys: list[str]) -> Any:
    judged: Any = {key: (Annotated[Any, _checked(parse_one, key)], None) for key in keys}
    return create_model(name, __base__=_Section, **judged)


_Train = _section("_Train", Recipe.parse, [field.name for field in fields(Recipe)])
_Budget = _section("_Budget", Budget.parse, [field.name for field in fields(Budget)])


class Written(_Section):
    study: Annotated[str, AfterValidator(_study_name)]
    data: Annotated[_Data, BeforeValidator(_named), AfterValidator(_one_source)]
    objectives: Annotated[dict[str, str], BeforeValidator(_objectives)] = Field({"accuracy": MAXIMIZE})
    budget: _Budget = Field(default_factory=_Budget)  # type: ignore[valid-type]
    limits: _Limits = Field(default_factory=_Limits)
    sampler: Annotated[_Sampler, BeforeValidator(_named)] = Field(default_factory=_Sampler)
    pruner: Annotated[_Pruner, BeforeValidator(_named)] = Field(default_factory=_Pruner)
    screen: _Screen | None = None
    train: _Train = Field(default_factory=_Train)  # type: ignore[valid-type]
    ask: Literal["active", "all"] | None = None
    inherit: bool = False
    workers: Annotated[Any, AfterValidator(_workers)] = "auto"
    device: Annotated[str, AfterValidator(_device)] = "auto"
    trials: Count | None = None
    finale: Annotated[_Finale, BeforeValidator(_finale)] | None = None  # None: as the budget has it
    storage: str | None = None
    start: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)
    space: dict[str, Any]


# keys of earlier versions, and why each was removed
REMOVED: Mapping[tuple[str, str], str] = {
    ("screen", "start"): "it brought no gain",
    ("screen", "features"): "it brought no gain",
}

# which keys a mapping may have, by its address
KEYS = {
    (): list(Written.model_fields),
    ("data",): list(_Data.model_fields),
    ("budget",): list(_Budget.model_fields),
    ("limits",): list(_Limits.model_fields),
    ("sampler",): list(_Sampler.model_fields),
    ("pruner",): list(_Pruner.model_fields),
    ("screen",): list(_Screen.model_fields),
    ("train",): list(_Train.model_fields),
    ("finale",): list(_Finale.model_fields),
}
