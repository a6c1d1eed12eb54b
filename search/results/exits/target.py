"""The target of `genome exits`: how much may be lost, or spent."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from search.config.exits import ExitsSetting, share_of
from search.errors import StudyError

MULTIPLES = {"k": 1e3, "M": 1e6, "G": 1e9}
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def checked_rule(word: str) -> None:
    """Raise StudyError for a word that is no kind of rule."""
    from genome.exits.curve import RULES

    if word not in RULES:
        raise StudyError(f"--rule is {word!r}; it may be {', '.join(RULES)}")


class Wanted(NamedTuple):
    """What the option asks for."""

    kind: Literal["drop", "macs", "latency"]
    value: float  # share of the images; multiply-adds; seconds for one image
    text: str  # as it was written

    def to_json(self) -> dict[str, str | float]:
        """Return plain values."""
        return {"kind": self.kind, "value": self.value, "text": self.text}


def wanted(drop: str | None, macs: str | None, latency: str | None, whole: int | None = None) -> Wanted:
    """Return the target of the options. whole: multiply-adds of the whole network; None only checks what is written.

    Raises StudyError for two targets, or for one that is no number above 0 (a drop may be 0) with its unit.
    """
    given = {"drop": drop, "macs": macs, "latency": latency}
    named = [f"--{kind}" for kind, text in given.items() if text is not None]
    if len(named) > 1:
        raise StudyError(f"{' and '.join(named)} are two targets; give one")
    if macs is not None:
        return Wanted("macs", _macs(macs, whole), macs)
    if latency is not None:
        value = _number(latency, SECONDS, "--latency", "a time such as 2ms")
        return Wanted("latency", value, latency)
    text = ExitsSetting().drop if drop is None else drop
    try:
        return Wanted("drop", share_of(text), text)
    except ValueError as error:
        raise StudyError(f"--drop {error}") from None


def _macs(text: str, whole: int | None) -> float:
    units = {"x": float(whole or 1), "": 1.0, **MULTIPLES}
    return _number(text, units, "--macs", "a part of the whole such as 0.4x, or 1.2M")


def _number(text: str, units: dict[str, float], option: str, such: str) -> float:
    unit = next((one for one in sorted(units, key=len, reverse=True) if one and text.endswith(one)), "")
    try:
        value = float(text.removesuffix(unit)) * units[unit]
    except (KeyError, ValueError):
        value = math.nan
    if not math.isfinite(value) or value <= 0:
        raise StudyError(f"{option} is {text!r}; write {such}")
    return value
