"""A point of a search: a network, and the values of its recipe that are searched with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from genome import Genome
from genome.domain import Value

# keys of a recipe that a study searches, with their values
Searched: TypeAlias = Mapping[str, Value]

NOTHING_SEARCHED: Searched = MappingProxyType({})
MARK = "-"  # between the digests of network and recipe


class Point(NamedTuple):
    """A network, and the values of its recipe that are searched; none where the study has one recipe."""

    genome: Genome
    searched: Searched = NOTHING_SEARCHED


def digest_of(network: str, searched: Searched) -> str:
    """Return the digest of a point, given that of its network: the same where no value of the recipe is searched.

    Points of equal digests are the same training up to its seed.
    """
    if not searched:
        return network
    values = json.dumps(dict(searched), sort_keys=True)
    return f"{network}{MARK}{blake2b(values.encode(), digest_size=8).hexdigest()}"


def network_of(digest: str) -> str:
    """Return the digest of the network of a point, given the digest of the point."""
    return digest.partition(MARK)[0]


def told_recipe(searched: Searched) -> str:
    """Return values of a recipe in words, such as `lr=0.0316 batch=32`; real numbers have four digits."""
    return " ".join(f"{key}={_short(value)}" for key, value in searched.items())


def _short(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)
