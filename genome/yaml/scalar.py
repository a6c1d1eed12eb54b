"""The value of a plain (unquoted) word of YAML, by the core schema of YAML 1.2.

PyYAML follows YAML 1.1, where `1e-3` is a string, `on` and `no` are booleans and `1:30` is ninety.
Here `1e-3` is a number, `on`, `no`, `1:30` and `2024-01-01` are strings, and `500_000` is a number.
"""

import math
import re

Scalar = str | int | float | bool | None

WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
LOWEST, HIGHEST = -(2**63), 2**63 - 1  # the integers that SQLite stores exactly

_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_INT = re.compile(rf"[-+]?{_DIGITS}")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(rf"[-+]?(?:\.{_DIGITS}|{_DIGITS}(?:\.(?:{_DIGITS})?)?)(?:[eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")


class ScalarError(ValueError):
    """A word that looks like a number and is not allowed. The message is one sentence."""


def scalar(text: str) -> Scalar:
    """The value of a plain word: None, a boolean, an integer, a finite float, or the word itself.

    Raises:
        ScalarError: `010` (8 in YAML 1.1, 10 in YAML 1.2), .inf, .nan, a float that exceeds 64 bits, an integer
            outside -2**63..2**63-1.
    """
    if text in WORDS:
        return WORDS[text]
    if text[0] not in "+-.0123456789":  # most words end here, without the five patterns below
        return text
    if _LEADING_ZERO.fullmatch(text):
        raise ScalarError(
            f"{text[:60]} begins with a zero; write 10 for ten, 0o10 for eight, or quotes around a name"
        )
    if _BASED.fullmatch(text):
        return _integer(text, 16 if text[1] == "x" else 8)
    if _INT.fullmatch(text):
        return _integer(text, 10)
    if _ENDLESS.fullmatch(text):
        raise ScalarError(f"{text} is not a finite number; write a finite one, or omit the key")
    if _FLOAT.fullmatch(text):
        return _float(text)
    return text


def _integer(text: str, base: int) -> int:
    value = int(text, base) if len(text) <= 100 else HIGHEST + 1  # int() of 5,000 digits raises
    if not LOWEST <= value <= HIGHEST:
        raise ScalarError(f"{text[:24]}... has {len(text)} characters; an integer may be -2**63..2**63-1")
    return value


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ScalarError(f"{text[:60]} is too large; a number may be up to 1.7e308")
    return value
