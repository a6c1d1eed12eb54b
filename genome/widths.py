"""Pyramidal width schedules: how many channels each block has (Han et al., CVPR 2017, arXiv:1610.02915)."""

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

    `constant`: base. `add`: base + alpha * step / steps. `multiply`: base * alpha ** (step / steps), where the
    last block has base * alpha. Rounded at use and never recursively: rounding a running width would keep a
    slow pyramid at its base (and disagrees with the authors' code).
    """

    rule: str = CONSTANT
    base: int = 16
    alpha: float = 0.0

    def __post_init__(self) -> None:
        """A constant schedule has no slope: equal schedules are equal functions."""
        if self.rule == CONSTANT:
            object.__setattr__(self, "alpha", 0.0)

    def at(self, step: int, steps: int) -> int:
        """The width of block `step` of `steps`, counted from 1; never below one channel."""
        if self.rule == CONSTANT:
            return self.base
        if self.rule == "add":
            return max(1, round(self.base + self.alpha * step / steps))
        return max(1, round(self.base * float(self.alpha ** (step / steps))))
