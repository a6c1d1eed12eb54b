"""Early exits in a study: how much accuracy a network that stops early may lose."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from genome.yaml.source import shown


class ExitsSetting(NamedTuple):
    """At which thresholds a network stops early, where a study looks for such networks."""

    # points of accuracy below the last exit, such as 0.5%
    drop: str = "0.5%"

    @property
    def share(self) -> float:
        """The drop as a share of the images."""
        return share_of(self.drop)

    def plain(self) -> dict[str, Any]:
        """Return plain values."""
        return self._asdict()


def share_of(drop: object) -> float:
    """Return points of accuracy such as 0.5% as a share of the images. Raises ValueError for anything else."""
    text = drop if isinstance(drop, str) and drop.endswith("%") else "nan"
    try:
        value = float(text.removesuffix("%")) / 100
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise ValueError(
            f"is {shown(repr(drop))}; write points of accuracy such as 0.5%, from 0% to below 100%"
        )
    return value
