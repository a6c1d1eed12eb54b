"""The keys of a study file and what each may hold, as pydantic checks them: strictly, and all at once.

Each field's description is the meaning in docs/studies.md (`make reference` writes its table). Where pydantic cannot
show what a key may hold or its default, `kind` and `unset` in `json_schema_extra` say so in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from genome.yaml.source import shown
from search import objective
from search.config.dataset import SHAPES
from search.config.finale import Finale
from search.objective import MAXIMIZE, MEASURES, Source
from search.pruners import registry as pruners
from search.samplers import registry as samplers
from trainer import Budget, Recipe, parse_bytes
from trainer.proxies import PROXIES

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _code(words: Iterable[str]) -> str:
    """Return words as code of a page, in a sentence."""
    return ", ".join(f"`{word}`" for word in words)


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
        usual = {name: measure.directions[0] for name, measure in MEASURES.items()}
        names = {name: usual.get(name, "") for name in names if isinstance(name, str)}
    if not isinstance(names, dict) or not names:
        raise ValueError(f"is {shown(repr(value))}; write such as {{accuracy: maximize, macs: minimize}}")
    for name, direction in names.items():
        if wrong := objective.complaint(name, direction):
            raise ValueError(wrong)
    told = [name for name, measure in MEASURES.items() if measure.source is Source.TRAINING]
    if not set(names) & set(told):
        raise ValueError(f"is {', '.join(names)}; one of {' and '.join(told)} must be among them")
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
    name: str | None = Field(
        default=None, description=f"A known data set, one of {', '.join(SHAPES)}; or a path, as in `path`."
    )
    path: str | None = Field(
        default=None,
        description="Images of your own: a folder with one subfolder per class (or `train/` and `test/`, each with "
        "one subfolder per class), or an `.npz` file. A relative path is relative to the study file.",
    )
    root: str | None = Field(
        default=None,
        description="Folder that holds the named data sets; `--data-root` overrides it. Missing sets are downloaded "
        "into it.",
        json_schema_extra={"unset": "`GENOME_DATA`, else `~/.cache/genome/data`"},
    )
    size: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        default=None,
        description="Height and width in pixels to which the images of a folder are resized.",
        json_schema_extra={"unset": "no resizing"},
    )
    mirror: bool | None = Field(
        default=None,
        description="Whether a mirrored image keeps its class, so that training may flip images.",
        json_schema_extra={"unset": "known for named sets, `false` for your own images"},
    )


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


def _sampler_name(word: str) -> str:
    return _word(samplers.names())(samplers.current(word))


class _Sampler(_Section):
    name: Annotated[str, AfterValidator(_sampler_name)] = Field(
        default="auto",
        description="The algorithm that proposes the next network ([samplers](#samplers)).",
        json_schema_extra={"kind": _code(samplers.names())},
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        default=0, description="Seed of the sampler's random numbers."
    )


def _pruner_name(word: str) -> str:
    return _word(pruners.names())(word)


class _Pruner(_Section):
    name: Annotated[str, AfterValidator(_pruner_name)] | None = Field(
        default=None,
        description="The rule that stops weak trials at the rungs ([pruners](#pruners)).",
        json_schema_extra={
            "kind": _code(pruners.names()),
            "unset": "`median` where `budget.rungs` is given, else `none`",
        },
    )
    curve: bool = Field(
        default=False,
        description="Also stop a trial whose learning curve leaves it a chance under 5 % to beat the best trial.",
    )


def _proxies(words: list[str]) -> list[str]:
    if not words or len(set(words)) < len(words):
        raise ValueError(f"is {shown(str(words))}; give one or more, each once: {', '.join(PROXIES)}")
    return [_word(PROXIES)(word) for word in words]


class _Screen(_Section):
    proxies: Annotated[list[str], AfterValidator(_proxies)] = Field(
        default=["params", "synflow", "jacob_cov", "snip"],
        description="Zero-cost proxies to compute for each untrained candidate ([what each is worth](proxies.md)).",
        json_schema_extra={"kind": f"list of {_code(PROXIES)}"},
    )
    keep: Annotated[float, Field(ge=0.02, le=0.9)] = Field(
        default=0.25,
        description="Share of the candidates that are kept. Two are kept and one of these is trained, so 0.25 draws "
        "eight candidates for each trial.",
    )


Count = Annotated[int, Field(ge=1)]


class _Limits(_Section):
    params: Count | None = Field(
        default=None, description="Largest number of parameters.", json_schema_extra={"unset": "no limit"}
    )
    macs: Count | None = Field(
        default=None,
        description="Largest number of multiply-adds for one image.",
        json_schema_extra={"unset": "no limit"},
    )
    depth: Count | None = Field(
        default=None,
        description="Largest number of layers with weights on a path from the image to an exit.",
        json_schema_extra={"unset": "no limit"},
    )
    memory: Annotated[int, BeforeValidator(_bytes)] | None = Field(
        default=None,
        description="Most memory to run one image: weights and live activations in float32.",
        json_schema_extra={"kind": "size such as `64MiB`, or bytes", "unset": "no limit"},
    )


class _Finale(_Section):
    share: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=Finale().share, description="Share of `budget.device_time` that is reserved for the finale."
    )
    top: Annotated[int, Field(ge=0, le=100)] = Field(
        default=Finale().top,
        description="Number of networks that are retrained; 0 is the same as `finale: none`.",
    )
    seeds: Annotated[int, Field(ge=1, le=100)] = Field(
        default=Finale().seeds, description="Number of seeds that each of these networks is retrained with."
    )


def _finale(value: Any) -> Any:
    if value != "none" and not isinstance(value, dict):
        raise ValueError(
            f"is {shown(repr(value))}; it may be none, or such as {{share: 0.2, top: 3, seeds: 3}}"
        )
    return {"top": 0} if value == "none" else value


def _section(
    name: str, parse_one: Callable[[dict[str, Any]], object], keys: list[str], told: Mapping[str, Any]
) -> Any:
    judged: Any = {
        key: (Annotated[Any, _checked(parse_one, key)], told.get(key, Field(None))) for key in keys
    }
    return create_model(name, __base__=_Section, **judged)


_SECONDS = "time such as `20s`, `3m`, `1h30m`, or seconds"
_TOLD = {
    "device_time": Field(
        default=None,
        description="Device time of the whole study: building, training, evaluation and screening, summed over all "
        "workers, machines and runs ([budget](#budget)).",
        json_schema_extra={"kind": _SECONDS, "unset": "`10m`; no limit where `trials` is given"},
    ),
    "per_trial": Field(
        default=None,
        description="Longest device time of one trial. A trial that reaches the limit ends as `cut` and keeps its "
        "best result.",
        json_schema_extra={"kind": _SECONDS, "unset": "no limit"},
    ),
    "memory": Field(
        default=None,
        description="Most memory of one trial. A network whose predicted training memory is larger is refused; on a "
        "CPU the operating system enforces the limit during training.",
        json_schema_extra={"kind": "size such as `2GiB`, `500MB`, or bytes", "unset": "no limit"},
    ),
    "rungs": Field(
        default=None,
        description="Epochs after which trials are compared and weak ones are stopped, in rising order.",
        json_schema_extra={
            "kind": "list of whole numbers",
            "unset": "none; a ninth and a third of `train.epochs` with `asha` or `hyperband`",
        },
    ),
}

_Train = _section(
    "_Train", Recipe.parse, [field.name for field in fields(Recipe)], {}
)  # meanings: trainer/recipe.py
_Budget = _section("_Budget", Budget.parse, [field.name for field in fields(Budget)], _TOLD)


class Written(_Section):
    study: Annotated[str, AfterValidator(_study_name)] = Field(
        description="Name of the study and of its folder under `runs/`: letters, digits, `.`, `_`, `-`, at most 64."
    )
    data: Annotated[_Data, BeforeValidator(_named), AfterValidator(_one_source)] = Field(
        description="The images. The short form `data: NAME` stands for `data: {name: NAME}`.",
        json_schema_extra={"kind": "name, path, or mapping"},
    )
    objectives: Annotated[dict[str, str], BeforeValidator(_objectives)] = Field(
        default={"accuracy": MAXIMIZE},
        description="What is optimised: one name, a list of names, or names with `maximize` or `minimize`. Names are "
        f"{_code(MEASURES)}; `accuracy` or `loss` must be among them. "
        "Several objectives give a Pareto front.",
        json_schema_extra={"kind": "name, list, or mapping"},
    )
    budget: _Budget = Field(  # type: ignore[valid-type]
        default_factory=_Budget, description="What the study and each trial may use."
    )
    limits: _Limits = Field(
        default_factory=_Limits,
        description="Upper limits of a network. A network above one is refused untrained.",
    )
    sampler: Annotated[_Sampler, BeforeValidator(_named)] = Field(
        default_factory=_Sampler,
        description="How networks are proposed. The short form is `sampler: NAME`.",
        json_schema_extra={"kind": "name or mapping"},
    )
    pruner: Annotated[_Pruner, BeforeValidator(_named)] = Field(
        default_factory=_Pruner,
        description="How weak trials are stopped early. The short form is `pruner: NAME`.",
        json_schema_extra={"kind": "name or mapping"},
    )
    screen: _Screen | None = Field(
        default=None,
        description="Rank several untrained candidates by zero-cost proxies and train one of the best "
        "([screening](#screening)). Needs a sampler that proposes genomes.",
        json_schema_extra={"unset": "no screening"},
    )
    train: _Train = Field(  # type: ignore[valid-type]
        default_factory=_Train,
        description=f"The training recipe ([recipe keys](training.md#recipe-keys)): "
        f"{_code(field.name for field in fields(Recipe))}.",
    )
    ask: Literal["active", "all"] | None = Field(
        default=None,
        description="For Optuna's samplers: suggest values for the holes that the drawn network uses (`active`), or "
        "for every hole of the space in every trial (`all`).",
        json_schema_extra={"unset": "`all` for gp, cmaes and qmc, else `active`"},
    )
    inherit: bool = Field(
        default=False,
        description="Start a network from the weights of its parent's trial ([inherited weights](#inherited-weights)). "
        "Needs a sampler that names parents.",
    )
    workers: Annotated[Any, AfterValidator(_workers)] = Field(
        default="auto",
        description="Number of trials that train at the same time, spread evenly over the devices. `auto`: one per "
        "CPU core, or one to four per GPU by its free memory and a throughput measurement.",
        json_schema_extra={"kind": "`auto`, or whole number 1..256"},
    )
    device: Annotated[str, AfterValidator(_device)] = Field(
        default="auto",
        description="Where networks train. `auto`: every GPU that torch sees, else the CPU. `cuda`: every GPU; "
        "`cuda:N`: that GPU alone.",
        json_schema_extra={"kind": "`auto`, `cpu`, `cuda` or `cuda:N`"},
    )
    trials: Count | None = Field(
        default=None,
        description="Number of trials after which the search ends. Refused networks and duplicates count, "
        "interrupted trials do not.",
        json_schema_extra={"unset": "no limit"},
    )
    finale: Annotated[_Finale, BeforeValidator(_finale)] | None = Field(
        default=None,  # as the budget has it
        description="Retrain the best networks from scratch at the end of the study ([finale](#finale)).",
        json_schema_extra={
            "kind": "`none`, or mapping",
            "unset": "the values below where the study has `budget.device_time`, else `none`",
        },
    )
    storage: str | None = Field(
        default=None,
        description="Database URL of the study's storage ([several machines](#several-machines)).",
        json_schema_extra={"unset": "SQLite, `runs/<study>/study.db`"},
    )
    start: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default_factory=list,
        description="Genomes to train first: files relative to the study file, `zoo:NAME` or `STUDY#TRIAL` "
        "([known genomes](#known-genomes)).",
        json_schema_extra={"kind": "one REF, or list of REFs"},
    )
    space: dict[str, Any] = Field(description="The search space ([space](#space)).")


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
