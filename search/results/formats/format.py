"""A kind of file that a runtime runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

# of a module that takes pixels, an example of these, the names of what it gives, and what stands in the file besides:
# the content of the files of the format, by name
Write = Callable[["nn.Module", Any, Sequence[str], Mapping[str, str]], dict[str, bytes]]


class Refused(Exception):
    """A file that cannot be written or run, with a sentence that says why."""


@dataclass(frozen=True)
class Format:
    """A kind of file."""

    # as `--formats` has it
    name: str
    # the first is the one that is loaded; the others lie beside it
    files: tuple[str, ...]
    # modules that writing and running it needs
    needs: tuple[str, ...]
    write: Write
    # file with the function `load`, which runs where this package cannot be imported
    loader: str
    # images that a call takes: "any" number, or "1"
    batch: str

    @property
    def file(self) -> str:
        """The file that is loaded."""
        return self.files[0]

    @property
    def extra(self) -> str:
        """The extra of this package that brings what it needs, if it needs anything."""
        return self.name if self.needs else ""

    @property
    def missing(self) -> list[str]:
        """The modules that are not installed."""
        return [module for module in self.needs if find_spec(module) is None]
