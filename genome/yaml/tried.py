"""Several mistakes of one text, collected while its parts are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from genome.yaml.source import Source, SourceError


class Tried:
    """Reads parts of a text one after another, and collects what is wrong with each."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._mistakes: list[str] = []

    def __call__(self, reader: Callable[..., Any], *given: Any) -> Any:
        """Return what a reader makes of the source and what it is given; None where it refuses that."""
        try:
            return reader(self._source, *given)
        except SourceError as error:
            self._mistakes += str(error).splitlines()
            return None

    def key(self, top: Mapping[str, Any], key: str, reader: Callable[..., Any]) -> Any:
        """Return what a reader makes of a key of the document; None where it is missing or refused."""
        return self(reader, (key,), top[key]) if key in top else None

    def end(self) -> None:
        """Raise SourceError with all mistakes, by their line, if there were any."""
        if self._mistakes:
            raise SourceError("\n".join(in_order(self._source, self._mistakes)))


def in_order(source: Source, lines: Iterable[str]) -> tuple[str, ...]:
    """Lines that begin with `file:line  ` by their number, each once."""

    def number(line: str) -> int:
        return int(line.removeprefix(f"{source.path}:").partition(" ")[0])

    return tuple(sorted(dict.fromkeys(lines), key=number))
