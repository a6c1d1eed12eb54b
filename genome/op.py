"""The contract of a node type, and the register of node types.

A node type is one file in `genome/ops/`: a class under `@op` whose fields are genes, with three methods

- `shape(ins, width) -> Shape`: the shape of one output image from the shapes of the inputs,
- `cost(ins, out) -> Cost`: what one image costs, exactly, by integer arithmetic,
- `build(ins, out) -> nn.Module`: the torch module; torch is imported inside this method alone.

`shape` and `cost` see the inputs that are read; `build` sees all declared inputs, `None` for one that this
pass of a loop does not read. The module is called with one tensor (or None) per declared input.

A motif is one file in `genome/motifs/`: it has genes too, and `expand` (see `genome.motif`) in place of the
three. The word of a node type, its key in the YAML, is the name of its file.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias, TypeVar, dataclass_transform

from genome.domain import Domain, Either, Legal

if TYPE_CHECKING:
    from torch import nn

FLOAT_BYTES = 4


class Shape(NamedTuple):
    """Channels, height and width of one image's feature map."""

    channels: int
    height: int
    width: int

    def with_channels(self, channels: int) -> Shape:
        return Shape(channels, self.height, self.width)

    @property
    def size(self) -> int:
        """How many numbers one image's feature map holds."""
        return self.channels * self.height * self.width

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


class Cost(NamedTuple):
    """What one image costs at one node, in one pass.

    A multiply-add counts once, in convolutions and linear layers; norms, activations and pools count none.
    `saved` counts float32 numbers made inside the node and kept for the backward pass; the input and the
    output are counted by the plan (a tensor that several nodes keep is one tensor).
    """

    weights: int = 0  # learned numbers shared by all passes of a loop: kernels, biases
    norms: int = 0  # learned numbers of norms: each pass of a loop has its own
    fixed: int = 0  # numbers that are drawn once and never learned: the masks of a perturbation
    macs: int = 0
    # of `macs`, those that read the input with nothing learned before (of all inputs together, or of each)
    first_macs: int | tuple[int, ...] = 0
    saved: int = 0
    scratch: int = 0  # numbers that live beside input and output while the node runs, at most
    reads: bool | tuple[bool, ...] = False  # the backward pass needs the inputs (all alike, or each)
    keeps: bool = False  # the backward pass needs the output
    layers: int | tuple[int, ...] = 0  # layers with weights from input to output (all alike, or from each)
    extent: int = 1  # receptive field of one output pixel on the input, in pixels
    stride: int = 1


class Gene(NamedTuple):
    """One field of a node type: its default, what it may be, what a search tries, when it has an effect."""

    name: str
    default: Any
    legal: Legal | None  # None: the gene is a body, itself a node type
    search: Domain | None
    when: Callable[[Mapping[str, Any]], bool] | None

    def active(self, genes: Mapping[str, Any]) -> bool:
        """Whether this gene has an effect beside the genes before it."""
        return self.when is None or self.when(genes)


def gene(
    legal: Legal,
    search: Domain | None = None,
    *,
    default: Any,
    when: Callable[[Mapping[str, Any]], bool] | None = None,
) -> Any:
    """A gene of a node type. `search` is the part of `legal` that a space opens by `any`; `when` looks at the
    genes above it and says whether this one has an effect."""
    assert default in legal, f"default {default!r} is not in {legal}"
    if search is None:
        assert not isinstance(legal, Either), "a gene of words and numbers states what a search tries"
        search = legal
    return field(default=default, metadata={"legal": legal, "search": search, "when": when})


def body(*, factory: Callable[[], Op], when: Callable[[Mapping[str, Any]], bool] | None = None) -> Any:
    """A gene of a motif that is itself a node type with genes."""
    return field(default_factory=factory, metadata={"legal": None, "search": None, "when": when})


Takes: TypeAlias = Literal["schedule", "stated", "never", "classes"]
Zeros: TypeAlias = Literal["never", "given zeros", "always"]


class Op:
    """Base of every node type and motif: what the rest of the house asks of a type, not of its genes."""

    word: ClassVar[str]
    genes: ClassVar[tuple[Gene, ...]]
    motif: ClassVar[bool] = False
    many: ClassVar[bool] = False  # takes several inputs; their sizes are made equal unless `aligns` is False
    aligns: ClassVar[bool] = True
    ordered: ClassVar[bool] = False  # the order of the inputs changes the function (always so without `many`)
    loops: ClassVar[bool] = True  # may be a member of a loop
    width: ClassVar[Takes] = "schedule"  # where its width comes from
    zeros: ClassVar[Zeros] = "never"  # when it gives zeros; the numbers it learns, if any, are in the way

    def expands(self) -> bool:
        """Whether it stands for several nodes, which `expand` writes."""
        return self.motif

    def takes_width(self) -> bool:
        """Whether a width may be stated."""
        return self.width in ("schedule", "stated")

    def shape(self, ins: Sequence[Shape], width: int) -> Shape:
        """The shape of one output image; `width` is 0 where no width is stated."""
        raise NotImplementedError

    def cost(self, ins: Sequence[Shape], out: Shape) -> Cost:
        """What one image costs."""
        raise NotImplementedError

    def build(self, ins: Sequence[Shape | None], out: Shape) -> nn.Module:
        """The module, with its own initialisation drawn from torch's global generator."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        """Check every gene, and put genes without effect at their default: equal ops are equal functions."""
        own = self.__dict__
        for g in self.genes:
            if not g.active(own):
                object.__setattr__(self, g.name, g.default)
            elif not (isinstance(own[g.name], Op) if g.legal is None else own[g.name] in g.legal):
                raise ValueError(
                    f"{self.word}.{g.name} is {own[g.name]!r}; it may be {g.legal or 'a node type'}"
                )

    def having(self, **genes: Any) -> Op:
        """The same node type with some genes changed."""
        return type(self)(**{**{g.name: self.__dict__[g.name] for g in self.genes}, **genes})

    def looped(self, **genes: Any) -> Op:
        """The same node type as a member of a loop: without what shrinks its image, and without a loop inside."""
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
        """What the node does at one place, for digests: word and genes, or less where shapes leave genes no
        effect there; IDENTITY where it gives what it takes."""
        return self.described()

    def described(self, **instead: Any) -> tuple[Any, ...]:
        """Word and genes, some of them replaced by what they come to."""
        values = (instead.get(g.name, self.__dict__[g.name]) for g in self.genes)
        return (self.word, *(v.described() if isinstance(v, Op) else v for v in values))


IDENTITY = ("identity",)

T = TypeVar("T", bound=Op)

_REGISTER: dict[str, type[Op]] = {}


@dataclass_transform(frozen_default=True, field_specifiers=(gene, body))
def op(cls: type[T]) -> type[T]:
    """Make a frozen dataclass of `cls` and enter it in the register under the name of its file."""
    made = dataclass(frozen=True)(cls)
    made.word = cls.__module__.rpartition(".")[2]
    made.genes = tuple(_gene_of(f) for f in fields(made))  # type: ignore[arg-type]
    made.__hash__ = _hash_once  # type: ignore[method-assign,assignment]
    made.__getstate__ = _without_hash  # type: ignore[method-assign,assignment]
    _REGISTER[made.word] = made
    return made


def _gene_of(f: Any) -> Gene:
    default = f.default if f.default is not MISSING else f.default_factory()
    return Gene(f.name, default, f.metadata["legal"], f.metadata["search"], f.metadata["when"])


def _without_hash(self: Op) -> dict[str, Any]:
    """What is pickled: hashes of words differ from process to process."""
    return {key: value for key, value in self.__dict__.items() if key != "_hash"}


def _hash_once(self: Op) -> int:
    """Ops are keys of every cache of shapes and costs: hash the genes once per object."""
    found: int | None = self.__dict__.get("_hash")
    if found is None:
        found = hash((self.word, *(self.__dict__[g.name] for g in self.genes)))
        object.__setattr__(self, "_hash", found)
    return found


@cache
def words() -> tuple[str, ...]:
    """Every word that `op:` may be: the names of the files in `genome/ops` and `genome/motifs`."""
    return tuple(sorted(_places()))


@cache
def _places() -> dict[str, str]:
    rooms = [importlib.import_module(room) for room in ("genome.ops", "genome.motifs")]
    return {
        m.name: f"{room.__name__}.{m.name}"
        for room in rooms
        for m in pkgutil.iter_modules(room.__path__)
        if not m.name.startswith("_")
    }


def lookup(word: str) -> type[Op]:
    """The node type of that word. Raises KeyError with a sentence that names the words there are."""
    found = _REGISTER.get(word)
    if found is None:
        if word not in _places():
            near = difflib.get_close_matches(word, words(), n=1)
            raise KeyError(f"{word!r}; it may be {', '.join(words())}" + (f" ({near[0]}?)" if near else ""))
        importlib.import_module(_places()[word])
        found = _REGISTER[word]
    return found
