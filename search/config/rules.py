"""Rules between the keys of a study file: what each of them alone may hold is in the schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from search.pruners import registry as pruners
from search.pruners.brackets import is_too_early, usual_rungs
from search.samplers import registry as samplers

if TYPE_CHECKING:
    from search.config.study import StudyConfig


HOLES = "holes of train"  # in place of a key: a rule may read them where other parts of `train:` are wrong


class Rule(NamedTuple):
    """One rule."""

    # keys of the file that it reads
    keys: frozenset[str]
    # where a study that breaks it is wrong
    address: tuple[str, ...]
    # the sentence for such a study; None for one that keeps the rule
    complaint: Callable[[StudyConfig], str | None]


def _late_rung(config: StudyConfig) -> str | None:
    rungs, epochs = config.budget.rungs, config.recipe.epochs
    if not rungs or rungs[-1] <= epochs:
        return None
    return f"budget.rungs has epoch {rungs[-1]} and training ends at {epochs}; give rungs of 1..{epochs}"


def _batch_without_limit(config: StudyConfig) -> str | None:
    if not config.train.auto_batch or config.budget.memory is not None:
        return None
    return (
        "train.batch is auto, the largest that fits into budget.memory, and there is none; add it, such as "
        "`budget: {memory: 4GiB}`, or give a number"
    )


def _early_rung(config: StudyConfig) -> str | None:
    rungs, epochs = config.budget.rungs, config.recipe.epochs
    if not rungs or not pruners.entry(config.pruner).pauses or not is_too_early(rungs[0], epochs):
        return None
    usual = ", ".join(map(str, usual_rungs(epochs)))
    return (
        f"budget.rungs has epoch {rungs[0]}, under a tenth of {epochs}, where ranks say little of the end; "
        f"give {config.pruner} later ones, such as [{usual}], or none"
    )


def _no_parents(config: StudyConfig) -> str | None:
    if not config.inherits or samplers.entry(config.sampler).names_parents:
        return None
    return f"inherit is true, and {config.sampler} makes no genome from those of trials; use sampler: evolve"


def _inherits_over_folds(config: StudyConfig) -> str | None:
    if not config.inherits or config.data.folds is None:
        return None
    return "inherit is true with folds; the weights of a parent have seen images of all folds but one, so take one out"


def _removes_parents(config: StudyConfig) -> str | None:
    if not config.inherits or config.keep is None or config.keep.rest:
        return None
    return "keep removes weights, and inherit is true, so that any trial may be a parent; take keep or inherit out"


def _no_candidates(config: StudyConfig) -> str | None:
    if config.screen is None or samplers.entry(config.sampler).proposes:
        return None
    able = ", ".join(samplers.proposing())
    return f"screen is for samplers that propose genomes: {able}; sampler is {config.sampler}"


def _unfit_sampler(config: StudyConfig) -> str | None:
    unfit = samplers.entry(config.sampler).complaint(len(config.objectives), config.space.holes)
    return f"sampler is {unfit}" if unfit else None


def _missing_runtime(config: StudyConfig) -> str | None:
    return config.latency.missing_runtime() if config.measures_latency else None


def _too_many_threads(config: StudyConfig) -> str | None:
    return config.latency.unmet_threads() if config.measures_latency else None


def _latency_for_nothing(config: StudyConfig) -> str | None:
    if config.measures_latency or not _is_written(config, "latency"):
        return None
    return (
        "latency says how to measure a latency, and neither objectives nor limits name one; "
        "add `limits: {latency: 5ms}` or an objective, or remove it"
    )


def _is_written(config: StudyConfig, key: str) -> bool:
    """Whether the file has a key; its value may be the default."""
    return config.source.value.get(key) is not None


def _exits_for_nothing(config: StudyConfig) -> str | None:
    if config.stopping or not _is_written(config, "exits"):
        return None
    return (
        "exits has no effect without the objective expected_macs or expected_latency; add one, or remove it"
    )


def _foreign_target(config: StudyConfig) -> str | None:
    names = [objective.name for objective in config.objectives]
    if not (wrong := [name for name in config.until if name not in names]):
        return None
    return f"until has {wrong[0]}, which is no objective of the study; it may have {', '.join(names)}"


def _stops_over_labels(config: StudyConfig) -> str | None:
    if not config.stopping or not config.data.reading.multilabel:
        return None
    return (
        f"objectives has {config.stopping[0]}, and images have several labels (multilabel); the rules of leaving early "
        "are of one class an image, so take it out"
    )


def _samples_over_labels(config: StudyConfig) -> str | None:
    if not config.data.reading.multilabel or "sampling" not in config.train.values("balance"):
        return None
    return (
        "train.balance has sampling, and images have several labels (multilabel), so that no order shows all of them "
        "equally often; balance: weights weighs them"
    )


RULES = (
    Rule(frozenset({"budget", "train"}), ("budget", "rungs"), _late_rung),
    Rule(frozenset({"budget", "train"}), ("train", "batch"), _batch_without_limit),
    Rule(frozenset({"budget", "train", "pruner"}), ("budget", "rungs"), _early_rung),
    Rule(frozenset({"inherit", "sampler"}), ("inherit",), _no_parents),
    Rule(frozenset({"inherit", "valid"}), ("inherit",), _inherits_over_folds),
    Rule(frozenset({"inherit", "keep"}), ("keep",), _removes_parents),
    Rule(frozenset({"screen", "sampler"}), ("screen",), _no_candidates),
    Rule(frozenset({"latency", "limits", "objectives"}), ("latency", "runtime"), _missing_runtime),
    Rule(frozenset({"latency", "limits", "objectives"}), ("latency", "threads"), _too_many_threads),
    Rule(frozenset({"latency", "limits", "objectives"}), ("latency",), _latency_for_nothing),
    Rule(frozenset({"until", "objectives"}), ("until",), _foreign_target),
    Rule(frozenset({"exits", "objectives"}), ("exits",), _exits_for_nothing),
    Rule(frozenset({"objectives", "data"}), ("objectives",), _stops_over_labels),
    Rule(frozenset({"train", "data", HOLES}), ("train", "balance"), _samples_over_labels),
    Rule(frozenset({"sampler", "objectives", "space", "data", HOLES}), ("sampler",), _unfit_sampler),
)
