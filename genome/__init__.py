"""Graph genomes: descriptions of neural architectures.

    text --load--> Genome --expand--> Genome --resolve--> Plan --build--> nn.Module

Each verb is a plain function from one frozen value to the next. Only `build` imports torch, when it is called, and so
does the module `EarlyExit`, when it is named.
"""

from typing import TYPE_CHECKING, Any

from genome import zoo
from genome.build import build
from genome.column import column
from genome.digest import digest
from genome.draw import draw
from genome.expand import expand
from genome.graph import Genome, GenomeError, Loop, Node, Times
from genome.op import Cost, Op, Shape, lookup, words
from genome.plan import Plan
from genome.pour import pour
from genome.resolve import resolve
from genome.step import Step
from genome.text import dump, load, loads
from genome.widths import Widths
from genome.yaml.source import SourceError

if TYPE_CHECKING:
    from genome.exits.module import EarlyExit

__all__ = [
    "Cost",
    "EarlyExit",
    "Genome",
    "GenomeError",
    "Loop",
    "Node",
    "Op",
    "Plan",
    "Shape",
    "SourceError",
    "Step",
    "Times",
    "Widths",
    "build",
    "column",
    "digest",
    "draw",
    "dump",
    "expand",
    "load",
    "loads",
    "lookup",
    "pour",
    "resolve",
    "words",
    "zoo",
]


def __getattr__(name: str) -> Any:
    """Import EarlyExit, which needs torch, when it is first named (PEP 562)."""
    if name != "EarlyExit":
        raise AttributeError(f"module 'genome' has no attribute {name!r}")
    from genome.exits.module import EarlyExit

    return EarlyExit
