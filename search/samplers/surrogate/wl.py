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
from genome.op import Op, Shape
from genome.plan import Plan
from genome.step import Step

ROUNDS = 2  # a node sees what is two edges away; further away hardly two networks agree
IMAGE = 1  # label of the image


class Histograms(NamedTuple):
    """How often each kind of neighbourhood occurs, for each part of the features in turn."""

    # 64-bit numbers
    kinds: np.ndarray
    # square roots of the counts: the tenth of a kind counts less than the first (Hellinger's distance)
    roots: np.ndarray
    # how many kinds each part has
    lengths: np.ndarray


def histograms(plan: Plan) -> Histograms:
    """Return the features of a network: for each coarseness of the labels, of the edges and of each round.

    The parts are as many for every network and stand in the same order.
    """
    graph = compute_graph(plan)
    turns = Counter(step.node.name for step in plan.steps)  # more than one for the members of a loop
    levels = [[hash((label(step), turns[step.node.name])) for step in graph.steps] for label in LEVELS]
    parts = [Counter(each) for labels in levels for each in _of_level(labels, graph)]
    return Histograms(
        np.array([kind for counts in parts for kind in counts], dtype=np.int64),
        np.sqrt([count for counts in parts for count in counts.values()]),
        np.array([len(counts) for counts in parts]),
    )


def _of_level(labels: list[int], graph: ComputeGraph) -> Iterable[list[int]]:
    yield labels
    at = _with_image(labels)
    yield [hash((at[u], label)) for label, edges in zip(labels, graph.ins, strict=True) for u, _ in edges]
    for _ in range(ROUNDS):
        labels = _refined(labels, graph.ins, graph.outs)
        yield labels


def _refined(labels: list[int], ins: Edges, outs: Edges) -> list[int]:
    """One round. Numbers in tuples hash alike in every process; words would not."""
    at = _with_image(labels)
    return [
        hash((label, _ends(read, at), _ends(readers, at)))
        for label, read, readers in zip(labels, ins, outs, strict=True)
    ]


def _ends(edges: list[tuple[int, int]], at: list[int]) -> tuple[tuple[int, int], ...]:
    """The labels at the other ends of a node's edges, in an order that does not depend on that of the edges."""
    if len(edges) == 1:  # of most nodes
        ((u, slot),) = edges
        return ((at[u], slot),)
    return tuple(sorted([(at[u], slot) for u, slot in edges]))


def _with_image(labels: list[int]) -> list[int]:
    """The labels of all nodes, and last that of the image, whose index is -1."""
    return [*labels, IMAGE]


# --- labels, from coarse to fine


def _word(step: Step) -> int:
    return _number(step.node.op.word)


def _genes(step: Step) -> int:
    return _described(step.node.op)


def _sized(step: Step) -> int:
    """Word, genes, and the output's channels and height to the nearest power of two."""
    return _of_size(step.node.op, step.info.out)


LEVELS = (_word, _genes, _sized)


@lru_cache(maxsize=1 << 12)
def _of_size(op: Op, out: Shape) -> int:
    return hash((_described(op), round(log2(out.channels)), round(log2(out.height))))


@lru_cache(maxsize=1 << 12)
def _described(op: Op) -> int:
    return _number(repr(op.described()))


@lru_cache(maxsize=1 << 12)
def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)
