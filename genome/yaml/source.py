"""YAML from outside, as plain values that remember the file and line they came from.

The one border where text enters: bounded in size, depth and aliases, numbers as in YAML 1.2, and every
refusal one sentence with its place. Nothing in a file is ever run.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from genome.yaml.document import Address, DocumentError, document, kind, shown, spelled, too_deep

__all__ = ["Address", "Source", "SourceError", "kind", "parse", "read", "shown", "spelled"]

MAX_BYTES = 2**20

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is about ten times faster
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML counts as the end of a line

# The scanner looks ahead on a line, so a parser with a limit of its own (libyaml of PyYAML 6.0.4: 1,000 levels) may
# refuse before it has yielded the 65th level.
_TOO_DEEP = re.compile("nesting (depth|level)", re.IGNORECASE)

_HINTS = (  # the parser's words -> ours; the first that is found speaks
    ("mapping values are not allowed", "a second `:` on the line; quote the text, or begin a new line"),
    ("did not find expected ',' or", "a comma, `]` or `}` is missing"),
    ("expected ',' or", "a comma, `]` or `}` is missing"),
    ("could not find expected ':'", "a key without `: `; write `key: value`"),
    ("did not find expected key", "a key was expected; align it with its neighbours, or close the brackets"),
    ("did not find expected '-'", "a `- ` was expected; align it with its neighbours"),
    ("expected <block end>", "something other than a key or `- ` stands here; align it with its neighbours"),
    ("unexpected end of stream", "a quote is not closed"),
    ("undefined tag handle", "a tag does not belong here; write the plain value, without a tag"),
    ("cannot start any token", "this character cannot begin a value; quote the text"),
)


class SourceError(ValueError):
    """Text that cannot be accepted; the message is complete: `file:line  what was found; what is allowed`."""


@dataclass(frozen=True)
class Source:
    """The values of one YAML file, and where each stands.

    `value` holds dict, list, str, int, float, bool and None only. `lines` maps an address, such as
    `("nodes", "s1", "in", 0)`, to the 1-based line of its key or item; `()` is the document.
    """

    path: str
    value: Any
    lines: Mapping[Address, int]

    def place(self, *address: str | int) -> str:
        """Return `file:line` of an address, or of the nearest one above it that the file holds."""
        for length in range(len(address), -1, -1):
            line = self.lines.get(address[:length])
            if line is not None:
                return f"{self.path}:{line}"
        return f"{self.path}:1"

    def error(self, address: Address, message: str) -> SourceError:
        """Return (not raise) the error that says `message` at the place of an address."""
        return SourceError(f"{self.place(*address)}  {message}")


def read(path: str | os.PathLike[str]) -> Source:
    """Read a YAML file of at most 1 MiB.

    Raises SourceError for a file that is absent, unreadable, binary, or not allowed as `parse` says.
    """
    name = _name(path)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SourceError(f"{name}  there is no such file{_near(Path(path))}") from None
    except IsADirectoryError:
        raise SourceError(f"{name}  this is a folder; name a YAML file in it") from None
    except PermissionError:
        raise SourceError(f"{name}  this file may not be read; change its permissions") from None
    except OSError as error:
        raise SourceError(f"{name}  this file cannot be read ({error.strerror})") from None
    except ValueError:
        raise SourceError(f"{name}  this is not a file name; name a YAML file") from None
    return parse(data, path=name)


def parse(text: str | bytes, path: str = "<text>") -> Source:
    """Parse YAML text whose top level is a mapping.

    Numbers, booleans and nulls are those of YAML 1.2's core schema. Aliases are copied, up to 100,000
    values in all. Raises SourceError for anything else: syntax, tags, keys that repeat or are no
    strings, merges, several documents, more than 64 levels or 1 MiB.
    """
    try:
        found = document(_events(_text(text)))
    except DocumentError as error:
        raise SourceError(f"{path}:{error.line}  {error}") from None
    if found is None or found.value is None:
        raise SourceError(f"{path}:1  the file is empty; begin with `study: NAME` or `genome: NAME`")
    if not isinstance(found.value, dict):
        raise SourceError(
            f"{path}:{found.lines[()]}  the file holds {_found(found.value)}; "
            "begin with `study: NAME` or `genome: NAME`"
        )
    return Source(path, found.value, found.lines)


def _found(value: Any) -> str:
    return kind(value) if isinstance(value, list) or value is None else f"only {kind(value)}"


def _name(path: str | os.PathLike[str]) -> str:
    """A path on one line, whole."""
    return shown(os.fspath(path), width=4096)


def _near(path: Path) -> str:
    """Name the files of the same folder that are spelt nearly so, or say that the folder is missing."""
    if not path.parent.is_dir():
        return f"; nor is there a folder {_name(path.parent)}"
    try:
        names = [entry.name for entry in os.scandir(path.parent) if entry.name.endswith((".yaml", ".yml"))]
    except OSError:
        return ""
    stems = {Path(name).stem: name for name in names}  # equal endings make no names alike
    close = difflib.get_close_matches(path.stem, stems, n=1)
    return f"; did you mean {_name(path.parent / stems[close[0]])}?" if close else ""


def _text(data: str | bytes) -> str:
    """Decode UTF-8, with or without its mark, and refuse what is too large or no text."""
    if len(data) > MAX_BYTES:
        raise DocumentError(
            1, f"the file is larger than {MAX_BYTES:,} bytes; it should hold text of a few KB"
        )
    if isinstance(data, bytes):
        data = _decode(data)
    text = data.removeprefix("\ufeff")
    if wrong := _UNPRINTABLE.search(text):
        sentence = f"the character U+{ord(wrong[0]):04X} stands here; the file must be plain text"
        raise DocumentError(_line_at(text, wrong.start()), sentence)
    return text


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DocumentError(1, "the file is UTF-16; save it as UTF-8")
    if b"\0" in data:
        raise DocumentError(1, "the file is binary; name a YAML file")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        sentence = f"the byte 0x{data[error.start]:02X} is not UTF-8; save the file as UTF-8"
        raise DocumentError(_line_at(before, len(before)), sentence) from None


def _line_at(text: str, offset: int) -> int:
    return 1 + len(_BREAK.findall(text, 0, offset))


def _events(text: str) -> Iterator[Any]:
    """Yield the parser's events; its own errors come out as DocumentError."""
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, text) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # no mark; the last two from "\U99999999"
        raise DocumentError(1, f"this is not YAML ({shown(str(error).splitlines()[0])})") from None


def _syntax(error: yaml.MarkedYAMLError, text: str) -> DocumentError:
    mark, problem = error.problem_mark or error.context_mark, error.problem or "unexpected text"
    lines = _BREAK.split(text)
    line = min(mark.line, len(lines) - 1) if mark else 0
    if _TOO_DEEP.search(problem):
        return DocumentError(line + 1, too_deep())
    if mark and mark.line < len(lines) and _is_tab(lines[line], mark.column):
        return DocumentError(line + 1, "a tab stands where spaces belong; indent with spaces")
    hint = next((ours for theirs, ours in _HINTS if theirs in problem), problem)
    begun = error.context_mark.line + 1 if error.context_mark else line + 1
    since = "" if begun == line + 1 else f" (in what begins on line {begun})"
    return DocumentError(line + 1, f"not YAML: {hint}{since}")


def _is_tab(line: str, column: int) -> bool:
    return "\t" in line[: column + 1] and not line[:column].strip()
