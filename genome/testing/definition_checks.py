"""Checks of the definition of a node type: documentation, genes, text and digest."""

from __future__ import annotations

import importlib
import inspect
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from genome.digest import digest
from genome.domain import Either
from genome.graph import Genome, GenomeError
from genome.op import Op
from genome.resolve import resolve
from genome.testing.suite import Case, check, require
from genome.testing.variants import around, ends
from genome.text import dump, flow, loads, op_of, written_op
from genome.yaml.source import parse

if TYPE_CHECKING:
    pass

CITATION = re.compile(
    r"arXiv:\d{4}\.\d{4,5}|\b(?:CVPR|ICLR|ICML|ICPR|ICANN|ECCV|ICCV|NIPS|NeurIPS|BMVC) \d{4}\b|\bdoi:10\.\d{4}"
)
LARGEST = 300_000  # numbers of a network that is built at the ends of the legal values


@check("type")
def documentation(case: Case) -> None:
    """The module begins with `word: ` and cites a paper; the class says what it does, and its shapes."""
    kind, word = type(case.op), case.op.word
    doc = importlib.import_module(kind.__module__).__doc__ or ""
    require(doc.startswith(f"{word}: "), f"the docstring of {kind.__module__} must begin with `{word}: `")
    require(
        CITATION.search(doc),
        f"the docstring of {kind.__module__} cites no paper (arXiv:, a conference or doi:)",
    )
    first = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0]
    require(
        first.endswith(".") and first[0].isupper(),
        f"the docstring of {kind.__name__} must begin with a sentence",
    )
    shapes = kind.motif or re.search(r"\(B, .*\) -> \(B, ", kind.__doc__ or "")
    require(
        shapes, f"the docstring of {kind.__name__} must state shapes, as (B, C, H, W) -> (B, width, H, W)"
    )


@check("type")
def legal_values(case: Case) -> None:
    """Every gene has a default and search values that are legal; the ends of the legal values resolve and build."""
    kind = type(case.op)
    require(kind().having() == kind(), f"{kind.word} differs from its copy")
    for gene in kind.genes:
        if gene.legal is None:
            require(isinstance(gene.default, Op) and gene.search is None, f"{gene.name} is no body")
            continue
        require(gene.default in gene.legal, f"the default of {gene.name} is not legal")
        require(
            gene.search is not None and gene.legal.covers(gene.search),
            f"a search of {gene.name} leaves `legal`",
        )
        for value in ends(gene.legal):
            require(value in gene.legal, f"{gene.name}: {value} is not legal")
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


@check("type")
def illegal_values(case: Case) -> None:
    """A gene outside its domain is refused with its name."""
    kind = type(case.op)
    for gene in kind.genes:
        wrong: list[Any] = [None, "no such word", [], float("nan"), 10**9]
        if gene.legal is not None and not isinstance(gene.legal, Either):
            wrong += [v for v in (True, 1, 1.0, "same") if v not in gene.legal]
        for value in wrong:
            if gene.active({**vars(kind()), gene.name: value}):
                require(_refusal(kind, gene.name, value), f"{kind.word}.{gene.name} may be {value!r}")


def _refusal(kind: type[Op], name: str, value: Any) -> bool:
    try:
        kind(**{name: value})
    except ValueError as error:
        return str(error).startswith(f"{kind.word}.{name} is ")
    return False


@check("genes")
def inactive_genes(case: Case) -> None:
    """A gene without effect is at its default, whatever it was set to."""
    op = case.op
    for gene in [g for g in op.genes if not g.active(vars(op))]:
        require(vars(op)[gene.name] == gene.default, f"{gene.name} has no effect and is not at its default")
        for value in ends(gene.legal) if gene.legal is not None else ():
            require(
                op.having(**{gene.name: value}) == op,
                f"{gene.name} has no effect and {value} makes a difference",
            )


@check("genes")
def text(case: Case) -> None:
    """The node type and a genome with it come back from YAML; every gene that text names is written."""
    op = case.op
    source = parse(flow({"x": written_op(op)}))
    require(
        op_of(source, ("x",), "x", source.value["x"]) == op, "the node type does not come back from its text"
    )
    named = [g.name for g in op.genes if g.written(vars(op))]
    require(list(source.value["x"]) == ["op", *named], "the text does not have every gene that it names")
    whole = around(op, 1)
    require(loads(dump(whole)) == whole, "the genome does not come back from its text")


@check("genes")
def stable_digest(case: Case) -> None:
    """The digest depends on plain values alone, and not on the names and the order of the nodes."""
    genome = around(case.op, 3)
    plan = resolve(genome)
    for step in plan.steps:
        require(
            _is_plain(step.node.op.placed(step.info.seen, step.info.out)), "`placed` must hold plain values"
        )
    names = {node.name: f"other_{node.name}" for node in genome.nodes}
    renamed = [
        n._replace(name=names[n.name], ins=tuple(names.get(i, i) for i in n.ins)) for n in genome.nodes
    ]
    other = replace(genome, nodes=tuple(reversed(renamed)))
    require(digest(other) == digest(plan), "the digest changes with the names and the order of nodes")


def _is_plain(value: Any) -> bool:
    """Whether a value has the same `repr` in every process."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)
