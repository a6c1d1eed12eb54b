"""Domains of the genome as questions to Optuna: one name, one distribution, for the life of a study."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from genome.domain import Domain, Float, Int

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

Ask: TypeAlias = Callable[[str, Domain], Any]


def distribution(domain: Domain) -> BaseDistribution:
    """Return the Optuna distribution whose values are exactly those of `domain`."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Int):
        return IntDistribution(domain.low, domain.high, step=domain.step)
    if isinstance(domain, Float):
        return FloatDistribution(domain.low, domain.high, log=domain.log)
    return CategoricalDistribution(list(domain.choices))


def asker(trial: optuna.Trial) -> Ask:
    """Return a function `ask(name, domain) -> value` that puts each question to an Optuna trial."""

    def ask(name: str, domain: Domain) -> Any:
        if isinstance(domain, Int):
            return trial.suggest_int(name, domain.low, domain.high, step=domain.step)
        if isinstance(domain, Float):
            return trial.suggest_float(name, domain.low, domain.high, log=domain.log)
        return trial.suggest_categorical(name, list(domain.choices))

    return ask
