"""The reference of the node types in docs/genomes.md, generated from the registry.

`python -m genome.reference docs/genomes.md` writes it between the two markers of that file.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genome.domain import Legal
from genome.op import Gene, Op, lookup, words
from genome.testing.variants import ends

BEGIN, END = "<!-- generated: python -m genome.reference docs/genomes.md -->", "<!-- end of generated -->"
PAPER = re.compile(r"arXiv:(\d{4}\.\d{4,5})|\b([A-Z][A-Za-z]{2,6} \d{4})\b(?!, arXiv|, Network)")
WIDTHS = {
    "schedule": "stated, else the schedule's",
    "stated": "stated, else the widest input's",
    "never": "its inputs'",
    "classes": "one per class",
}


def reference() -> str:
    """A table of the node types, one of the motifs, and for each of them a table of its genes, in Markdown."""
    kinds = [kind for word in words() if (kind := lookup(word)).__module__.startswith("genome.")]
    plain, motifs = [k for k in kinds if not k.motif], [k for k in kinds if k.motif]
    return "\n".join(
        [
            *("### Node types", "", "| word | what it does | inputs | width | paper | picture |"),
            *(
                "| --- | --- | --- | --- | --- | --- |",
                *(_row(k, _inputs(k), WIDTHS[k.width]) for k in plain),
            ),
            *("", "### Motifs", "", "| word | what it does | paper | picture |", "| --- | --- | --- | --- |"),
            *(_row(kind) for kind in motifs),
            *(
                "",
                "### Genes",
                "",
                "(B, C, H, W) is a batch of B maps with C channels, H rows and W columns.",
            ),
            "A gene with an entry under `depends on` has an effect only with some values of that gene.",
            *(line for kind in kinds for line in _genes(kind)),
        ]
    )


def written(text: str) -> str:
    """The text of docs/genomes.md with the reference of today between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"the text must hold {BEGIN} and, after it, {END}")
    return f"{before}{BEGIN}\n\n{reference()}\n\n{END}{after}"


def _row(kind: type[Op], *more: str) -> str:
    word = f"[`{kind.word}`](#{kind.word})"
    picture = f'<img src="nodes/{kind.word}.svg" alt="{kind.word}" height="150">'
    return f"| {' | '.join([word, _sentence(kind), *more, _papers(kind), picture])} |"


def _sentence(kind: type[Op]) -> str:
    summary = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0]
    return " ".join(summary.split()).replace("|", r"\|")


def _inputs(kind: type[Op]) -> str:
    if not kind.many:
        return "one; several are concatenated"
    return "one or more, in order" if kind.ordered else "one or more"


def _papers(kind: type[Op]) -> str:
    doc = importlib.import_module(kind.__module__).__doc__ or ""
    found = [_paper(*match.groups()) for match in PAPER.finditer(" ".join(doc.split()))]
    linked = [paper for paper in found if paper.startswith("[")]
    return ", ".join(dict.fromkeys(linked or found))


def _paper(arxiv: str | None, venue: str | None) -> str:
    return f"[arXiv:{arxiv}](https://arxiv.org/abs/{arxiv})" if arxiv else str(venue)


def _genes(kind: type[Op]) -> Iterator[str]:
    yield from ("", f"#### {kind.word}", "", inspect.cleandoc(kind.__doc__ or ""), "")
    if not kind.genes:
        yield f"`{kind.word}` has no genes."
        return
    yield from (
        "| gene | default | legal values | a search tries | depends on |",
        "| --- | --- | --- | --- | --- |",
    )
    for gene in kind.genes:
        legal = _domain(gene.legal)
        search = "all of them" if gene.search == gene.legal else _domain(gene.search)
        depends = ", ".join(f"`{name}`" for name in _decisive(kind, gene))
        yield f"| `{gene.name}` | {_value(gene.default)} | {legal} | {search} | {depends} |"


def _domain(domain: Legal | None) -> str:
    return "a node type" if domain is None else str(domain)


def _value(value: Any) -> str:
    if isinstance(value, Op):
        return f"`{value.word}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _decisive(kind: type[Op], gene: Gene) -> list[str]:
    """The genes whose value alone decides whether this one has an effect."""
    if gene.when is None:
        return []
    before = kind.genes[: kind.genes.index(gene)]
    default = {g.name: g.default for g in kind.genes}
    return [g.name for g in before if len({gene.active({**default, g.name: v}) for v in _tried(g)}) > 1]


def _tried(gene: Gene) -> tuple[Any, ...]:
    if gene.legal is not None and gene.search is not None:
        return (*ends(gene.legal), *ends(gene.search))
    kinds = [lookup(word) for word in words()]
    return tuple(kind(**changed) for kind in kinds for changed in ({}, *_ends_of(kind)))


def _ends_of(kind: type[Op]) -> Iterator[dict[str, Any]]:
    for gene in kind.genes:
        if gene.search is not None:
            yield from ({gene.name: value} for value in ends(gene.search))


def main(path: str) -> None:
    """Write the reference into the file."""
    file = Path(path)
    file.write_text(written(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
