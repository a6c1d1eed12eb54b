"""Genomes that the tests of pictures draw."""

from genome import Genome, loads

DIGITS = """
genome: digits
input: [1, 28, 28]
classes: 10
widths: {rule: add, base: 12, alpha: 24}
nodes:
  stem: {op: conv, in: [image], width: 12}
  s1: {op: stack, in: [stem], depth: 2, body: {op: residual, order: pre}}
  down: {op: pool, in: [s1]}
  wide: {op: separable, in: [down], kernel: 5}
  gather: {op: dense, in: [down], layers: 2, growth: 8}
  join: {op: concat, in: [wide, gather]}
  a: {op: conv, in: [join, b], width: 24}
  b: {op: conv, in: [join, a], width: 24}
  early: {op: exit, in: [s1], weight: 0.3}
  out: {op: exit, in: [a, b]}
loops:
  turn: {order: [a, b], passes: 2}
"""


def deep(units: int) -> Genome:
    return loads(
        "genome: deep\ninput: [3, 32, 32]\nclasses: 10\nwidths: {rule: add, base: 16, alpha: 48}\nnodes:\n"
        f"  s: {{op: stack, in: [image], depth: {units}, body: {{op: residual, order: pyramid, fit: pad}}}}\n"
        "  early: {op: exit, in: [s]}\n  out: {op: exit, in: [s, image]}\n"
    )
