"""A filter of trials as an expression, such as `op=clique and params<100k and seeds>=3`: a small language of its own.

    expression: term or term ..        term: factor and factor ..
    factor: not factor, (expression), or a comparison: NAME = VALUE, also != < <= > >= and ~ (contains)

A name is a column of the table, or `op` (a node type of the genome) or `tag`. A comparison with a value that a trial
lacks is false. Nothing of an expression is ever run as code.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from genome.op import words as node_types
from search.dashboard.studies.amount import amount
from search.dashboard.studies.columns import ANSWER, COLUMNS, LIST, MOMENT, NUMBER, TEXT, value_of

if TYPE_CHECKING:
    from search.dashboard.studies.snapshot import Snapshot
    from search.dashboard.studies.trial_view import TrialView

LONGEST = 500  # characters of an expression
EARLIEST = "0001-01-01 00:00:00"  # what a date has where its later parts are left out
DEEPEST = 20  # parentheses and `not` inside each other
ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
SIGNS = ("=", "!=", *ORDERED, "~")
OP, TAG = "op", "tag"  # names beside those of the columns
NAMES = (*COLUMNS, OP, TAG)
_TOKEN = re.compile(
    r"""\s*(?:(?P<sign><=|>=|!=|==|[=<>~])|(?P<bracket>[()])|"(?P<quoted>[^"]*)"|(?P<word>[^\s()<>=!~"]+)|(?P<wrong>\S))"""
)

Test = Callable[["Snapshot", "TrialView"], bool]
_MOMENT = re.compile(r"\d{4}(-\d\d(-\d\d( \d\d(:\d\d(:\d\d)?)?)?)?)?", re.ASCII)


class ExpressionError(ValueError):
    """An expression that is not valid; the message is one sentence with the place."""


class Token(NamedTuple):
    """A word, a quoted text, a sign or a bracket."""

    kind: str
    text: str
    at: int  # of its first character, from 1


def parse(text: str) -> Test:
    """Return the test that an expression describes. Raises ExpressionError."""
    if len(text) > LONGEST:
        raise ExpressionError(f"it has {len(text)} characters; it may have {LONGEST}")
    parser = _Parser(_tokens(text), len(text) + 1)
    test = parser.either(0)
    if rest := parser.peek():
        raise _wrong(rest.at, f"{rest.text!r} follows a whole comparison; write `and` or `or` between two")
    return test


def _tokens(text: str) -> list[Token]:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        assert match is not None and match.lastgroup is not None
        kind, word, start = match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1
        if kind == "wrong":
            says = "a quote has no end" if word == '"' else f"{word!r} has no meaning here"
            raise _wrong(start, says)
        found.append(Token(kind, word, start))
        at = match.end()
    return found


def _wrong(at: int, says: str) -> ExpressionError:
    return ExpressionError(f"at character {at}: {says}")


@dataclass
class _Parser:
    """Reads tokens from the left, one function for each rule of the language."""

    tokens: list[Token]
    end: int  # the place after the last character

    def peek(self) -> Token | None:
        return self.tokens[0] if self.tokens else None

    def either(self, depth: int) -> Test:
        tests = [self.both(depth)]
        while self._take("or"):
            tests.append(self.both(depth))
        return tests[0] if len(tests) == 1 else lambda s, t: any(test(s, t) for test in tests)

    def both(self, depth: int) -> Test:
        tests = [self.factor(depth)]
        while self._take("and"):
            tests.append(self.factor(depth))
        return tests[0] if len(tests) == 1 else lambda s, t: all(test(s, t) for test in tests)

    def factor(self, depth: int) -> Test:
        if depth > DEEPEST:
            raise _wrong(self.tokens[0].at if self.tokens else self.end, "it is nested too deeply")
        if self._take("not"):
            inner = self.factor(depth + 1)
            return lambda s, t: not inner(s, t)
        if opened := self._take("("):
            inner = self.either(depth + 1)
            if not self._take(")"):
                raise _wrong(opened.at, "this parenthesis is not closed")
            return inner
        return self.comparison()

    def comparison(self) -> Test:
        name = self._next("the name of a column")
        if name.kind != "word" or name.text not in NAMES:
            raise _wrong(name.at, f"{name.text[:40]!r} is no column; the columns are {', '.join(NAMES)}")
        sign = self._next(f"a sign after {name.text}: {' '.join(SIGNS)}")
        if sign.kind != "sign":
            raise _wrong(sign.at, f"{name.text} needs a sign after it: {' '.join(SIGNS)}")
        value = self._next(f"a value after {name.text} {sign.text}")
        if value.kind not in ("word", "quoted"):
            raise _wrong(value.at, f"{name.text} {sign.text} needs a value after it")
        return _comparison(name, "=" if sign.text == "==" else sign.text, value)

    def _take(self, text: str) -> Token | None:
        """Take the next token where it is this word or bracket."""
        if self.tokens and self.tokens[0].kind in ("word", "bracket") and self.tokens[0].text.lower() == text:
            return self.tokens.pop(0)
        return None

    def _next(self, wanted: str) -> Token:
        if not self.tokens:
            raise _wrong(self.end, f"it ends where {wanted} is needed")
        return self.tokens.pop(0)


def _comparison(name: Token, sign: str, value: Token) -> Test:
    kind = LIST if name.text in (OP, TAG) else COLUMNS[name.text].kind
    if kind in (TEXT, LIST, ANSWER) and sign in ORDERED:
        signs = "= or !=" if kind == ANSWER else "=, != or ~"
        raise _wrong(name.at, f"{name.text} is {kind}, which has no order; use {signs}")
    if kind in (NUMBER, ANSWER) and sign == "~":
        raise _wrong(name.at, f"{name.text} is {kind}; ~ looks into texts")
    get = _getter(name.text)
    holds = _holds(kind, sign, _value(kind, name, value))
    words = node_types() if name.text == OP else COLUMNS[name.text].words if name.text in COLUMNS else ()
    if words and sign != "~" and value.text.casefold() not in words:
        raise _wrong(value.at, f"{name.text} is {', '.join(words)}, and never {value.text[:40]!r}")

    def test(snapshot: Snapshot, trial: TrialView) -> bool:
        found = get(snapshot, trial)
        return found is not None and holds(found)

    return test


def _getter(name: str) -> Callable[[Snapshot, TrialView], Any]:
    if name == OP:
        return lambda snapshot, trial: trial.ops
    return lambda snapshot, trial: value_of(snapshot, trial, "tags" if name == TAG else name)


def _value(kind: str, name: Token, value: Token) -> Any:
    """What a column is compared with, in the form of the column's values."""
    if kind == NUMBER:
        found = amount(value.text)
        if found is None:
            says = f"{name.text} is a number, and {value.text[:40]!r} is none; write 0.95, 1e5 or 100k"
            raise _wrong(value.at, says)
        return found
    if kind == MOMENT and not _is_moment(value.text):
        says = (
            f'{name.text} is a date, and {value.text[:40]!r} is none; write 2026-11-30 or "2026-11-30 20:15"'
        )
        raise _wrong(value.at, says)
    if kind == ANSWER:
        if value.text.lower() not in ("yes", "no"):
            raise _wrong(value.at, f"{name.text} is yes or no, not {value.text[:40]!r}")
        return value.text.lower() == "yes"
    return value.text.casefold()


def _is_moment(text: str) -> bool:
    """Whether a text is a date, or one with a time, that the calendar has; later parts may be left out."""
    with suppress(ValueError):
        return bool(_MOMENT.fullmatch(text) and datetime.fromisoformat(text + EARLIEST[len(text) :]))
    return False


def _holds(kind: str, sign: str, wanted: Any) -> Callable[[Any], bool]:
    """Return the test of a value that a trial has."""
    if sign == "!=":
        equal = _holds(kind, "=", wanted)
        return lambda found: not equal(found)
    if kind == LIST:
        return lambda found: any(wanted == word if sign == "=" else wanted in word for word in _words(found))
    if sign == "~":
        return lambda found: wanted in _written(found)
    compare: Callable[[Any, Any], bool] = ORDERED.get(sign, operator.eq)
    if kind == MOMENT:  # as exactly as it is given: a whole day, an hour, a second
        return lambda found: compare(_written(found)[: len(wanted)], wanted)
    return lambda found: compare(_written(found) if kind == TEXT else found, wanted)


def _written(found: Any) -> str:
    return (
        found.isoformat(sep=" ", timespec="seconds") if isinstance(found, datetime) else str(found).casefold()
    )


def _words(found: Any) -> list[str]:
    """The elements of a list, or the pairs of a recipe as key=value."""
    items = [f"{key}={one}" for key, one in found.items()] if isinstance(found, Mapping) else found
    return [str(one).casefold() for one in items]
