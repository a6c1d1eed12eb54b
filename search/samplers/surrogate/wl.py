"""Weisfeiler-Lehman features of a network: how often each kind of neighbourhood occurs in its graph.

A node's label takes in, round by round, the labels of what it reads and of what reads it (Shervashidze et al.,
JMLR 12, 2011; for architectures Ru et al., ICLR 2021, arXiv:2006.07556). The graph is the one that names the network
(`genome.compute_graph`): expanded and resolved, without nodes that no exit needs and without those that change nothing,
so that features do not depend on how nodes are named, listed or written as motifs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from math import log2
from typing import NamedTuple

import numpy as np

from genome.op import Op, Shape
from genome.plan import Plan
from genome.step import SOURCE

ROUNDS = 2  # a node sees what is two edges away; further away hardly two networks agree
IMAGE = 1  # label of the image
ODD = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)  # to mix with


class Wiring(NamedTuple):
    """The graph of a network in numbers."""

    # (levels, nodes), 64-bit numbers, from coarse to fine
    labels: np.ndarray
    # (3, edges): the node that is read, -1 for the image; the node that reads it; the position of the input
    edges: np.ndarray


class Occurrences(NamedTuple):
    """Which neighbourhoods occur in which networks, one entry for each time."""

    # 64-bit numbers
    kinds: np.ndarray
    # indices of the networks
    networks: np.ndarray


def wiring(plan: Plan) -> Wiring:
    """Return the graph of a network."""
    graph = plan.compute_graph
    turns = Counter([step.node.name for step in plan.steps])  # more than one for the members of a loop
    labels = [_labels(step.node.op, step.info.out, turns[step.node.name]) for step in graph.steps]
    edges = [(u, v, slot) for v, read in enumerate(graph.ins) for u, slot in read]
    return Wiring(np.array(labels, dtype=np.int64).T.view(np.uint64), np.array(edges).T)


def occurrences(networks: Sequence[Wiring]) -> list[Occurrences]:
    """Return what occurs: for each coarseness of the labels the labels, the edges, and what each round gives.

    What is counted of a network does not depend on the others, which are only looked at together to be fast.
    """
    sizes = [one.labels.shape[1] for one in networks]
    of_node = np.repeat(np.arange(len(networks)), sizes)
    of_edge = np.repeat(np.arange(len(networks)), [one.edges.shape[1] for one in networks])
    read, reader, slot = np.concatenate([one.edges for one in networks], axis=1)
    start = np.append(0, np.cumsum(sizes))[of_edge]  # where the nodes of each edge's network begin
    edges = np.where(read == SOURCE, SOURCE, read + start), reader + start, slot.astype(np.uint64)
    found = []
    for labels in np.concatenate([one.labels for one in networks], axis=1):
        found.append(Occurrences(labels, of_node))
        found.append(Occurrences(_mixed(_with_image(labels)[edges[0]], labels[edges[1]]), of_edge))
        found += [Occurrences(each, of_node) for each in _rounds(labels, *edges)]
    return found


def _rounds(
    labels: np.ndarray, read: np.ndarray, reader: np.ndarray, slot: np.ndarray
) -> Iterable[np.ndarray]:
    """The labels after each round; a sum is the same in whatever order a node has its edges."""
    for _ in range(ROUNDS):
        ins, outs = np.zeros_like(labels), np.zeros(len(labels) + 1, np.uint64)  # the last for the image
        np.add.at(ins, reader, _mixed(_with_image(labels)[read], slot))
        np.add.at(outs, read, _mixed(labels[reader], slot))
        labels = _mixed(_mixed(labels, ins), outs[:-1])
        yield labels


def _with_image(labels: np.ndarray) -> np.ndarray:
    """The labels of all nodes, and last that of the image, whose index is -1."""
    return np.append(labels, np.uint64(IMAGE))


def _mixed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """64-bit hashes of pairs of 64-bit numbers, in order, alike in every process."""
    mixed = (a ^ ((b + ODD[0]) * ODD[1])) * ODD[2]
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) * ODD[1])


# --- labels, from coarse to fine


@lru_cache(maxsize=1 << 14)
def _labels(op: Op, out: Shape, turns: int) -> tuple[int, ...]:
    """Three labels: by the word; by the genes; by the output's channels and height to the nearest power of two too."""
    word, genes = _number(op.word), _described(op)
    sized = hash((genes, round(log2(out.channels)), round(log2(out.height))))
    return tuple([hash((label, turns)) for label in (word, genes, sized)])


@lru_cache(maxsize=1 << 12)
def _described(op: Op) -> int:
    return _number(repr(op.described()))


@lru_cache(maxsize=1 << 12)
def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)
