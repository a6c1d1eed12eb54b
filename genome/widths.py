"""Pyramidal width schedules: how many channels each block has (Han et al., CVPR 2017, arXiv:1610.02915)."""

from __future__ import annotations

from dataclasses import dataclass

from genome.domain import Float, Int, OneOf

RULE = OneOf("constant", "add", "multiply")
BASE = Int(1, 16_384)
ALPHA = Float(0.0, 65_536.0)


@dataclass(frozen=True, slots=True)
class Widths:
    """A schedule of widths, in channels, that steps once per block.

    `constant`: base. `add`: base + alpha * step / steps. `multiply`: base * alpha ** (step / steps), where the
    last block has base * alpha. Rounded at use and never recursively: rounding a running width would keep a
    slow pyramid at its base (and disagrees with the authors' code).
    """

    rule: str = "constant"
    base: int = 16
    alpha: float = 0.0

    def at(self, step: int, steps: int) -> int:
        """The width of block `step` of `steps`, counted from 1; never below one channel."""
        if self.rule == "constant":
            return self.base
        if self.rule == "add":
            return max(1, round(self.base + self.alpha * step / steps))
        return max(1, round(self.base * float(self.alpha ** (step / steps))))
