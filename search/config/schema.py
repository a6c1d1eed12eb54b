"""The keys of a study file and what each may hold, as pydantic checks them: strictly, and all at once.

Each field's description is the meaning in docs/studies.md (`make reference` writes its table). Where pydantic cannot
show what a key may hold or its default, `kind` and `unset` in `json_schema_extra` say so in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from genome.zoo.scale import FAMILIES
from search.config import checks
from search.config.data_section import DataSection, ValidSection, one_source
from search.config.sections import (
    BudgetSection,
    Count,
    EngineSection,
    ExitsSection,
    FinaleSection,
    KeepSection,
    LatencySection,
    LimitsSection,
    PrunerSection,
    RaySection,
    SamplerSection,
    ScreenSection,
    Section,
    TrainSection,
    code,
)
from search.config.train_section import ONE_VALUE
from search.objective import LEARNT, MAXIMIZE, MEASURES, Objective
from search.samplers import registry as samplers
from trainer import Recipe

*_MANY, _LAST = (name for name in samplers.names() if samplers.entry(name).joint)
_JOINT = f"{', '.join(_MANY)} and {_LAST}"


class Written(Section):
    """A study file."""

    study: Annotated[str, AfterValidator(checks.study_name)] = Field(
        description="Name of the study and of its folder under `runs/`: letters, digits, `.`, `_`, `-`, at most 64."
    )
    data: Annotated[DataSection, BeforeValidator(checks.named), AfterValidator(one_source)] = Field(
        description="The images. The short form `data: NAME` stands for `data: {name: NAME}`.",
        json_schema_extra={"kind": "name, path, or mapping"},
    )
    valid: ValidSection = Field(
        default_factory=ValidSection, description="How networks are validated ([folds](#folds))."
    )
    objectives: Annotated[dict[str, str], BeforeValidator(checks.objectives)] = Field(
        default={"accuracy": MAXIMIZE},
        description="What is optimised: one name, a list of names, or names with `maximize` or `minimize`. Names are "
        f"{code(MEASURES)}; one of {code(LEARNT)} must be among them. "
        "Several objectives give a Pareto front. Where images have several labels, the default is `auc`.",
        json_schema_extra={"kind": "name, list, or mapping"},
    )
    budget: BudgetSection = Field(  # type: ignore[valid-type]
        default_factory=BudgetSection, description="What the study and each trial may use."
    )
    limits: LimitsSection = Field(
        default_factory=LimitsSection,
        description="Upper limits of a network. A network above one is refused untrained.",
    )
    latency: LatencySection = Field(
        default_factory=LatencySection,
        description="How latency is measured, where it is an objective or a limit ([latency](#latency)).",
    )
    exits: ExitsSection = Field(
        default_factory=ExitsSection,
        description="How networks stop early, where `expected_macs` or `expected_latency` is an objective "
        "([early exits](#early-exits)).",
    )
    sampler: Annotated[SamplerSection, BeforeValidator(checks.named)] = Field(
        default_factory=SamplerSection,
        description="How networks are proposed. The short form is `sampler: NAME`.",
        json_schema_extra={"kind": "name or mapping"},
    )
    pruner: Annotated[PrunerSection, BeforeValidator(checks.named)] = Field(
        default_factory=PrunerSection,
        description="How weak trials are stopped early. The short form is `pruner: NAME`.",
        json_schema_extra={"kind": "name or mapping"},
    )
    screen: ScreenSection | None = Field(
        default=None,
        description="Rank several untrained candidates by zero-cost proxies and train one of the best "
        "([screening](#screening)). Needs a sampler that proposes genomes.",
        json_schema_extra={"unset": "no screening"},
    )
    train: TrainSection = Field(  # type: ignore[valid-type]
        default_factory=TrainSection,
        description=f"The training recipe ([recipe keys](training.md#recipe-keys)): "
        f"{code(field.name for field in fields(Recipe))}. Each may be a hole but {code(ONE_VALUE)} "
        "([searched recipe](#searched-recipe)). `batch` may be `auto` ([memory](#memory)).",
    )
    ask: Literal["active", "all"] | None = Field(
        default=None,
        description="Which holes Optuna's samplers suggest values for: those that the network uses (`active`), or "
        "every hole of the space in every trial (`all`).",
        json_schema_extra={"unset": f"`all` for {_JOINT}, else `active`"},
    )
    inherit: bool = Field(
        default=False,
        description="Start a network from the weights of its parent's trial ([inherited weights](#inherited-weights)). "
        "Needs a sampler that names parents.",
    )
    workers: Annotated[Any, AfterValidator(checks.workers)] = Field(
        default="auto",
        description="Number of trials that train at the same time, spread evenly over the devices. `auto`: one per "
        "CPU core, or one to four per GPU by its free memory and a throughput measurement.",
        json_schema_extra={"kind": "`auto`, or whole number 1..256"},
    )
    device: Annotated[str, AfterValidator(checks.device)] = Field(
        default="auto",
        description="Where networks train. `auto`: every GPU that torch sees, else the CPU. `cuda`: every GPU; "
        "`cuda:N`: that GPU alone.",
        json_schema_extra={"kind": "`auto`, `cpu`, `cuda` or `cuda:N`"},
    )
    engine: Annotated[EngineSection, BeforeValidator(checks.engine)] = Field(
        default_factory=EngineSection,
        description="What runs the workers: `local`, processes of this machine, or `ray`, a Ray cluster "
        "([engines](engines.md)).",
        json_schema_extra={"kind": "`local`, `ray`, or mapping", "unset": "`local`"},
    )
    trials: Count | None = Field(
        default=None,
        description="Number of trials after which the search ends. Refused networks and duplicates count, "
        "interrupted trials do not.",
        json_schema_extra={"unset": "no limit"},
    )
    until: Annotated[dict[str, float], BeforeValidator(checks.until)] = Field(
        default_factory=dict,
        description="Values of objectives, such as `{accuracy: 0.99}`: the search ends when one trial has reached all "
        "of them; the finale still runs.",
        json_schema_extra={"kind": "mapping of objectives to numbers", "unset": "no target"},
    )
    finale: Annotated[FinaleSection, BeforeValidator(checks.finale)] | None = Field(
        default=None,  # as the budget has it
        description="Retrain the best networks from scratch at the end of the study ([finale](#finale)).",
        json_schema_extra={
            "kind": "`none`, or mapping",
            "unset": "the values below where the study has `budget.device_time`, else `none`",
        },
    )
    references: Annotated[Literal["auto", "none"] | list[str], BeforeValidator(checks.references)] = Field(
        default="auto",
        description="Published networks to train first, scaled to the limits ([references](#references)): `auto` for "
        f"one of each family ({code(FAMILIES)}), or a list of `zoo:NAME`.",
        json_schema_extra={
            "kind": "`auto`, `none`, or list of `zoo:NAME`",
            "unset": "`auto` where the study has `budget.device_time` and no `trials`, else `none`",
        },
    )
    experience: Annotated[str, BeforeValidator(checks.experience)] = Field(
        default="auto",
        description="What earlier studies found on other images, which `auto` and `bayes` begin with "
        "([experience](#experience)): `auto` for that of the package, or a file of `genome experience`, relative to "
        "the study file.",
        json_schema_extra={"kind": "`auto`, `none`, or path"},
    )
    keep: KeepSection | None = Field(
        default=None,
        description="Whose weights are kept ([disk space](#disk-space)); those of other trials are removed when "
        "they have ended.",
        json_schema_extra={"unset": "the weights of every trial are kept"},
    )
    storage: Annotated[str, AfterValidator(checks.database_url)] | None = Field(
        default=None,
        description="Database URL of the study's storage ([several machines](#several-machines)).",
        json_schema_extra={"unset": "SQLite, `runs/<study>/study.db`"},
    )
    artifacts: Annotated[str, AfterValidator(checks.artifacts_url)] | None = Field(
        default=None,
        description="URL of a folder that every machine reaches, which gets a copy of all weights and checkpoints "
        "([artifacts](#artifacts)): `s3://bucket/prefix`, `gs://bucket/prefix` or `file:///folder`.",
        json_schema_extra={"unset": "they stay on the machine that trained them"},
    )
    start: Annotated[list[str], BeforeValidator(checks.listed)] = Field(
        default_factory=list,
        description="Genomes to train first: files relative to the study file, `zoo:NAME` or `STUDY#TRIAL` "
        "([known genomes](#known-genomes)).",
        json_schema_extra={"kind": "one REF, or list of REFs"},
    )
    space: dict[str, Any] = Field(
        description="The search space ([space](#space)), or `{preset: NAME}` ([presets](#presets))."
    )


# keys of earlier versions, and why each was removed
REMOVED: Mapping[tuple[str, str], str] = {
    ("screen", "start"): "it brought no gain",
    ("screen", "features"): "it brought no gain",
}

# which keys a mapping may have, by its address
KEYS = {
    (): list(Written.model_fields),
    ("data",): list(DataSection.model_fields),
    ("budget",): list(BudgetSection.model_fields),
    ("limits",): list(LimitsSection.model_fields),
    ("latency",): list(LatencySection.model_fields),
    ("exits",): list(ExitsSection.model_fields),
    ("sampler",): list(SamplerSection.model_fields),
    ("pruner",): list(PrunerSection.model_fields),
    ("screen",): list(ScreenSection.model_fields),
    ("train",): list(TrainSection.model_fields),
    ("finale",): list(FinaleSection.model_fields),
    ("keep",): list(KeepSection.model_fields),
    ("engine",): list(EngineSection.model_fields),
    ("engine", "ray"): list(RaySection.model_fields),
}


def objectives_of(written: Any) -> tuple[Objective, ...]:
    """Return the objectives; where none is written, that which suits the labels."""
    if "objectives" not in written.model_fields_set and written.data.multilabel:
        return (Objective("auc", MAXIMIZE),)
    return tuple(Objective(name, direction) for name, direction in written.objectives.items())
