"""Raw: images as a reader returns them, before they are split."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trainer.data.seen import Seen

if TYPE_CHECKING:
    from trainer.data.spool import Rows

Images = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Labels = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


def white_of(dtype: np.dtype[Any]) -> int:
    """Return the value of white: 255, or 65535 of pixels that are kept in 16 bits."""
    return int(np.iinfo(dtype).max)


@dataclass(frozen=True, eq=False)
class Part:
    """Images (N, C, H, W) of 0..255, or of uint16 0..65535, and classes (N,) or labels (N, K) of 0 and 1."""

    x: Images | Rows
    y: Labels
    # (N,) numbers of groups; images of one group stay in one split
    groups: Labels | None = None
    # what a group is, for messages
    grouped: str = "groups"

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Raw:
    """The parts that a data set has; what is None is drawn from `train`."""

    name: str
    classes: tuple[str, ...]
    train: Part
    valid: Part | None
    test: Part | None
    mirror: bool
    place: str  # where the data was read from, in messages
    seen: Seen = field(default_factory=Seen)
