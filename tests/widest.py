"""The widest space there is: every word of the register in every place, every gene open."""

from __future__ import annotations

import genome
from genome.graph import Shape
from genome.text import flow
from genome.yaml.source import parse
from search.space.parse import space_of
from search.space.space import Space

INPUT, CLASSES = Shape(3, 12, 12), 5
PLAIN = [w for w in genome.words() if not genome.lookup(w).motif and genome.lookup(w).width != "classes"]
MOTIFS = [w for w in genome.words() if genome.lookup(w).motif]
LOOPING = [w for w in PLAIN if genome.lookup(w).loops and genome.lookup(w).many]


# Motifs stay small where they are bodies, so that one step can train thousands of genomes.
SMALL = {
    "residual": {"unit": {"one_of": ["basic", "bottleneck", "body"]}},
    "stack": {"depth": {"int": [1, 2]}},
    "fractal": {"columns": {"int": [1, 2]}},
    "clique": {"nodes": {"int": [2, 3]}, "passes": {"int": [0, 1]}},
}


def _choice(word: str, depth: int) -> object:
    """Return a word with all its genes and bodies open: two levels of motifs in motifs."""
    kind = genome.lookup(word)
    bodies = [g.name for g in kind.genes if g.legal is None]
    words = PLAIN + (MOTIFS if depth else [])
    inner = {"op": {"one_of": [_choice(w, depth - 1) for w in words]}, "genes": "any"} if bodies else {}
    return (
        {"op": word, **(SMALL.get(word, {}) if depth else {}), **dict.fromkeys(bodies, inner)}
        if bodies
        else word
    )


def widest_text() -> str:
    """Return eight places, half of them optional, with skips everywhere, a loop of three, and two exits."""
    every = {"one_of": [*PLAIN, *(_choice(w, 1) for w in MOTIFS)]}
    loop = {"one_of": LOOPING}
    width = {"int": [3, 12]}
    nodes = {
        "stem": {"op": "conv", "in": ["image"], "genes": "any"},
        "a": {"op": every, "in": ["stem", "(image)"], "genes": "any", "width": width},
        "(b)": {"op": every, "in": ["a", "(stem)"], "genes": "any", "width": width},
        "(c)": {"op": every, "in": ["b", "(a)", "(image)"], "genes": "any"},
        "l1": {"op": loop, "in": ["c", "l3"], "stride": 1, "genes": "any"},
        "l2": {"op": loop, "in": ["l1", "(l3)", "(b)"], "stride": 1, "genes": "any", "width": width},
        "l3": {"op": loop, "in": ["l2", "(l1)", "(c)"], "stride": 1, "genes": "any", "width": width},
        "(d)": {"op": every, "in": ["l3", "(l1)", "(c)"], "genes": "any"},
        "(early)": {"op": "exit", "in": ["a", "(stem)"], "genes": "any"},
        "out": {"op": "exit", "in": ["d", "(l2)", "(b)"], "genes": "any"},
    }
    rule = {"rule": {"one_of": ["constant", "add", "multiply"]}, "base": {"int": [4, 8, 2]}}
    lines = ["space:", f"  widths: {flow({**rule, 'alpha': {'float': [0.5, 4.0]}})}", "  nodes:"]
    lines += [f"    {name}: {flow(node)}" for name, node in nodes.items()]
    lines += ["  loops:", "    l: {order: [l1, l2, l3], passes: 1}"]
    return "\n".join(lines) + "\n"


def widest() -> Space:
    """Return the space of `widest_text`."""
    return space_of(parse(widest_text(), "widest.yaml"), ("space",), "widest", INPUT, CLASSES)
