"""Checks of the fields of a YAML document. Each raises one sentence with the place of the error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from genome.domain import Float, OneOf, PerAxis
from genome.yaml.source import Address, Source, SourceError, shown


def settled(source: Source, at: Address, label: str, legal: Any, value: Any) -> Any:
    """The value if it is legal. An integer is converted where a real number is expected, and two equal axes to one."""
    if isinstance(legal, Float) and type(value) is int:
        value = float(value)
    if isinstance(legal, PerAxis) and isinstance(value, list):
        value = legal.paired(value)
    if value not in legal:
        raise source.error(at, f"{label} is {shown(value)}{_hint(value, legal)}; it may be {legal}")
    return value


def _hint(value: Any, legal: Any) -> str:
    if isinstance(value, dict):
        return " (a range may only be in the space of a study)"
    if isinstance(value, float) and not isinstance(legal, Float | OneOf):
        return " (not a whole number)"
    if isinstance(value, str) and not isinstance(legal, OneOf) and re.match(r"[-+.\d]", value):
        return " (a text, not a number)"
    if (
        isinstance(value, str)
        and value in ("on", "off", "yes", "no")
        and True in getattr(legal, "choices", ())
    ):
        return " (a text; booleans are true and false)"
    return ""


def title(source: Source, at: Address, value: Any) -> str:
    """The name of a genome: one line of text."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 200:
        raise source.error(at, f"{'.'.join(map(str, at))} is {shown(value)}; it must be one line of text")
    return value


def node_name(source: Source, at: Address, label: str, value: Any) -> str:
    """The name of a node: a string."""
    if not isinstance(value, str):
        raise source.error(at, f"{label} names {shown(value)}; it must be the name of a node")
    return value


def named(source: Source, at: Address, label: str, value: Any, known: Iterable[str]) -> str:
    """The name of an existing node."""
    name = node_name(source, at, label, value)
    if name not in known:
        raise source.error(at, f"{label} names {shown(name)}, which is no node{near(name, known)}")
    return name


def mapping(source: Source, at: Address, value: Any, what: str) -> dict[str, Any]:
    """A YAML mapping."""
    if not isinstance(value, dict):
        raise source.error(at, f"{'.'.join(map(str, at)) or 'the file'} is {shown(value)}; it must be {what}")
    return value


def fields(
    source: Source, at: Address, value: Any, allowed: tuple[str, ...], required: tuple[str, ...]
) -> dict[str, Any]:
    """A mapping with these keys and no others."""
    given = mapping(source, at, value, f"a mapping of {', '.join(allowed)}")
    label = "".join(f"{part}." for part in at)
    wrong = {
        key: f"{label}{shown(key)} is not known{near(key, allowed)}; it may be {', '.join(allowed)}"
        for key in given
        if key not in allowed
    }
    meant = {closest(key, allowed) for key in wrong}  # is misspelt, not missing
    missing = {
        key: f"{label}{key} is missing; write `{key}: ..`"
        for key in required
        if key not in given and key not in meant
    }
    refuse(source, at, wrong | missing)
    return given


def refuse(source: Source, at: Address, wrong: Mapping[str, str]) -> None:
    """Raise SourceError with these sentences about keys of a mapping, if there are any."""
    if wrong:
        raise SourceError("\n".join(str(source.error((*at, key), message)) for key, message in wrong.items()))


def near(key: Any, known: Iterable[str]) -> str:
    """` (word?)` if a known word is close to `key`, else nothing."""
    found = closest(key, known)
    return f" ({found}?)" if found else ""


def closest(key: Any, known: Iterable[str]) -> str | None:
    """The known word that is spelt nearly as `key`, if any is."""
    found = difflib.get_close_matches(key, list(known), n=1) if isinstance(key, str) else []
    return found[0] if found else None
