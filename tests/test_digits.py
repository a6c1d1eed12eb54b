"""Every node type and motif, in a network of a few thousand parameters, learns real handwritten digits."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch

import genome
from trainer import Recipe, evaluate, fit, load

LEAST = 0.95  # of the 216 validation images
MOST_PARAMS = 20_000


class Net(NamedTuple):
    """The part between a 1x1 convolution of the image and the exit, one node a line; the last node is `z`.

    Without that part the network classifies 0.72 of the validation images correctly."""

    nodes: str
    epochs: int = 18


TYPES = {
    "conv": Net("z: {op: conv, in: [stem], width: 16, groups: 2, dropout: 0.1}"),
    "separable": Net("a: {op: separable, in: [stem], width: 24}\n  z: {op: separable, in: [a], width: 32}"),
    "active": Net("z: {op: active, in: [stem], width: 16, groups: 2}"),
    "deform": Net("z: {op: deform, in: [stem], width: 16, modulation: unit, rate: 0.1}"),
    "mlpconv": Net("z: {op: mlpconv, in: [stem], width: 16, norm: batch}"),
    # masks do not see neighbours; overlapping pools do
    "perturb": Net("a: {op: perturb, in: [stem], width: 32, masks: 4, level: 0.5}\n"
                   "  b: {op: pool, in: [a], size: 3, stride: 1, padding: 1}\n"
                   "  z: {op: perturb, in: [b], width: 32, masks: 4, level: 0.5}", epochs=24),
    "pool": Net("a: {op: pool, in: [stem], kind: avg, size: 3, stride: 1, padding: 1}\n"
                "  z: {op: conv, in: [a], width: 16}"),
    "squeeze": Net("a: {op: conv, in: [stem], width: 16}\n  z: {op: squeeze, in: [a]}"),
    "act": Net("a: {op: conv, in: [stem], width: 16, order: conv}\n  z: {op: act, in: [a], norm: batch}"),
    "dropout": Net("a: {op: conv, in: [stem], width: 16}\n  z: {op: dropout, in: [a], rate: 0.2}"),
    "zero": Net("a: {op: zero, in: [stem]}\n  b: {op: conv, in: [stem], width: 16}\n  z: {op: concat, in: [a, b]}"),
    "lrn": Net("a: {op: conv, in: [stem], width: 16}\n  z: {op: lrn, in: [a]}"),
    "add": Net("a: {op: conv, in: [stem], width: 16, order: conv-norm}\n"
               "  z: {op: add, in: [a, stem], activation: relu, drop_path: 0.1}"),
    "mean": Net("a: {op: conv, in: [stem], width: 16}\n  b: {op: conv, in: [stem], width: 16, kernel: 1}\n"
                "  z: {op: mean, in: [a, b, stem], drop_path: 0.15}"),
    "concat": Net("a: {op: conv, in: [stem], width: 8}\n  b: {op: conv, in: [stem], width: 8, kernel: 5}\n"
                  "  z: {op: concat, in: [a, b, stem]}"),
    "exit": Net("early: {op: exit, in: [stem], depth: 1, body: {op: conv}, width: 12, weight: 0.3}\n"
                "  z: {op: conv, in: [stem], width: 16}"),
    "clique": Net("z: {op: clique, in: [stem], width: 8, nodes: 3}"),
    "dense": Net("z: {op: dense, in: [stem], layers: 3, growth: 8}"),
    "fractal": Net("z: {op: fractal, in: [stem], width: 12, columns: 3}"),
    "residual": Net("z: {op: residual, in: [stem], width: 16}"),
    "stack": Net("z: {op: stack, in: [stem], width: 12, depth: 2}"),
}  # fmt: skip

TEXT = """\
genome: {word}
input: [1, 8, 8]
classes: 10
nodes:
  stem: {{op: conv, in: [image], width: 16, kernel: 1}}
  {nodes}
  down: {{op: pool, in: [z]}}
  out: {{op: exit, in: [down], pool: flatten}}
"""


def test_every_word_has_a_network() -> None:
    assert set(TYPES) == set(genome.words())


@pytest.mark.slow
@pytest.mark.parametrize("word", genome.words())
def test_a_small_network_of_every_type_reads_digits(word: str) -> None:
    net, data = TYPES[word], load("digits")
    plan = genome.resolve(genome.loads(TEXT.format(word=word, nodes=net.nodes)))
    assert plan.params <= MOST_PARAMS
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        module = genome.build(plan)
        report = fit(module, data, recipe=Recipe(batch=32, epochs=net.epochs))
        assert report.best_weights is not None, report.reason
        module.load_state_dict(report.best_weights)
        test = evaluate(module, data.test, data).accuracy
    finally:
        torch.set_num_threads(threads)
    said = (
        f"{word}: {plan.params:,} params, {plan.macs:,} macs, {report.seconds:.1f} s,"
        f" valid {report.valid_accuracy:.4f}, test {test:.4f}"
    )
    print(said)  # `pytest -rP` shows it
    assert report.outcome == "done"
    assert report.valid_accuracy is not None and report.valid_accuracy >= LEAST, said
