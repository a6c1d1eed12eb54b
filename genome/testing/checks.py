"""The checks of the conformance suite, and the cases to run them on. torch is imported when a check needs it."""

from __future__ import annotations

import copy
import importlib
import inspect
import io
import pickle
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from genome.digest import digest
from genome.domain import Either
from genome.graph import Genome, GenomeError
from genome.op import Op, Shape
from genome.resolve import resolve
from genome.testing.variants import around, ends, label, variants
from genome.text import dump, flow, loads, op_of, written_op
from genome.yaml.source import parse

if TYPE_CHECKING:
    import torch
    from torch import nn

CITATION = re.compile(
    r"arXiv:\d{4}\.\d{4,5}|\b(?:CVPR|ICLR|ICML|ICPR|ICANN|ECCV|ICCV|NIPS|NeurIPS|BMVC) \d{4}\b|\bdoi:10\.\d{4}"
)
DRAWS = 30  # random genes a node type
LARGEST = 300_000  # numbers of a network that is built at the ends of the legal values

# what a check runs on: the node type once, each variant of its genes, each variant over one and over three inputs
Scope: TypeAlias = Literal["type", "genes", "inputs"]


class Traits(NamedTuple):
    """Facts about a node type that its class does not state."""

    also: tuple[Mapping[str, Any], ...] = ()
    """Combinations of genes to check, beside one changed gene at a time."""
    derivative: Mapping[str, Any] = {}
    """Genes under which the gradient is the derivative, if a published rule replaces it otherwise."""
    kinks: tuple[str, ...] = ()
    """Parts of the names of parameters that start at a point without derivative; they are moved before gradients."""


NO_TRAITS = Traits()


class Case(NamedTuple):
    """One check of one node type."""

    check: str  # a key of CHECKS
    op: Op
    inputs: int = 1  # how many maps the node reads
    traits: Traits = NO_TRAITS

    def run(self) -> None:
        """Run the check. Raises AssertionError."""
        CHECKS[self.check].run(self)

    def __str__(self) -> str:
        return f"{self.check}: {label(self.op)}" + (f" ({self.inputs} inputs)" if self.inputs > 1 else "")


class Check(NamedTuple):
    """One named check."""

    run: Callable[[Case], None]
    scope: Scope
    plain: bool = False  # whether it is about a module of the node type itself, so that motifs have none


CHECKS: dict[str, Check] = {}
"""The checks by name, in the order in which they run."""


def _check(scope: Scope, plain: bool = False) -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
    def entered(run: Callable[[Case], None]) -> Callable[[Case], None]:
        CHECKS[run.__name__] = Check(run, scope, plain)
        return run

    return entered


def cases(
    node_type: str | type[Op],
    traits: Traits = NO_TRAITS,
    checks: Collection[str] | None = None,
) -> list[Case]:
    """Every case of a node type or motif, by its word or its class; of all checks, or of those named.

    Raises:
        KeyError: a word that is not registered; a check that there is none of.
    """
    word = node_type if isinstance(node_type, str) else node_type.word
    found = list(dict.fromkeys(variants(word, traits.also)))
    names = list(CHECKS) if checks is None else list(checks)
    return [case for name in names for case in _cases(name, found, traits)]


def _cases(name: str, found: Sequence[Op], traits: Traits) -> Iterator[Case]:
    check = CHECKS[name]
    for op in found[:1] if check.scope == "type" else found:
        if check.plain and op.expands():
            continue
        for inputs in (1, 3) if check.scope == "inputs" else (1,):
            if not check.plain or inputs == 1 or op.many:
                yield Case(name, op, inputs, traits)


def check_node_type(
    node_type: str | type[Op],
    traits: Traits = NO_TRAITS,
    checks: Collection[str] | None = None,
) -> None:
    """Run every case of a node type or motif.

    Raises:
        AssertionError: the cases that failed, one a line.
        KeyError: as `cases` does.
    """
    failed = []
    for case in cases(node_type, traits, checks):
        try:
            case.run()
        except Exception as error:  # a module that raises does not conform either
            failed.append(f"{case}: {str(error) or type(error).__name__}")
    if failed:
        raise AssertionError("\n".join(failed))


def _require(holds: object, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


# --- the class and its genes


@_check("type")
def documentation(case: Case) -> None:
    """The module begins with `word: ` and cites a paper; the class says what it does, and its shapes."""
    kind, word = type(case.op), case.op.word
    doc = importlib.import_module(kind.__module__).__doc__ or ""
    _require(doc.startswith(f"{word}: "), f"the docstring of {kind.__module__} must begin with `{word}: `")
    _require(
        CITATION.search(doc),
        f"the docstring of {kind.__module__} cites no paper (arXiv:, a conference or doi:)",
    )
    first = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0]
    _require(
        first.endswith(".") and first[0].isupper(),
        f"the docstring of {kind.__name__} must begin with a sentence",
    )
    shapes = kind.motif or re.search(r"\(B, .*\) -> \(B, ", kind.__doc__ or "")
    _require(
        shapes, f"the docstring of {kind.__name__} must state shapes, as (B, C, H, W) -> (B, width, H, W)"
    )


@_check("type")
def legal_values(case: Case) -> None:
    """Every gene has a default and search values that are legal; the ends of the legal values resolve and build."""
    kind = type(case.op)
    _require(kind().having() == kind(), f"{kind.word} differs from its copy")
    for gene in kind.genes:
        if gene.legal is None:
            _require(isinstance(gene.default, Op) and gene.search is None, f"{gene.name} is no body")
            continue
        _require(gene.default in gene.legal, f"the default of {gene.name} is not legal")
        _require(
            gene.search is not None and gene.legal.covers(gene.search),
            f"a search of {gene.name} leaves `legal`",
        )
        for value in ends(gene.legal):
            _require(value in gene.legal, f"{gene.name}: {value} is not legal")
            if gene.active({**vars(kind()), gene.name: value}):
                _builds(around(kind(**{gene.name: value}), 1))


def _builds(genome: Genome) -> None:
    """Resolve and, if it is small, build; a GenomeError is an answer."""
    from genome.testing.measure import check_plan

    try:
        plan = resolve(genome)
    except GenomeError:
        return
    if plan.params + plan.fixed + plan.train_bytes < LARGEST:
        check_plan(
            plan, count_macs=False
        )  # `active` has the MACs of its plan only while its taps may not move


@_check("type")
def illegal_values(case: Case) -> None:
    """A gene outside its domain is refused with its name."""
    kind = type(case.op)
    for gene in kind.genes:
        wrong: list[Any] = [None, "no such word", [], float("nan"), 10**9]
        if gene.legal is not None and not isinstance(gene.legal, Either):
            wrong += [v for v in (True, 1, 1.0, "same") if v not in gene.legal]
        for value in wrong:
            if gene.active({**vars(kind()), gene.name: value}):
                _require(_refusal(kind, gene.name, value), f"{kind.word}.{gene.name} may be {value!r}")


def _refusal(kind: type[Op], name: str, value: Any) -> bool:
    try:
        kind(**{name: value})
    except ValueError as error:
        return str(error).startswith(f"{kind.word}.{name} is ")
    return False


@_check("genes")
def inactive_genes(case: Case) -> None:
    """A gene without effect is at its default, whatever it was set to."""
    op = case.op
    for gene in [g for g in op.genes if not g.active(vars(op))]:
        _require(vars(op)[gene.name] == gene.default, f"{gene.name} has no effect and is not at its default")
        for value in ends(gene.legal) if gene.legal is not None else ():
            _require(
                op.having(**{gene.name: value}) == op,
                f"{gene.name} has no effect and {value} makes a difference",
            )


@_check("genes")
def text(case: Case) -> None:
    """The node type and a genome with it come back from YAML; every active gene is written."""
    op = case.op
    source = parse(flow({"x": written_op(op)}))
    _require(
        op_of(source, ("x",), "x", source.value["x"]) == op, "the node type does not come back from its text"
    )
    active = [g.name for g in op.genes if g.active(vars(op))]
    _require(list(source.value["x"]) == ["op", *active], "the text does not have every active gene")
    whole = around(op, 1)
    _require(loads(dump(whole)) == whole, "the genome does not come back from its text")


@_check("genes")
def stable_digest(case: Case) -> None:
    """The digest depends on plain values alone, and not on the names and the order of the nodes."""
    genome = around(case.op, 3)
    plan = resolve(genome)
    for step in plan.steps:
        _require(
            _is_plain(step.node.op.placed(step.info.seen, step.info.out)), "`placed` must hold plain values"
        )
    names = {node.name: f"other_{node.name}" for node in genome.nodes}
    renamed = [
        n._replace(name=names[n.name], ins=tuple(names.get(i, i) for i in n.ins)) for n in genome.nodes
    ]
    other = replace(genome, nodes=tuple(reversed(renamed)))
    _require(digest(other) == digest(plan), "the digest changes with the names and the order of nodes")


def _is_plain(value: Any) -> bool:
    """Whether a value has the same `repr` in every process."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


# --- the plan against the module


@_check("inputs")
def costs(case: Case) -> None:
    """Shapes, params and MACs of the plan are those of the module."""
    from genome.testing.measure import check_plan, equal, meta_macs

    plan = resolve(around(case.op, case.inputs))
    check_plan(plan)
    if case.op == type(case.op)():
        equal("macs", plan.macs, meta_macs(plan))


@_check("type")
def random_genes(case: Case) -> None:
    """Shapes, params and MACs are those of the module for genes drawn at random."""
    from genome.testing.measure import check_plan

    kind, rng = type(case.op), Random(case.op.word)
    for seed in range(DRAWS):
        genes = {g.name: g.search.draw(rng) for g in kind.genes if g.search is not None}
        op, inputs = kind(**genes), rng.choice([1, 2, 3])
        try:
            check_plan(resolve(around(op, inputs)), seed)
        except AssertionError as error:
            raise AssertionError(f"{label(op)} over {inputs} inputs: {error}") from None


@_check("inputs")
def saved_memory(case: Case) -> None:
    """The bytes that autograd saves are exactly those of the plan."""
    from genome.build import build
    from genome.testing.measure import equal, saved_bytes

    plan = resolve(around(case.op, case.inputs))
    equal("bytes saved for the backward pass", plan.train_bytes, saved_bytes(build(plan), plan))


@_check("inputs")
def peak_memory(case: Case) -> None:
    """The peak without gradients is never planned too low, and at most half too high."""
    from genome.build import build
    from genome.testing.measure import check_peak_memory

    plan = resolve(around(case.op, case.inputs))
    check_peak_memory(build(plan), plan)


# --- the module


@_check("inputs", plain=True)
def gradients(case: Case) -> None:
    """The derivatives by every input and weight are those of finite differences, in float64."""
    import torch

    op = case.op.having(**case.traits.derivative)
    sources = _sources(op, case.inputs)
    module, xs = _in_float64(op, sources, case.traits.kinks)
    weights = {name: p.detach().clone().requires_grad_() for name, p in module.named_parameters()}

    def run(*tensors: torch.Tensor) -> torch.Tensor:
        given = dict(zip(weights, tensors[len(xs) :], strict=True))
        made: torch.Tensor = torch.func.functional_call(module, given, tensors[: len(xs)])
        return made

    _require(torch.autograd.gradcheck(run, (*xs, *weights.values()), fast_mode=True), "gradients")


def _sources(op: Op, inputs: int) -> list[Shape]:
    sources = [Shape(2, 5, 4), Shape(3, 3, 2), Shape(1, 5, 4)][:inputs]
    if op.width == "classes" or not op.aligns:
        return sources
    return [s._replace(height=5, width=4) for s in sources][: 3 if op.many else 1]


def _in_float64(op: Op, sources: list[Shape], kinks: tuple[str, ...]) -> tuple[nn.Module, list[torch.Tensor]]:
    """A module and its inputs, where the function has a derivative."""
    import torch

    from genome.testing.measure import is_random

    width = {"classes": 3, "schedule": 4, "stated": 0, "never": 0}[op.width]
    if op.width == "classes" and not vars(op).get("linear", True):
        width = sum(s.channels for s in sources)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = op.build(sources, op.shape(sources, width)).double()
        for name, weight in module.named_parameters():
            if any(kink in name for kink in kinks):
                weight.data += 0.2 * torch.randn_like(weight)
        xs = [torch.randn(3, *s, dtype=torch.float64, requires_grad=True) for s in sources]
        for (
            p
        ) in module.parameters():  # a bias of zero puts a pixel that gets only zeros on the kink of its ReLU
            p.data.add_(0.1 * torch.randn_like(p))
    # random dropping has no derivative
    return module.train(not is_random(copy.deepcopy(module), *xs)), xs


@_check("type")
def channels_last(case: Case) -> None:
    """The logits are the same in channels_last."""
    import torch

    from genome.build import build
    from genome.testing.measure import images

    plan = resolve(around(case.op, 3))
    module, x = build(plan).eval(), images(plan)
    expected = module(x)
    moved = module.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    for ours, theirs in zip(moved, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@_check("genes", plain=True)
def bfloat16(case: Case) -> None:
    """Under bfloat16 autocast the logits are close to those of float32, and every parameter gets a finite gradient."""
    import torch

    from genome.build import build
    from genome.testing.measure import images, is_random, undropped

    plan = resolve(around(case.op, 3))
    module, x = build(plan), images(plan)
    with undropped(module):
        module.train(not is_random(copy.deepcopy(module), x))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = module(x)
        exact = module(x)
    for ours, theirs in zip(logits, exact, strict=True):
        torch.testing.assert_close(ours.float(), theirs, rtol=0.1, atol=0.2)
    torch.stack([out.float().square().sum() for out in logits]).sum().backward()  # type: ignore[no-untyped-call]
    for name, p in module.named_parameters():
        _require(p.grad is not None and bool(p.grad.isfinite().all()), f"{name} has no finite gradient")


@_check("type")
def copies(case: Case) -> None:
    """A copied, a pickled and a loaded module give the same logits."""
    import torch

    from genome.build import build
    from genome.testing.measure import images

    plan = resolve(around(case.op, 3))
    module, x = build(plan).eval(), images(plan)
    expected = module(x)
    saved = io.BytesIO()
    torch.save(module.state_dict(), saved)
    saved.seek(0)
    loaded = build(plan, seed=1).eval()
    loaded.load_state_dict(torch.load(saved, weights_only=True))
    for name, twin in (
        ("a deep copy", copy.deepcopy(module)),
        ("a pickled copy", pickle.loads(pickle.dumps(module))),
        ("a module with loaded weights", loaded),
    ):
        alike = all(torch.equal(a, b) for a, b in zip(twin(x), expected, strict=True))
        _require(alike, f"{name} gives other logits")


@_check("type")
def seeds(case: Case) -> None:
    """The weights depend on the seed alone, and building leaves torch's global generator as it was."""
    import torch

    from genome.build import build

    plan = resolve(around(case.op, 1))
    before = torch.random.get_rng_state()
    one, same, other = (list(build(plan, seed=s).parameters()) for s in (3, 3, 4))
    _require(torch.equal(before, torch.random.get_rng_state()), "building changes torch's global generator")
    _require(
        all(torch.equal(a, b) for a, b in zip(one, same, strict=True)), "one seed gives different weights"
    )
    _require(
        not all(torch.equal(a, b) for a, b in zip(one, other, strict=True)), "two seeds give the same weights"
    )
