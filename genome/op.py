"""The contract of a node type, and the registry of node types.

A node type is one class under `@op` whose fields are genes, with three methods:

- `shape(ins, width) -> Shape`: the shape of one output image from the shapes of the inputs,
- `cost(ins, out) -> Cost`: the exact cost of one image, by integer arithmetic,
- `build(ins, out) -> nn.Module`: the torch module; only this method imports torch.

`shape` and `cost` get the inputs that are read. `build` gets all declared inputs, with `None` for an input that
this pass of a loop does not read. The module is called with one tensor (or None) per declared input.

A motif has genes and one method, `expand` (see `genome.motif`), instead of these three.

The word of a node type, its value under `op:` in the YAML, is the name of its file. The node types of this package
are the files of `genome/ops/` and `genome/motifs/`. Another package registers its own with the same decorator, and
names their module as an entry point of the group `genome.node_types` (see `docs/genomes.md`).
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, dataclass_transform, overload

from genome.cost import Cost, Inside, Layer, Shape
from genome.gene import Gene, body, described, gene

if TYPE_CHECKING:
    from torch import nn

__all__ = [  # what the author of a node type imports is all here
    "FLOAT_BYTES",
    "IDENTITY",
    "Cost",
    "Gene",
    "Inside",
    "Layer",
    "Op",
    "Shape",
    "Takes",
    "Zeros",
    "body",
    "gene",
    "lookup",
    "op",
    "unregister",
    "words",
]  # fmt: skip

FLOAT_BYTES = 4
ENTRY_POINTS = "genome.node_types"  # modules of other packages that register node types

# the source of a node's width: stated or else the schedule's; stated or else the widest input's; always that of the
# inputs; always the number of classes
Takes = Literal["schedule", "stated", "never", "classes"]
# when a node without parameters gives zeros
Zeros = Literal["never", "given zeros", "always"]


class Op:
    """Base of every node type and motif. The class attributes describe the type, whatever its genes are."""

    word: ClassVar[str]  # its value under `op:`
    genes: ClassVar[tuple[Gene, ...]]
    motif: ClassVar[bool] = False  # whether it always stands for several nodes
    many: ClassVar[bool] = False  # whether it takes several inputs; other types get their concatenation
    aligns: ClassVar[bool] = True  # whether larger inputs are pooled to the smallest image before the node
    ordered: ClassVar[bool] = (
        False  # whether the order of the inputs changes the function; always so without `many`
    )
    loops: ClassVar[bool] = True  # whether it may be a member of a loop
    width: ClassVar[Takes] = "schedule"
    zeros: ClassVar[Zeros] = "never"

    def expands(self) -> bool:
        """Whether this node stands for several nodes, which its `expand` writes."""
        return self.motif

    def takes_width(self) -> bool:
        """Whether the genome may state a width for this node."""
        return self.width in ("schedule", "stated")

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        """The shape of one output image; `width` is 0 if no width is stated.

        Raises:
            ValueError: inputs that the node type cannot take; the message continues `NODE (WORD) ..`.
        """
        raise NotImplementedError

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        """The cost of one image."""
        raise NotImplementedError

    def inside(self, ins: Sequence[Shape], out: Shape) -> Inside | None:
        """The layers that the module runs, for its peak memory; None for a node type that states its `cost` alone."""
        return None

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        """The module, initialised from torch's global random generator."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        """Check every gene and reset genes without effect to their default, so that equal ops are equal functions."""
        own = self.__dict__
        for g in self.genes:
            if not g.active(own):
                object.__setattr__(self, g.name, g.default)
            elif not (isinstance(own[g.name], Op) if g.legal is None else own[g.name] in g.legal):
                raise ValueError(
                    f"{self.word}.{g.name} is {own[g.name]!r}; it may be {g.legal or 'a node type'}"
                )

    def having(self, **genes: Any) -> Op:
        """A copy with these genes changed."""
        return type(self)(**{**{g.name: self.__dict__[g.name] for g in self.genes}, **genes})

    def looped(self, **genes: Any) -> Op:
        """A copy that may be a member of a loop: it keeps the size of its image and holds no loop."""
        for g in self.genes:
            if g.legal is None:
                genes.setdefault(g.name, self.__dict__[g.name].looped())
            elif g.name == "stride":
                genes.setdefault(g.name, 1)
        return self.having(**genes)

    def in_order(self) -> bool:
        """Whether the order of several inputs changes the function."""
        return self.ordered or not self.many

    def placed(self, ins: Sequence[Shape], out: Shape) -> tuple[Any, ...]:
        """A description of what the node computes for these shapes, for digests.

        It leaves out genes that have no effect for these shapes, and is IDENTITY if the output equals the input.
        """
        return self.described()

    def described(self, **instead: Any) -> tuple[Any, ...]:
        """The word and the genes, with the values in `instead` in place of some genes."""
        return described(self.word, self.genes, {**self.__dict__, **instead})


IDENTITY = ("identity",)

T = TypeVar("T", bound=Op)

_REGISTRY: dict[str, type[Op]] = {}


@overload
@dataclass_transform(frozen_default=True, field_specifiers=(gene, body))
def op(cls: type[T]) -> type[T]: ...


@overload
@dataclass_transform(frozen_default=True, field_specifiers=(gene, body))
def op(*, word: str) -> Callable[[type[T]], type[T]]: ...


def op(cls: type[T] | None = None, *, word: str | None = None) -> type[T] | Callable[[type[T]], type[T]]:
    """Make a frozen dataclass of the class and register it under `word`, by default the name of its file.

    Used as `@op`, or as `@op(word="shuffle")`.

    Raises:
        ValueError: a word that is no name, or that another module has registered.
    """
    if cls is None:
        return lambda cls: _registered(cls, word)
    return _registered(cls, word)


def _registered(cls: type[T], word: str | None) -> type[T]:
    word = word or cls.__module__.rpartition(".")[2]
    if not word.replace("-", "_").isidentifier():
        raise ValueError(
            f"the word {word!r} of {cls.__module__}.{cls.__name__} is no name; choose letters and digits"
        )
    known = _REGISTRY[word].__module__ if word in _REGISTRY else _builtin().get(word, cls.__module__)
    if known != cls.__module__:
        raise ValueError(
            f"the word {word!r} of {cls.__module__}.{cls.__name__} belongs to {known}; choose another"
        )
    made = dataclass(frozen=True)(cls)
    made.word = word
    made.genes = tuple(_gene_of(f) for f in fields(made))  # type: ignore[arg-type]
    made.__hash__ = _hash_once  # type: ignore[method-assign,assignment]
    made.__getstate__ = _without_hash  # type: ignore[method-assign,assignment]
    _REGISTRY[word] = made
    return made


def unregister(word: str) -> None:
    """Remove a node type from the registry, as a test does that registered one."""
    _REGISTRY.pop(word, None)


def _gene_of(f: Any) -> Gene:
    default = f.default if f.default is not MISSING else f.default_factory()
    later = f.metadata.get("later", False)
    return Gene(f.name, default, f.metadata["legal"], f.metadata["search"], f.metadata["when"], later)


def _without_hash(self: Op) -> dict[str, Any]:
    """The state to pickle, without the hash: hashes of strings differ between processes."""
    return {key: value for key, value in self.__dict__.items() if key != "_hash"}


def _hash_once(self: Op) -> int:
    """Hash the genes once per object, since ops are keys of every cache of shapes and costs."""
    found: int | None = self.__dict__.get("_hash")
    if found is None:
        found = hash((self.word, *(self.__dict__[g.name] for g in self.genes)))
        object.__setattr__(self, "_hash", found)
    return found


def words() -> tuple[str, ...]:
    """Every word that `op:` may be, those of other packages included."""
    broken_packages()
    return tuple(sorted({*_builtin(), *_REGISTRY}))


@cache
def _builtin() -> dict[str, str]:
    """The module of each node type of this package, by word."""
    packages = [importlib.import_module(name) for name in ("genome.ops", "genome.motifs")]
    return {
        m.name: f"{package.__name__}.{m.name}"
        for package in packages
        for m in pkgutil.iter_modules(package.__path__)
        if not m.name.startswith("_")
    }


@cache
def broken_packages() -> tuple[str, ...]:
    """Import the modules in which installed packages register node types; return a sentence for each failure."""
    from importlib.metadata import entry_points  # takes longer to import than the rest of this package

    failures = []
    for point in entry_points(group=ENTRY_POINTS):
        try:
            point.load()
        except Exception as error:  # a package of somebody else can raise anything
            failures.append(f"{point.value} cannot be imported: {type(error).__name__}: {error}")
    return tuple(failures)


def lookup(word: str) -> type[Op]:
    """The node type of a word. Raises KeyError for an unknown word; the message names the known words."""
    if word not in _REGISTRY and word in _builtin():
        importlib.import_module(_builtin()[word])
    failures = () if word in _REGISTRY else broken_packages()
    if word not in _REGISTRY:
        near = "".join(f" ({one}?)" for one in difflib.get_close_matches(word, words(), n=1))
        raise KeyError("; ".join([f"{word!r}", f"it may be {', '.join(words())}{near}", *failures]))
    return _REGISTRY[word]
