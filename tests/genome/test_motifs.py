"""Motifs against published networks: parameters to the last one, names, and expansions."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torchvision

import genome
from genome.graph import Genome, Loop, Node
from genome.op import Shape
from genome.testing.measure import check_plan

PYRAMID = """\
genome: pyramidnet-110
input: [3, 32, 32]
classes: {classes}
widths: {widths}
nodes:
  stem: {{op: conv, in: [image], order: conv-norm, width: 16}}
  s1: {{op: stack, in: [stem], depth: {depth}, body: {body}}}
  s2: {{op: stack, in: [s1], depth: {depth}, stride: 2, body: {body}}}
  s3: {{op: stack, in: [s2], depth: {depth}, stride: 2, body: {body}}}
  out: {{op: exit, in: [s3], norm: batch, activation: relu}}
"""
BASIC = "{op: residual, order: pyramid, fit: pad}"
BOTTLENECK = "{op: residual, unit: bottleneck, order: pyramid, fit: pad}"

RESNET = """\
genome: resnet
input: [3, 224, 224]
classes: 1000
nodes:
  stem: {{op: conv, in: [image], kernel: 7, stride: 2, width: 64}}
  pool: {{op: pool, in: [stem], kind: max, size: 3, stride: 2, padding: 1}}
  s1: {{op: stack, in: [pool], width: 64, depth: {0}, body: {body}}}
  s2: {{op: stack, in: [s1], width: 128, depth: {1}, stride: 2, body: {body}}}
  s3: {{op: stack, in: [s2], width: 256, depth: {2}, stride: 2, body: {body}}}
  s4: {{op: stack, in: [s3], width: 512, depth: {3}, stride: 2, body: {body}}}
  out: {{op: exit, in: [s4]}}
"""


def plan(text: str) -> genome.Plan:
    return genome.resolve(genome.loads(text))


def trained(*given: tuple[str, dict[str, Any]], classes: int = 10, size: int = 32) -> genome.Plan:
    """Return the plan of a chain of nodes with stated widths."""
    nodes, last = [], "image"
    for i, (word, genes) in enumerate(given):
        width = genes.pop("width", None)
        nodes.append(Node(f"n{i}", genome.lookup(word)(**genes), (last,), width))
        last = f"n{i}"
    return genome.resolve(Genome("chain", Shape(3, size, size), classes, tuple(nodes)))


# --- published networks


def torchvision_params(name: str) -> int:
    import torch

    with torch.device("meta"):
        return sum(p.numel() for p in torchvision.models.get_model(name).parameters())


@pytest.mark.parametrize(
    ("name", "depths", "unit", "params", "layers"),
    [
        ("resnet18", (2, 2, 2, 2), "basic", 11_689_512, 18),
        ("resnet34", (3, 4, 6, 3), "basic", 21_797_672, 34),
        ("resnet50", (3, 4, 6, 3), "bottleneck", 25_557_032, 50),
    ],
)
def test_resnets_have_torchvisions_parameters(
    name: str, depths: tuple[int, ...], unit: str, params: int, layers: int
) -> None:
    made = plan(RESNET.format(*depths, body=f"{{op: residual, unit: {unit}}}"))
    assert made.params == params == torchvision_params(name)
    assert made.depth == layers


def test_resnet18_has_the_multiply_adds_and_the_receptive_field_of_the_literature() -> None:
    made = plan(RESNET.format(2, 2, 2, 2, body="{op: residual}"))
    assert made.macs == 1_814_073_344  # fvcore's count for torchvision's resnet18
    assert made.receptive_field == 435


@pytest.mark.parametrize(
    ("rule", "alpha", "classes", "params", "final"),
    [
        ("add", 48, 10, 1_772_706, 64),
        ("add", 48, 100, 1_778_556, 64),
        ("add", 84, 10, 3_904_446, 100),
        ("add", 270, 10, 28_485_477, 286),
        ("multiply", 4.75, 10, 1_762_206, 76),
        ("multiply", 8, 10, 3_876_547, 128),
        ("multiply", 27, 10, 28_361_693, 432),
    ],
)
def test_pyramidnet_110_has_the_parameters_of_its_authors(
    rule: str, alpha: float, classes: int, params: int, final: int
) -> None:
    widths = f"{{rule: {rule}, base: 16, alpha: {alpha}}}"
    made = plan(PYRAMID.format(classes=classes, widths=widths, depth=18, body=BASIC))
    assert made.steps[-1].ins == (Shape(final, 8, 8),)
    assert made.params == params
    assert made.depth == 110


def test_pyramidnet_164_has_bottlenecks_of_four_times_the_scheduled_width() -> None:
    made = plan(
        PYRAMID.format(classes=10, widths="{rule: add, base: 16, alpha: 48}", depth=18, body=BOTTLENECK)
    )
    assert made.steps[-1].ins == (Shape(256, 8, 8),)
    assert made.params == 1_715_442
    assert made.depth == 164


def test_densenet_121_has_torchvisions_parameters() -> None:
    block = "op: dense, growth: 32, bottleneck: true"
    made = plan(f"""\
genome: densenet-121
input: [3, 224, 224]
classes: 1000
nodes:
  stem: {{op: conv, in: [image], kernel: 7, stride: 2, width: 64}}
  pool: {{op: pool, in: [stem], kind: max, size: 3, stride: 2, padding: 1}}
  b1: {{{block}, in: [pool], layers: 6, width: 128}}
  p1: {{op: pool, in: [b1], kind: avg}}
  b2: {{{block}, in: [p1], layers: 12, width: 256}}
  p2: {{op: pool, in: [b2], kind: avg}}
  b3: {{{block}, in: [p2], layers: 24, width: 512}}
  p3: {{op: pool, in: [b3], kind: avg}}
  b4: {{{block}, in: [p3], layers: 16}}
  out: {{op: exit, in: [b4], norm: batch, activation: relu}}
""")
    assert made.params == 7_978_856 == torchvision_params("densenet121")
    assert made.depth == 121
    assert made.steps[-1].ins == (Shape(1024, 7, 7),)


# --- counts by hand


def _conv(c: int, w: int, k: int = 3) -> int:
    return c * w * k * k


@pytest.mark.parametrize(
    ("genes", "width", "params"),
    [
        # two convolutions with a norm each, and the shortcut's 1x1 with its norm
        ({}, 8, _conv(4, 8) + _conv(8, 8) + 32 + _conv(4, 8, 1) + 16),
        ({"fit": "pad"}, 8, _conv(4, 8) + _conv(8, 8) + 32),
        ({}, 4, 2 * _conv(4, 4) + 16),  # the shortcut fits
        ({"stride": 2}, 4, 2 * _conv(4, 4) + 16 + _conv(4, 4, 1) + 8),
        ({"order": "pre", "fit": "pad"}, 8, _conv(4, 8) + 8 + _conv(8, 8) + 16),  # norms of the inputs
        ({"order": "pyramid", "fit": "pad"}, 8, 8 + _conv(4, 8) + 16 + _conv(8, 8) + 16),
        ({"unit": "bottleneck", "expansion": 2}, 4, 16 + 8 + _conv(4, 4) + 8 + 32 + 16 + _conv(4, 8, 1) + 16),
        ({"unit": "bottleneck", "order": "pre", "fit": "pad"}, 4, 16 + 8 + _conv(4, 4) + 8 + 64 + 8),
    ],
)
def test_a_residual_has_the_parameters_counted_by_hand(
    genes: dict[str, Any], width: int, params: int
) -> None:
    made = trained(
        ("conv", {"width": 4, "kernel": 1, "order": "conv"}),
        ("residual", {**genes, "width": width}),
        ("exit", {}),
    )
    wide = made.steps[-1].ins[0]
    assert wide is not None
    check_plan(made)
    assert made.params - 12 - 10 * (wide.channels + 1) == params


def test_a_residual_of_any_body_shrinks_by_its_stride() -> None:
    pool = genome.lookup("pool")(kind="avg", size=3, stride=1, padding=1)
    mean = genome.lookup("mean")()
    for body, nodes in ((pool, ["n1/body", "n1/add"]), (mean, ["n1/body", "n1/body/pool", "n1/add"])):
        made = trained(
            ("conv", {"width": 4}),
            ("residual", {"unit": "body", "body": body, "stride": 2, "rectify": True}),
            ("exit", {}),
        )
        check_plan(made)
        assert [n.name for n in made.genome.nodes[1:-1]] == nodes
        assert made.steps[-2].info.out == (4, 16, 16)
        assert made.genome.by_name["n1/add"].op == genome.lookup("add")(fit="project", activation="relu")


def test_a_dense_block_reads_everything_before_and_gives_all_of_it() -> None:
    made = trained(("conv", {"width": 6}), ("dense", {"layers": 3, "growth": 4}), ("exit", {}))
    check_plan(made)
    by_name = made.genome.by_name
    assert by_name["n1/conv3"].ins == ("n0", "n1/conv1", "n1/conv2")
    assert by_name["n1/out"].ins == ("n0", "n1/conv1", "n1/conv2", "n1/conv3")
    assert made.steps[-2].info.out.channels == 6 + 3 * 4
    layers = [2 * c + _conv(c, 4) for c in (6, 10, 14)]  # each norm covers all inputs
    assert made.params == _conv(3, 6) + 12 + sum(layers) + 10 * (18 + 1)


def test_a_stated_width_ends_a_dense_block_with_a_1x1_convolution() -> None:
    made = trained(("conv", {"width": 6}), ("dense", {"layers": 2, "growth": 4, "width": 7}), ("exit", {}))
    last = made.steps[-2]
    assert (last.node.name, last.info.out.channels, vars(last.node.op)["kernel"]) == ("n1/out", 7, 1)


# --- expansion


DEEP = """\
genome: deep
input: [3, 16, 16]
classes: 4
widths: {rule: add, base: 4, alpha: 12}
nodes:
  stem: {op: conv, in: [image], width: 4}
  s:
    {op: stack, in: [stem, image], depth: 2, stride: 2,
     body: {op: residual, unit: body, body: {op: stack, depth: 2, body: {op: conv, kernel: 1}}}}
  d: {op: dense, in: [s, stem], layers: 1}
  out: {op: exit, in: [d]}
"""


def test_expanding_twice_changes_nothing() -> None:
    written = genome.loads(DEEP)
    whole = genome.expand(written)
    assert not any(node.op.motif for node in whole.nodes)
    assert genome.expand(whole) is whole
    assert genome.loads(genome.dump(whole)) == whole
    one, two = genome.resolve(written), genome.resolve(whole)
    assert one == two
    check_plan(one)


def test_names_of_nested_motifs_are_addresses_and_units_are_blocks() -> None:
    whole = genome.expand(genome.loads(DEEP))
    assert [(n.name, n.ins) for n in whole.nodes] == [
        ("stem", ("image",)),
        ("s.1/in", ("stem", "image")),
        ("s.1/body.1", ("s.1/in",)),
        ("s.1/body.2", ("s.1/body.1",)),
        ("s.1/add", ("s.1/body.2", "s.1/in")),
        ("s.2/body.1", ("s.1/add",)),
        ("s.2/body.2", ("s.2/body.1",)),
        ("s.2/add", ("s.2/body.2", "s.1/add")),
        ("d/in", ("s.2/add", "stem")),
        ("d/conv1", ("d/in",)),
        ("d/out", ("d/in", "d/conv1")),
        ("out", ("d/out",)),
    ]
    made = genome.resolve(whole)
    out = {step.node.name: step.info.out for step in made.steps}
    assert {n.block for n in whole.nodes} == {"stem", "s.1", "s.2", "d", "out"}
    # two blocks take a scheduled width: 4 + 12 / 2 and 4 + 12; only the first unit has the stride
    assert out["s.1/add"] == (10, 8, 8) == out["s.1/body.1"]
    assert out["s.2/add"] == (16, 8, 8)


def test_a_body_with_a_stride_of_its_own_shrinks_once() -> None:
    body = genome.lookup("residual")(stride=2)
    made = trained(("stack", {"depth": 3, "body": body, "width": 4}), ("exit", {}))
    assert [made.steps[made.last[f"n0.{i}/add"]].info.out.height for i in (1, 2, 3)] == [16, 16, 16]


def test_a_stack_of_poolings_keeps_its_width_whatever_is_stated() -> None:
    made = trained(
        ("conv", {"width": 5}), ("stack", {"body": genome.lookup("pool")(), "width": 9}), ("exit", {})
    )
    assert made.steps[-1].ins == (Shape(5, 15, 15),)  # 2x2 windows; only the first unit has their stride


def refusal(text: str) -> str:
    with pytest.raises(genome.SourceError) as caught:
        genome.loads(text, path="g.yaml")
    return str(caught.value)


HEAD = "genome: g\ninput: [3, 8, 8]\nclasses: 2\nwidths: {rule: constant, base: 4}\nnodes:\n"


def test_names_that_a_motif_takes_are_not_free() -> None:
    text = (
        HEAD
        + "  s: {op: residual, in: [image]}\n  s/add: {op: conv, in: [s]}\n  o: {op: exit, in: [s/add]}\n"
    )
    assert refusal(text) == "g.yaml:7  two nodes are named s/add; names are unique"


def test_motifs_of_motifs_end() -> None:
    inner = "{op: stack, depth: 256, body: {op: dense, layers: 128}}"
    text = HEAD + f"  s: {{op: stack, in: [image], depth: 256, body: {inner}}}\n  o: {{op: exit, in: [s]}}\n"
    assert (
        refusal(text) == "g.yaml:6  the genome expands to more than 5000 nodes; use fewer or smaller motifs"
    )


@pytest.mark.parametrize(
    "motif",
    [
        "op: stack",
        "op: stack, depth: 3, stride: 2, body: {op: residual, unit: bottleneck}",
        "op: residual, order: pyramid, fit: pad",
        "op: fractal",
        "op: clique, bottleneck: true",
        "op: dense, layers: 2, bottleneck: true",
    ],
)
def test_a_multiple_of_a_constant_schedule_is_the_stated_width(motif: str) -> None:
    text = "genome: g\ninput: [3, 8, 8]\nclasses: 2\nwidths: {rule: constant, base: 6}\nnodes:\n"
    text += f"  s: {{{motif}, in: [image], width: WIDTH}}\n  o: {{op: exit, in: [s]}}\n"
    multiple = genome.resolve(genome.loads(text.replace("WIDTH", "4x")))
    check_plan(multiple)
    assert genome.digest(multiple) == genome.digest(genome.resolve(genome.loads(text.replace("WIDTH", "24"))))


def test_a_multiple_is_of_a_scheduled_width() -> None:
    text = HEAD + "  s: {op: add, in: [image], width: 4x}\n  o: {op: exit, in: [s]}\n"
    assert refusal(text) == "g.yaml:6  s.width is 4x; only a scheduled width may be a multiple"


def test_the_nodes_of_a_motif_are_members_of_its_loop() -> None:
    text = HEAD + (
        "  j: {op: add, in: [image, b], width: 4}\n  a: {op: stack, in: [j], depth: 2, body: {op: conv}}\n"
        "  b: {op: conv, in: [a]}\n  o: {op: exit, in: [b]}\nloops:\n  l: {order: [j, a, b], update: 2}\n"
    )
    plan = genome.resolve(genome.loads(text))
    check_plan(plan)
    assert plan.genome.loops == (Loop("l", ("j", "a.1", "a.2", "b"), 1, 3),)
    assert [s.node.name for s in plan.steps] == ["j", "a.1", "a.2", "b", "j", "a.1", "a.2", "o"]


def test_a_motif_in_a_loop_reads_one_input() -> None:
    text = HEAD + (
        "  a: {op: stack, in: [image, b]}\n  b: {op: conv, in: [a]}\n  o: {op: exit, in: [b]}\n"
        "loops:\n  l: {order: [a, b]}\n"
    )
    assert refusal(text) == (
        "g.yaml:6  loops.l: a.1/in is a concat, which can't be in a loop; use a conv over several inputs, which"
        " convolves their concatenation"
    )


@pytest.mark.parametrize("depth", [1, 7])
def test_blocks_step_the_schedule_once_each(depth: int) -> None:
    text = HEAD.replace("{rule: constant, base: 4}", "{rule: multiply, base: 4, alpha: 8}")
    text += f"  s: {{op: stack, in: [image], depth: {depth}}}\n  o: {{op: exit, in: [s]}}\n"
    made = genome.resolve(genome.loads(text))
    widths = [made.steps[made.last[f"s.{i}/add"]].info.out.channels for i in range(1, depth + 1)]
    assert widths == [round(4 * math.pow(8, i / depth)) for i in range(1, depth + 1)]
