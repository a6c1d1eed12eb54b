"""Conversion of page values to JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any


def json_value(value: Any) -> Any:
    """Return a value as mappings, lists, texts and numbers; a number that is not finite becomes None."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return value.isoformat(sep=" ", timespec="seconds")
        case Mapping():
            return {str(key): json_value(inner) for key, inner in value.items()}
        case tuple() if hasattr(value, "_asdict"):
            return json_value(value._asdict())
        case list() | tuple() | frozenset() | set():
            return [json_value(inner) for inner in value]
    return str(value)
