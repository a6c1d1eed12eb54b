"""Width schedules: the channels of each block, as in PyramidNet (Han et al., CVPR 2017, arXiv:1610.02915)."""

from __future__ import annotations

from dataclasses import dataclass

from genome.domain import Float, Int, OneOf

CONSTANT = "constant"
RULE = OneOf(CONSTANT, "add", "multiply")
BASE = Int(1, 16_384)
ALPHA = Float(0.0, 65_536.0)


@dataclass(frozen=True, slots=True)
class Widths:
    """A schedule of widths, in channels, that steps once per block.

    Block `step` of `steps` has `base` channels with the rule `constant`, base + alpha * step / steps with `add`, and
    base * alpha ** (step / steps) with `multiply`. Each width is rounded once; rounding a running width would keep a
    slowly growing network at its base, and would differ from the authors' code.
    """

    rule: str = CONSTANT
    base: int = 16  # channels
    alpha: float = 0.0  # channels added up to the last block, or the factor of the last block

    def __post_init__(self) -> None:
        """Reset `alpha` of a constant schedule, so that equal schedules compare equal."""
        if self.rule == CONSTANT:
            object.__setattr__(self, "alpha", 0.0)

    def at(self, step: int, steps: int) -> int:
        """The width of block `step` of `steps`, counted from 1; never below one channel."""
        if self.rule == CONSTANT:
            return self.base
        if self.rule == "add":
            return max(1, round(self.base + self.alpha * step / steps))
        return max(1, round(self.base * float(self.alpha ** (step / steps))))
