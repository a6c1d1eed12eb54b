"""Weisfeiler-Lehman features: equal for networks that differ by names, listing and nodes that change nothing."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import genome
from search.samplers.surrogate.wl import Wiring, occurrences, wiring

HEAD = "genome: g\ninput: [3, 8, 8]\nclasses: 4\nwidths: {rule: constant, base: 8}\nnodes:\n"
NODES = (
    "stem: {op: conv, in: [image]}",
    "a: {op: conv, in: [stem], kernel: 1}",
    "b: {op: pool, in: [stem], size: 3, stride: 1, padding: 1}",
    "sum: {op: add, in: [a, b]}",
    "out: {op: exit, in: [sum]}",
)


def features(*nodes: str, loops: str = "") -> list[Counter[int]]:
    text = HEAD + "".join(f"  {node}\n" for node in nodes) + loops
    return counted(wiring(genome.resolve(genome.loads(text))))


def counted(network: Wiring) -> list[Counter[int]]:
    """Return how often each kind occurs in a network, for each kind of feature."""
    return [Counter(each.kinds.tolist()) for each in occurrences([network])]


def same(a: list[Counter[int]], b: list[Counter[int]]) -> list[bool]:
    """Return whether two networks agree, for each kind of feature."""
    return [x == y for x, y in zip(a, b, strict=True)]


def changed(old: str, new: str) -> tuple[str, ...]:
    return tuple(node.replace(old, new) for node in NODES)


PLAIN = features(*NODES)


def test_isomorphic_networks_have_equal_features() -> None:
    renamed = (
        "root: {op: conv, in: [image]}",
        "x: {op: pool, in: [root], size: 3, stride: 1, padding: 1}",
        "y: {op: conv, in: [root], kernel: 1}",
        "total: {op: add, in: [x, y]}",
        "out: {op: exit, in: [total]}",
    )
    assert all(same(PLAIN, features(*renamed)))


def test_what_changes_nothing_and_what_is_not_needed_is_not_seen() -> None:
    more = (*NODES[:2], *NODES[2:4], "same: {op: act, in: [sum], activation: none}", "out: {op: exit, in: [same]}",
            "dead: {op: conv, in: [a]}")  # fmt: skip
    assert all(same(PLAIN, features(*more)))


def test_a_motif_has_the_features_of_the_nodes_that_it_stands_for() -> None:
    motif = features("s: {op: stack, in: [image], depth: 2, body: {op: conv}}", "out: {op: exit, in: [s]}")
    plain = features(
        "a: {op: conv, in: [image]}", "b: {op: conv, in: [a]}", "out: {op: exit, in: [b]}"
    )  # fmt: skip
    assert all(same(motif, plain))


def test_each_coarseness_sees_what_it_is_for() -> None:
    """The groups are words, genes and sizes; each counts labels, edges, and neighbourhoods of one and two rounds."""
    another_word = same(
        PLAIN,
        features(*changed("op: pool, in: [stem], size: 3, stride: 1, padding: 1", "op: act, in: [stem]")),
    )
    another_gene = same(PLAIN, features(*changed("kernel: 1", "kernel: 5")))
    another_width = same(PLAIN, features(*changed("kernel: 1", "kernel: 1, width: 32")))
    assert not any(another_word)
    assert another_gene == [True] * 4 + [False] * 8
    assert another_width == [True] * 8 + [False] * 4


def test_rounds_tell_apart_what_labels_do_not() -> None:
    """The same nodes in another order."""
    one = (
        "a: {op: conv, in: [image]}",
        "b: {op: pool, in: [a]}",
        "c: {op: act, in: [b]}",
        "out: {op: exit, in: [c]}",
    )
    two = (
        "a: {op: conv, in: [image]}",
        "b: {op: act, in: [a]}",
        "c: {op: pool, in: [b]}",
        "out: {op: exit, in: [c]}",
    )
    assert same(features(*one), features(*two))[:4] == [True, False, False, False]


def test_the_turns_of_a_loop_count() -> None:
    def clique(passes: int) -> list[Counter[int]]:
        return features(
            f"c: {{op: clique, in: [image], nodes: 3, passes: {passes}}}", "out: {op: exit, in: [c]}"
        )

    assert not any(same(clique(1), clique(2)))


def test_kinds_are_counted_in_each_network() -> None:
    networks = [wiring(genome.resolve(genome.zoo.get(name))) for name in genome.zoo.names()[:5]]
    together = occurrences(networks)
    for i, one in enumerate(networks):
        alone = [Counter(each.kinds[each.networks == i].tolist()) for each in together]
        assert alone == counted(one)


def test_words_are_counted() -> None:
    words = features("s: {op: stack, in: [image], depth: 4, body: {op: conv}}", "out: {op: exit, in: [s]}")[0]
    assert sorted(words.values()) == [1, 4]


def test_features_are_the_same_in_every_process() -> None:
    """A resumed study must learn from the same numbers."""
    code = (
        "import genome; from search.samplers.surrogate.wl import occurrences, wiring;"
        "network = wiring(genome.resolve(genome.zoo.get('resnet-20')));"
        "print([each.kinds.tolist() for each in occurrences([network])])"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert printed[0] == printed[1]
    assert len(printed[0]) > 100
