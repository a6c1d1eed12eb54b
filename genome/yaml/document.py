"""One YAML document as plain values with their line numbers, built from the parser's events.

The events are read one by one onto an explicit stack, without recursion and into plain values only. Depth, size and
aliases are therefore bounded while reading, and no tag can run code.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from genome.yaml.scalar import Scalar, ScalarError, scalar

Address = tuple[str | int, ...]

MAX_DEPTH = 64
MAX_VALUES = 100_000

_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    _TAG + "int": (int,),
    _TAG + "float": (int, float),
    _TAG + "bool": (bool,),
    _TAG + "null": (type(None),),
}
_MISSING = object()  # no key is waiting for its value


class DocumentError(ValueError):
    """A document that is not allowed. The message is one sentence; `line` is 1-based."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True)
class Document:
    """The values of a document and their lines."""

    value: Any
    lines: dict[Address, int]  # the 1-based line of the key or list item at each address


@dataclass(frozen=True)
class _Anchored:
    """The value of an anchor, with its size, which is needed before the value is copied."""

    value: Any
    values: int  # how many values it holds, itself included
    height: int  # how many levels it has


@dataclass
class _Open:
    """A mapping or list that is still being read."""

    value: Any
    address: Address
    anchor: str | None
    values_before: int
    height: int = 1
    key: Any = _MISSING


@dataclass
class _Reader:
    lines: dict[Address, int] = field(default_factory=dict)
    anchors: dict[str, _Anchored] = field(default_factory=dict)
    open: list[_Open] = field(default_factory=list)
    values: int = 0
    document: Document | None = None

    def begin_document(self, event: Any) -> None:
        if self.document is not None:
            raise DocumentError(
                event.start_mark.line + 1, "a second document begins here; a file holds one document"
            )

    def begin(self, event: Any, value: Any) -> None:
        line = event.start_mark.line + 1
        if self._awaits_key():
            raise DocumentError(line, "a list or mapping is used as a key; a key is one word")
        if len(self.open) >= MAX_DEPTH:
            raise DocumentError(line, too_deep())
        self._count(1, line)
        address = self._mark(line)
        if event.tag not in (None, "!", _TAG + ("map" if isinstance(value, dict) else "seq")):
            raise DocumentError(line, _refused(event.tag, address))
        self.open.append(_Open(value, address, event.anchor, self.values))

    def end(self) -> None:
        done = self.open.pop()
        held = self.values - done.values_before + 1
        if done.anchor:
            self.anchors[done.anchor] = _Anchored(done.value, held, done.height)
        self._put(done.value, done.height)

    def scalar(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if self._awaits_key():
            self._key(event, line)
            return
        self._check_missing_space(event, line)
        self._count(1, line)
        value = _value(event, line, self._mark(line))
        if event.anchor:
            self.anchors[event.anchor] = _Anchored(value, 1, 0)
        self._put(value, 0)

    def alias(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if self._awaits_key():
            raise DocumentError(line, f"the alias *{event.anchor} is used as a key; write the word itself")
        found = self.anchors.get(event.anchor)
        if found is None:
            raise DocumentError(
                line, f"the alias *{event.anchor} has no complete value above it; write the value itself"
            )
        if len(self.open) + found.height > MAX_DEPTH:
            raise DocumentError(line, too_deep())
        self._count(found.values, line)
        self._mark(line)
        self._put(_copy(found.value), found.height)

    def _awaits_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].value, dict) and self.open[-1].key is _MISSING

    def _key(self, event: Any, line: int) -> None:
        mapping = self.open[-1]
        if event.value == "<<" and event.implicit[0]:
            raise DocumentError(line, "`<<` is not supported; write the merged keys themselves")
        key = _value(event, line, mapping.address)
        if not isinstance(key, str):
            raise DocumentError(line, f"the key {event.value or 'of this line'} is {kind(key)}; {_QUOTE_KEY}")
        if key in mapping.value:
            first = self.lines[(*mapping.address, key)]
            raise DocumentError(
                line, f"the key {shown(key)} is here twice (first on line {first}); remove one"
            )
        if event.anchor:
            self.anchors[event.anchor] = _Anchored(key, 1, 0)
        self.lines[(*mapping.address, key)] = line
        mapping.key = key

    def _check_missing_space(self, event: Any, line: int) -> None:
        key = self.open[-1].key if self.open else None
        if isinstance(key, str) and ":" in key and event.value == "" and event.implicit[0]:
            raise DocumentError(line, f"{shown(key)} has no value; put a space after the colon")

    def _count(self, more: int, line: int) -> None:
        self.values += more
        if self.values > MAX_VALUES:
            raise DocumentError(line, f"more than {MAX_VALUES:,} values (aliases count in full); write less")

    def _mark(self, line: int) -> Address:
        """Return the address of the value that begins here, and record its line if it is a list item."""
        if not self.open:
            self.lines[()] = line
            return ()
        above = self.open[-1]
        if isinstance(above.value, dict):
            return (*above.address, above.key)  # its line is that of the key
        address = (*above.address, len(above.value))
        self.lines[address] = line
        return address

    def _put(self, value: Any, height: int) -> None:
        if not self.open:
            self.document = Document(value, self.lines)
            return
        above = self.open[-1]
        above.height = max(above.height, height + 1)
        if isinstance(above.value, dict):
            above.value[above.key] = value
            above.key = _MISSING
        else:
            above.value.append(value)


_QUOTE_KEY = 'keys are words: write a word, or quote it, as "1"'


def document(events: Iterable[Any]) -> Document | None:
    """The document of these events, or None if there is none, as in an empty file.

    Raises:
        DocumentError: a document that is not allowed.
    """
    reader = _Reader()
    for event in events:
        match event:
            case yaml.ScalarEvent():
                reader.scalar(event)
            case yaml.MappingStartEvent():
                reader.begin(event, {})
            case yaml.SequenceStartEvent():
                reader.begin(event, [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                reader.end()
            case yaml.AliasEvent():
                reader.alias(event)
            case yaml.DocumentStartEvent():
                reader.begin_document(event)
    return reader.document


def kind(value: Any) -> str:
    """The kind of a plain value for an error message, such as "a number" or "a mapping"."""
    match value:
        case None:
            return "empty"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a word"
        case dict():
            return "a mapping"
        case _:
            return "a list"


def shown(value: Any, width: int = 60) -> str:
    """A value from a file as YAML text, on one line of at most `width` characters."""
    text = "empty" if value is None else "''" if value == "" else _as_yaml(value)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: width + 1])
    return text if len(text) <= width else text[: width - 3] + "..."


def _as_yaml(value: Any) -> str:
    match value:
        case None | bool():
            return str(value).lower().replace("none", "null")
        case dict():
            return "{" + ", ".join(f"{key}: {_as_yaml(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_as_yaml, value)) + "]"
        case _:
            return str(value)


def _value(event: Any, line: int, address: Address) -> Scalar:
    """The value of a scalar event: quoted text is a string, and a plain word has the value of the core schema."""
    tag, text = event.tag, event.value
    try:
        if tag is None:
            return scalar(text) if event.implicit[0] else str(text)
        if tag in ("!", _TAG + "str"):
            return str(text)
        if tag in _SCALAR_TAGS:
            value = scalar(text)
            if type(value) in _SCALAR_TAGS[tag]:
                return float(value) if tag == _TAG + "float" and value is not None else value
    except ScalarError as error:
        raise DocumentError(line, _at(address, str(error))) from None
    raise DocumentError(line, _refused(tag, address))


def too_deep() -> str:
    """Return the refusal of a document that nests deeper than MAX_DEPTH."""
    return f"values nest deeper than {MAX_DEPTH}; a study or genome needs fewer levels"


def spelled(address: Address) -> str:
    """An address as text: `nodes.s1.in[0]`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in address)
    return shown("".join(parts).removeprefix(".")) if address else ""


def _at(address: Address, sentence: str) -> str:
    return f"{spelled(address)}: {sentence}" if address else sentence


def _refused(tag: str, address: Address) -> str:
    name = shown(tag.replace(_TAG, "!!"))
    return _at(address, f"the tag {name} is not supported; write the plain value without a tag")


def _copy(value: Any) -> Any:
    """Copy a value of bounded depth, so that two places never share a list or mapping."""
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_copy(inner) for inner in value]
    return value
