"""Values as JSON can hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any


def plain(value: Any) -> Any:
    """Return a value as mappings, lists, texts and numbers; what is not finite becomes None."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return value.isoformat(sep=" ", timespec="seconds")
        case Mapping():
            return {str(key): plain(inner) for key, inner in value.items()}
        case tuple() if hasattr(value, "_asdict"):
            return plain(value._asdict())
        case list() | tuple() | frozenset() | set():
            return [plain(inner) for inner in value]
    return str(value)
