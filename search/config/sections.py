"""The sections of a study file: what each key below the top may hold.

Each field's description is its meaning in docs/studies.md. Where pydantic cannot show what a key may hold or its
default, `kind` and `unset` in `json_schema_extra` say so in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from search.config import checks
from search.config.engine import EngineSetting
from search.config.exits import ExitsSetting
from search.config.finale import Finale
from search.config.keep import Keep
from search.config.latency import RUNTIMES, LatencySetting
from search.pruners import registry as pruners
from search.samplers import registry as samplers
from trainer import Budget, Recipe
from trainer.proxies import PROXIES


class Section(BaseModel):
    """A mapping of a study file: no unknown keys, no values of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def code(words: Iterable[str]) -> str:
    """Return words as code of a page, in a sentence."""
    return ", ".join(f"`{word}`" for word in words)


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


class ExitsSection(Section):
    """`exits:`"""

    drop: Annotated[str, BeforeValidator(checks.drop)] = Field(
        default=ExitsSetting().drop,
        description="Points of accuracy on the validation images by which a network that stops early may be below its "
        "last exit.",
        json_schema_extra={"kind": "points such as `0.5%`"},
    )


class RaySection(Section):
    """`engine: {ray: ..}`"""

    address: Annotated[str, AfterValidator(checks.ray_address)] | None = Field(
        default=None,
        description="Address of the cluster: `host:port`, `ray://host:port`, `auto` for the one that runs on this "
        "machine, or `local` for one that begins and ends with the search.",
        json_schema_extra={"unset": "`RAY_ADDRESS`, else `local`"},
    )
    cpus: Annotated[float, Field(gt=0, le=1024)] = Field(
        default=EngineSetting().cpus, description="CPU cores that each worker reserves; may be a fraction."
    )
    gpus: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="Share of a GPU that each worker reserves; with 0.25 four workers share one.",
        json_schema_extra={"unset": "1 where the cluster has GPUs and `device` allows them, else 0"},
    )


class EngineSection(Section):
    """`engine:`"""

    ray: RaySection | None = Field(
        default=None,
        description="A Ray cluster, and what each worker reserves of it.",
        json_schema_extra={"unset": "`local`"},
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


class KeepSection(Section):
    """`keep:`"""

    front: Literal["all", "none"] = Field(
        default="all", description="Whether the weights of the Pareto front are kept."
    )
    top: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=Keep().top, description="Number of the best trials whose weights are kept."
    )
    rest: Literal["all", "none"] = Field(
        default="none", description="Whether the weights of all other trials are kept."
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
        description="Most memory of one trial. A network is refused where the predicted peak of its training is higher "
        "([memory](training.md#memory-and-failures)); on a CPU Linux enforces the limit during training.",
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
