"""Ranges as a study file has them: {one_of: [..]}, {int: [low, high, step]}, {float: [low, high, log]}."""

from __future__ import annotations

from typing import Any

from genome.domain import Domain, DomainError, Float, Int, OneOf
from genome.yaml.source import Address, Source, shown
from search.space.holes import Hole

FORMS = ("one_of", "int", "float")


def domain_of(source: Source, at: Address, label: str, value: dict[str, Any]) -> Domain:
    """Return the domain of a range as it is written. Raises SourceError, one sentence that begins with `label`."""
    form, *more = value or {"nothing": None}
    bounds = value.get(form)
    if more or form not in FORMS or not isinstance(bounds, list):
        raise source.error(
            at,
            f"{label} is {shown(value)}; a range is {{one_of: [..]}}, {{int: [low, high]}} or {{float: [low, high]}}",
        )
    try:
        if form == "one_of":
            if any(isinstance(b, list | dict) or b is None for b in bounds):
                raise DomainError(f"one_of {shown(bounds)} holds something other than words and numbers")
            return OneOf(*bounds)
        if form == "int" and len(bounds) in (2, 3):
            return Int(*bounds)
        if form == "float" and (len(bounds) == 2 or bounds[2:] == ["log"]):
            return Float(bounds[0], bounds[1], log=len(bounds) == 3)
    except DomainError as error:
        raise source.error(at, f"{label}: {error}") from None
    raise source.error(
        at,
        f"{label} is {shown(value)}; it may be {{int: [low, high]}} or {{float: [low, high]}}, with a step "
        "after the bounds of int, or the word log after those of float",
    )


def narrowed(name: str, domain: Domain, real: bool = False) -> Any:
    """Return a hole, or the one value where there is no choice."""
    one = domain.choices if isinstance(domain, OneOf) else (domain.low,) if domain.low == domain.high else ()
    if len(one) == 1:
        return float(one[0]) if real else one[0]
    return Hole(name, domain, real or isinstance(domain, Float))


def with_real_choices(source: Source, at: Address, label: str, domain: Domain) -> Domain:
    """Return the domain with real numbers as its choices where it has a list of numbers."""
    if not isinstance(domain, OneOf) or any(type(c) not in (int, float) for c in domain.choices):
        return domain
    try:
        return OneOf(*(float(c) for c in domain.choices))
    except DomainError as error:
        raise source.error(at, f"{label}: {error}") from None


def written(domain: Domain) -> dict[str, list[Any]]:
    """Return a domain as `domain_of` reads it."""
    if isinstance(domain, OneOf):
        return {"one_of": list(domain.choices)}
    if isinstance(domain, Int):
        return {"int": [domain.low, domain.high, *([domain.step] if domain.step > 1 else [])]}
    return {"float": [domain.low, domain.high, *(["log"] if domain.log else [])]}
