"""pydantic's findings in a study file as our sentences, each with its line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from genome.yaml.source import Source, shown

# pydantic's type of error -> what is allowed, in our words
_ALLOWED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text; quote it",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
}


def lines(
    source: Source, findings: Sequence[Mapping[str, Any]], keys: Mapping[tuple[str, ...], Sequence[str]]
) -> list[str]:
    """Return one line `file:line  address: found; allowed` for each finding, in the order of the file.

    `keys` says which keys a mapping may have, by its address.
    """
    placed = []
    for finding in findings:
        address = _in_file(source, finding["loc"])
        line = f"{source.place(*address)}  {_sentence(address, finding, keys)}"
        placed.append((_line_number(source, address), line))
    return [line for _, line in sorted(placed, key=lambda pair: pair[0])]


def _in_file(source: Source, loc: Sequence[str | int]) -> tuple[str | int, ...]:
    """Drop the parts of a location that pydantic adds for its own unions and validators; a key may look like one."""
    found, here = list[str | int](), source.value
    for part in loc:
        is_key = isinstance(here, Mapping) and part in here
        if is_key or not (isinstance(part, str) and "[" in part):
            found.append(part)
            here = here[part] if is_key or (isinstance(part, int) and isinstance(here, list)) else None
    return tuple(found)


def _line_number(source: Source, address: tuple[str | int, ...]) -> int:
    return int(source.place(*address).rpartition(":")[2])


def _sentence(
    address: tuple[str | int, ...], finding: Mapping[str, Any], keys: Mapping[tuple[str, ...], Sequence[str]]
) -> str:
    name, kind, found = ".".join(map(str, address)), finding["type"], finding["input"]
    if kind == "extra_forbidden":
        allowed = keys.get(tuple(map(str, address[:-1])), ())
        *above, key = map(str, address)
        place = ".".join(above)
        said = f"{place} has no key {key}" if place else f"{key} is not a key of a study"
        return f"{said}; {_near(key, allowed)}"
    if kind == "missing":
        return f"{name} is missing; add `{address[-1]}:`"
    if kind == "value_error":  # our own sentence; it names the last part of the address, or nothing
        return f"{name} {str(finding['ctx']['error']).removeprefix(f'{address[-1]} ')}"
    if kind in ("literal_error", "enum"):
        return f"{name} is {shown(str(found))}; it may be {finding['ctx']['expected'].replace(chr(39), '')}"
    if kind.startswith(("greater_than", "less_than")):
        return f"{name} is {found}; it must be {finding['msg'].removeprefix('Input should be ')}"
    allowed_words = "a name or a mapping" if address == ("data",) else _ALLOWED.get(kind)
    if allowed_words:
        return f"{name} is {shown(repr(found))}; it must be {allowed_words}"
    return f"{name} is {shown(repr(found))}; {finding['msg'][0].lower()}{finding['msg'][1:]}"


def _near(word: str, allowed: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, allowed, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed: {', '.join(allowed)}"
