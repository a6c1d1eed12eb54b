"""The text of a small space in which samplers are tried."""

TEXT = """\
space:
  widths: {rule: add, base: {int: [4, 16, 4]}, alpha: {float: [0, 40]}}
  nodes:
    stem: {op: conv, in: [image], kernel: {one_of: [1, 3]}}
    s1: {op: {one_of: [conv, {op: stack, depth: {int: [1, 4]}}, separable]}, in: [stem]}
    (s2): {op: pool, in: [s1], kind: any}
    join: {op: {one_of: [add, concat]}, in: [s2, (stem)]}
    s3: {op: {one_of: [conv, pool, act]}, in: [join]}
    out: {op: exit, in: [s3]}
"""
