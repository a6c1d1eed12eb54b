"""The sections of a study file: what each key below the top may hold.

Each field's description is its meaning in docs/studies.md. Where pydantic cannot show what a key may hold or its
default, `kind` and `unset` in `json_schema_extra` say so in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from genome.yaml.source import shown
from search.config import checks
from search.config.dataset import SHAPES
from search.config.finale import Finale
from search.config.latency import RUNTIMES, LatencySetting
from search.pruners import registry as pruners
from search.samplers import registry as samplers
from trainer import Budget, Recipe
from trainer.data.reading import Reading
from trainer.proxies import PROXIES


class Section(BaseModel):
    """A mapping of a study file: no unknown keys, no values of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def code(words: Iterable[str]) -> str:
    """Return words as code of a page, in a sentence."""
    return ", ".join(f"`{word}`" for word in words)


def _read(key: str) -> AfterValidator:
    """Let the reader of images judge one key of its own: its sentence is ours."""

    def check(value: Any) -> Any:
        Reading.parse({key: value})
        return value

    return AfterValidator(check)


def _told(meaning: str, kind: str, unset: str = "told by the files, else refused") -> Any:
    return Field(default=None, description=meaning, json_schema_extra={"kind": kind, "unset": unset})


class DataSection(Section):
    """`data:`"""

    name: str | None = Field(
        default=None, description=f"A known data set, one of {', '.join(SHAPES)}; or a path, as in `path`."
    )
    path: str | None = Field(
        default=None,
        description="Images of your own, in one of the [layouts](data.md): a folder with one subfolder per class, an "
        "`.npz` file, a CSV file. It is always a path, also `digits`. A relative path is relative to the study file.",
    )
    root: str | None = Field(
        default=None,
        description="Folder that holds the named data sets; `--data-root` overrides it. Missing sets are downloaded "
        "into it.",
        json_schema_extra={"unset": "`GENOME_DATA`, else `~/.cache/genome/data`"},
    )
    mirror: bool | None = Field(
        default=None,
        description="Whether a mirrored image keeps its class, so that training may flip images.",
        json_schema_extra={"unset": "known for named sets, `false` for your own images"},
    )
    size: Annotated[Any, _read("size")] = _told(
        "Height and width in pixels to which pictures are resized; `auto` is the median side, at most 96.",
        "whole number, `[height, width]` or `auto`",
        "no resizing",
    )
    layout: Annotated[Any, _read("layout")] = _told(
        "How the files lie ([layouts](data.md)).", "a word of the layouts"
    )
    channels: Annotated[Any, _read("channels")] = _told(
        "Which axis of an array of images is the channels.", "`first` or `last`"
    )
    alpha: Annotated[Any, _read("alpha")] = _told(
        "The ground below transparent pixels; `drop` takes the colours that are stored below the transparency.",
        "`white`, `black` or `drop`",
    )
    bits: Annotated[Any, _read("bits")] = _told(
        "Bits a channel of the pixels, such as 12: the values `0 .. 2**bits - 1` are kept as 8 bits.",
        "whole number",
    )
    range: Annotated[Any, _read("range")] = _told(
        "The values that are black and white, kept as 8 bits; values outside are clipped.", "`[low, high]`"
    )
    pages: Annotated[Any, _read("pages")] = _told(
        "Of files with several pages or frames: the first alone, or each as an image of the class.",
        "`first` or `each`",
    )
    classes: Annotated[Any, _read("classes")] = _told(
        "The folders that are the classes; of arrays and tables, the names of the classes by their labels.",
        "list of text",
    )
    skip: Annotated[Any, _read("skip")] = _told(
        "Patterns of files that are left out, such as `'*_mask.png'`.",
        "list of text",
        "masks beside their images",
    )
    image: Annotated[Any, _read("image")] = _told("Column of files, or array of images.", "text")
    label: Annotated[Any, _read("label")] = _told("Column or array of labels.", "text")
    group: Annotated[Any, _read("group")] = _told(
        "Column of a table: images of one group, such as a patient, are never in two splits.", "text"
    )


def one_source(data: DataSection) -> DataSection:
    """Refuse data with no source, with two, or with a name that is not known."""
    if bool(data.name) == bool(data.path):
        raise ValueError(
            "needs one of `name:` (a known data set) and `path:` (a file or folder of images of yours)"
        )
    if (
        data.name
        and data.name not in SHAPES
        and not re.search(r"[/\\.~]", data.name)
        and not checks.exists(data.name)
    ):
        known = ", ".join(SHAPES)
        raise ValueError(
            f"is {shown(repr(data.name))}; it may be {known} or a path that exists, such as ./images"
        )
    return data


class SamplerSection(Section):
    """`sampler:`"""

    name: Annotated[str, AfterValidator(checks.sampler_name)] = Field(
        default="auto",
        description="The algorithm that proposes the next network ([samplers](#samplers)).",
        json_schema_extra={"kind": code(samplers.names())},
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        default=0, description="Seed of the sampler's random numbers."
    )


class PrunerSection(Section):
    """`pruner:`"""

    name: Annotated[str, AfterValidator(checks.pruner_name)] | None = Field(
        default=None,
        description="The rule that stops weak trials at the rungs ([pruners](#pruners)).",
        json_schema_extra={
            "kind": code(pruners.names()),
            "unset": "`median` where `budget.rungs` is given, else `none`",
        },
    )
    curve: bool = Field(
        default=False,
        description="Also stop a trial whose learning curve leaves it a chance under 5 % to beat the best trial.",
    )


class ScreenSection(Section):
    """`screen:`"""

    proxies: Annotated[list[str], AfterValidator(checks.proxies)] = Field(
        default=["params", "synflow", "jacob_cov", "snip"],
        description="Zero-cost proxies to compute for each untrained candidate ([what each is worth](proxies.md)).",
        json_schema_extra={"kind": f"list of {code(PROXIES)}"},
    )
    keep: Annotated[float, Field(ge=0.02, le=0.9)] = Field(
        default=0.25,
        description="Share of the candidates that are kept. Two are kept and one of these is trained, so 0.25 draws "
        "eight candidates for each trial.",
    )


Count = Annotated[int, Field(ge=1)]


class LimitsSection(Section):
    """`limits:`"""

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
    memory: Annotated[int, BeforeValidator(checks.size)] | None = Field(
        default=None,
        description="Most memory to run one image: weights and live activations in float32.",
        json_schema_extra={"kind": "size such as `64MiB`, or bytes", "unset": "no limit"},
    )

    latency: Annotated[float, BeforeValidator(checks.latency)] | None = Field(
        default=None,
        description="Longest time of a forward pass, measured before training as `latency` says "
        "([latency](#latency)).",
        json_schema_extra={"kind": "time such as `2ms`, or seconds", "unset": "no limit"},
    )


class LatencySection(Section):
    """`latency:`"""

    runtime: Annotated[str, AfterValidator(checks.runtime)] = Field(
        default=LatencySetting().runtime,
        description="What runs the network: "
        f"{'; '.join(f'`{name}`, {one.means}' for name, one in RUNTIMES.items())}.",
        json_schema_extra={"kind": code(RUNTIMES)},
    )
    batch: Annotated[int, Field(ge=1, le=4096)] = Field(
        default=LatencySetting().batch, description="Images of a forward pass."
    )
    threads: Annotated[int, Field(ge=1, le=256)] = Field(
        default=LatencySetting().threads, description="Threads of the CPU."
    )


class FinaleSection(Section):
    """`finale:`"""

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


def _checked(parse_one: Callable[[dict[str, Any]], object], key: str) -> AfterValidator:
    """Let the trainer judge one key of its own: its sentence is ours."""

    def check(value: Any) -> Any:
        parse_one({key: value})
        return value

    return AfterValidator(check)


def _section(
    name: str, parse_one: Callable[[dict[str, Any]], object], keys: list[str], told: Mapping[str, Any]
) -> Any:
    judged: Any = {
        key: (Annotated[Any, _checked(parse_one, key)], told.get(key, Field(None))) for key in keys
    }
    return create_model(name, __base__=Section, **judged)


_PAUSING = " or ".join(f"`{name}`" for name in pruners.names() if pruners.entry(name).pauses)
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
        "CPU Linux enforces the limit during training.",
        json_schema_extra={"kind": "size such as `2GiB`, `500MB`, or bytes", "unset": "no limit"},
    ),
    "rungs": Field(
        default=None,
        description="Epochs after which trials are compared and weak ones are stopped, in rising order.",
        json_schema_extra={
            "kind": "list of whole numbers",
            "unset": f"none; a ninth and a third of `train.epochs` with {_PAUSING}",
        },
    ),
}

TrainSection = _section(
    "_Train", Recipe.parse, [field.name for field in fields(Recipe)], {}
)  # meanings: trainer/recipe/recipe.py
BudgetSection = _section("_Budget", Budget.parse, [field.name for field in fields(Budget)], _TOLD)
