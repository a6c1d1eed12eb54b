"""Budget: how much of the device a study and each of its trials may use."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {"b": 1} | {
    f"{letter}{tail}": base ** (power + 1)
    for power, letter in enumerate("kmgt")
    for tail, base in (("b", 1000), ("ib", 1024))
}
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)\s*(ms|d|h|m|s)\s*)", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?b)?", re.ASCII | re.IGNORECASE)


class BudgetError(ValueError):
    """A budget that cannot be read or is out of range; the message is one sentence."""


@dataclass(frozen=True)
class Budget:
    """The limits of a study and its trials; None is no limit. Raises BudgetError for a value out of range."""

    device_time: float | None = None
    """Device seconds of the study, or those that are left of it."""
    per_trial: float | None = None
    """Device seconds of one trial."""
    memory: int | None = None
    """Bytes on the device."""
    rungs: tuple[int, ...] = ()
    """Epochs after which a trial may be pruned, rising."""

    def __post_init__(self) -> None:
        for name in ("device_time", "per_trial", "memory"):
            value = getattr(self, name)
            if value is not None and not _is_positive(value):
                raise BudgetError(
                    f"{name} is {value!r}; it must be a number above 0, or nothing for no limit"
                )
        object.__setattr__(self, "rungs", _rungs(self.rungs))

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "Budget":
        """Return the budget of plain values such as {"device_time": "3m", "memory": "2GiB", "rungs": [1, 3, 9]}."""
        readers: dict[str, Any] = {
            "device_time": parse_seconds,
            "per_trial": parse_seconds,
            "memory": parse_bytes,
        }
        for key in values:
            if key not in (*readers, "rungs"):
                raise BudgetError(f"a budget has no {key!r}; it may have {', '.join(readers)} and rungs")
        read = {
            key: reader(values[key], key) for key, reader in readers.items() if values.get(key) is not None
        }
        return cls(**read, rungs=() if values.get("rungs") is None else values["rungs"])

    def limit(self) -> tuple[float, str] | None:
        """Return the seconds that one trial may take, and the name of that limit; None if unlimited."""
        limits = [(self.per_trial, "per_trial"), (self.device_time, "device_time")]
        return min(((seconds, name) for seconds, name in limits if seconds is not None), default=None)


def parse_seconds(value: Any, name: str = "time") -> float:
    """Return seconds from a number or from text such as 20s, 3m, 1h30m, 1.5h, 250ms. Raises BudgetError."""
    seconds = value
    if isinstance(value, str):
        text = value.strip().lower()
        parts = _DURATION.findall(text)
        if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
            seconds = float(text)
        elif (
            parts
            and re.fullmatch(f"({_DURATION.pattern})+", text, re.ASCII)
            and _falling([unit for _, unit in parts])
        ):
            seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
        else:
            seconds = None
    if not _is_positive(seconds):
        raise BudgetError(
            f"{name} is {_short(value)}; it must be a time such as 20s, 3m or 1h30m, or seconds above 0"
        )
    return float(seconds)


def parse_bytes(value: Any, name: str = "memory") -> int:
    """Return bytes from a whole number or from text such as 2GiB or 500MB. Raises BudgetError."""
    size = value
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        size = float(match[1]) * BYTES[(match[2] or "b").lower()] if match else None
    if not _is_positive(size) or size < 1:
        raise BudgetError(
            f"{name} is {_short(value)}; it must be a size such as 2GiB or 500MB, or bytes above 0"
        )
    return int(size)


def _falling(units: list[str]) -> bool:
    """Whether hours come before minutes before seconds, each at most once."""
    sizes = [SECONDS[unit] for unit in units]
    return all(bigger > smaller for bigger, smaller in pairwise(sizes))


def _is_positive(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and not math.isnan(value) and 0 < value < 1e18


def _rungs(value: Any) -> tuple[int, ...]:
    whole = isinstance(value, Sequence) and not isinstance(value, str)
    whole = whole and all(
        isinstance(rung, int) and not isinstance(rung, bool) and rung >= 1 for rung in value
    )
    if not whole or any(low >= high for low, high in pairwise(value)):
        raise BudgetError(
            f"rungs is {_short(value)}; it must be a list of epochs from 1, rising, such as [1, 3, 9]"
        )
    return tuple(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
