"""Which trained weights a study keeps."""

from __future__ import annotations

from typing import Any, NamedTuple


class Keep(NamedTuple):
    """The rule of a study that removes weights; those of the best trial and of the finale always stay."""

    # those of the Pareto front
    front: bool = True
    # those of so many best trials
    top: int = 20
    # those of all other trials
    rest: bool = False

    def plain(self) -> dict[str, Any]:
        """Return plain values, as a study file has them."""
        words = {True: "all", False: "none"}
        return {"front": words[self.front], "top": self.top, "rest": words[self.rest]}

    def __str__(self) -> str:
        """Say it as a study file does."""
        return f"keep: {{{', '.join(f'{key}: {value}' for key, value in self.plain().items())}}}"
