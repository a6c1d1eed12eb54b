"""Genes that were added to published node types: at their default a genome's text and digest are as before."""

from __future__ import annotations

import pytest

import genome
from genome.testing import around
from genome.testing.variants import ends
from genome.text import written_op

LATER = [(word, gene) for word in genome.words() for gene in genome.lookup(word).genes if gene.later]

TEXT = """\
genome: stored
input: [3, 12, 12]
classes: 4
nodes:
  a: {op: active, in: [image], width: 6, kernel: 3, stride: 1, groups: 1, rate: 0.01, warmup: 100, normalize: true, \
bias: false, order: conv-norm-act, norm: batch, eps: 1e-05, activation: relu}
  d: {op: deform, in: [a], width: 8, kernel: 3, stride: 2, dilation: 1, groups: 2, modulation: unit, rate: 1.0, \
bias: false, order: conv-norm-act, norm: batch, eps: 1e-05, activation: relu}
  p: {op: perturb, in: [d], width: 8, noise: uniform, masks: 4, shared: false, level: 0.1, mix: dense, bias: true, \
order: act-norm-mix, norm: batch, eps: 1e-05, activation: relu}
  out: {op: exit, in: [p], depth: 0, norm: none, activation: none, pool: average, linear: true, weight: 1.0}
"""
DIGEST = "9dc6c671d89f8fd6b225a8358642a1ce"  # of the version that had none of these genes


def test_a_stored_genome_keeps_its_text_and_its_digest() -> None:
    stored = genome.loads(TEXT)
    assert genome.dump(stored) == TEXT
    assert genome.digest(stored) == DIGEST


@pytest.mark.parametrize(("word", "gene"), LATER, ids=lambda given: getattr(given, "name", given))
def test_a_later_gene_is_told_where_it_is_not_at_its_default(word: str, gene: genome.op.Gene) -> None:
    plain = genome.lookup(word)()
    assert gene.legal is not None and gene.name not in written_op(plain)
    assert plain.described() == (word, *(vars(plain)[g.name] for g in plain.genes if not g.later))
    for value in ends(gene.legal):
        if value != gene.default:
            changed = plain.having(**{gene.name: value})
            assert written_op(changed)[gene.name] == value
            assert changed.described() == (*plain.described(), (gene.name, value))


def test_two_values_have_two_digests() -> None:
    kind = genome.lookup("deform")
    found = {genome.digest(around(kind(kernel_groups=groups), 1)) for groups in (1, 2, 3, 4)}
    assert len(found) == 3, "the input has six channels: four groups are reduced to two"
