"""Weisfeiler-Lehman features of a network: how often each kind of neighbourhood occurs in its graph.

A node's label takes in, round by round, the labels of what it reads and of what reads it (Shervashidze et al.,
JMLR 12, 2011; for architectures Ru et al., ICLR 2021, arXiv:2006.07556). The graph is the one that names the network
(`genome.compute_graph`): expanded and resolved, without nodes that no exit needs and without those that change nothing,
so that features do not depend on how nodes are named, listed or written as motifs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from math import log2
from typing import NamedTuple

import numpy as np

from genome.compute_graph import ComputeGraph, Edges, compute_graph
from genome.op import Op
from genome.plan import Plan
from genome.step import SOURCE, Step

ROUNDS = 2  # a node sees what is two edges away; further away hardly two networks agree
IMAGE = 1  # label of the image


class Histogram(NamedTuple):
    """How often each kind of neighbourhood occurs."""

    # 64-bit numbers
    kinds: np.ndarray
    # square roots of the counts: the tenth of a kind counts less than the first (Hellinger's distance)
    roots: np.ndarray


def histograms(plan: Plan) -> tuple[Histogram, ...]:
    """Return the features of a network: for each coarseness of the labels, of the edges and of each round.

    They are as many for every network and stand in the same order.
    """
    graph = compute_graph(plan)
    turns = Counter(step.node.name for step in plan.steps)  # more than one for the members of a loop
    levels = [[hash((label(step), turns[step.node.name])) for step in graph.steps] for label in LEVELS]
    return tuple([each for labels in levels for each in _of_level(labels, graph)])


def _of_level(labels: list[int], graph: ComputeGraph) -> Iterable[Histogram]:
    yield _counted(labels)
    yield _counted([hash((_at(u, labels), labels[v])) for v, edges in enumerate(graph.ins) for u, _ in edges])
    for _ in range(ROUNDS):
        labels = _refined(labels, graph.ins, graph.outs)
        yield _counted(labels)


def _refined(labels: list[int], ins: Edges, outs: Edges) -> list[int]:
    """One round. Numbers in tuples hash alike in every process; words would not."""
    return [
        hash(
            (
                labels[v],
                tuple(sorted([(_at(u, labels), slot) for u, slot in ins[v]])),
                tuple(sorted([(labels[w], slot) for w, slot in outs[v]])),
            )
        )
        for v in range(len(labels))
    ]


def _at(node: int, labels: list[int]) -> int:
    return IMAGE if node == SOURCE else labels[node]


def _counted(labels: list[int]) -> Histogram:
    counts = Counter(labels)
    return Histogram(np.array([*counts], dtype=np.int64), np.sqrt([*counts.values()]))


# --- labels, from coarse to fine


def _word(step: Step) -> int:
    return _number(step.node.op.word)


def _genes(step: Step) -> int:
    return _described(step.node.op)


def _sized(step: Step) -> int:
    """Word, genes, and the output's channels and height to the nearest power of two."""
    out = step.info.out
    return hash((_described(step.node.op), round(log2(out.channels)), round(log2(out.height))))


LEVELS = (_word, _genes, _sized)


@lru_cache(maxsize=1 << 12)
def _described(op: Op) -> int:
    return _number(repr(op.described()))


@lru_cache(maxsize=1 << 12)
def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)
