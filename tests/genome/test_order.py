"""The order of evaluation, and loops: the inputs of each pass, what passes share, and what is no loop."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import genome
from genome.graph import GenomeError, Loop
from genome.order import visits
from genome.testing.measure import check_plan
from genome.yaml.source import SourceError

HEAD = """\
genome: g
input: [3, 8, 8]
classes: 4
widths: {rule: constant, base: 6}
nodes:
"""

TWO = (
    HEAD
    + """\
  stem: {op: conv, in: [image]}
  a: {op: conv, in: [stem, b]}
  b: {op: conv, in: [a]}
  out: {op: exit, in: [b]}
loops:
  l: {order: [a, b], passes: 2}
"""
)

CLIQUE = (
    HEAD
    + """\
  stem: {op: conv, in: [image]}
  c1: {op: conv, in: [stem, c2, c3]}
  c2: {op: conv, in: [stem, c1, c3]}
  c3: {op: conv, in: [stem, c1, c2]}
  out: {op: exit, in: [c1, c2, c3]}
loops:
  l: {order: [c1, c2, c3], passes: PASSES}
"""
)


def read(text: str) -> list[tuple[str, int, tuple[str | None, ...]]]:
    return [(v.node.name, v.turn, v.reads) for v in visits(genome.loads(text))]


def refusal(text: str) -> str:
    with pytest.raises(genome.SourceError) as caught:
        genome.loads(text, path="g.yaml")
    return str(caught.value)


# --- order


def test_nodes_may_name_later_ones_and_keep_the_written_order_where_they_can() -> None:
    text = (
        HEAD
        + """\
  out: {op: exit, in: [c, b]}
  c: {op: conv, in: [a]}
  b: {op: conv, in: [a]}
  unread: {op: conv, in: [b]}
  a: {op: conv, in: [image]}
"""
    )
    assert [name for name, _, _ in read(text)] == ["a", "c", "b", "out"]
    check_plan(genome.resolve(genome.loads(text)))


def test_exits_keep_the_written_order_whatever_is_evaluated_first() -> None:
    text = (
        HEAD
        + """\
  late: {op: exit, in: [b], weight: 0.25}
  early: {op: exit, in: [a], pool: flatten, weight: 0.75}
  a: {op: conv, in: [image], stride: 2}
  b: {op: conv, in: [a]}
"""
    )
    plan = genome.resolve(genome.loads(text))
    assert [plan.steps[i].node.name for i in plan.exits] == ["late", "early"]
    module = genome.build(plan).eval()
    assert module.exit_weights == (0.25, 0.75)
    kept: dict[str, Tensor] = {}
    for name in ("late", "early"):
        module.node(name).register_forward_hook(lambda _m, _i, out, name=name: kept.update({name: out}))
    late, early = module(torch.randn(2, 3, 8, 8))
    assert late is kept["late"] and early is kept["early"]


def test_the_last_exit_counts_in_the_loss() -> None:
    """Its accuracy is that of the network: seen was a training that left it as it was drawn, in silence."""
    text = (
        HEAD
        + """\
  a: {op: conv, in: [image]}
  early: {op: exit, in: [a], weight: EARLY}
  out: {op: exit, in: [a], weight: LAST}
"""
    )
    genome.resolve(genome.loads(text.replace("EARLY", "0").replace("LAST", "1")))
    with pytest.raises(SourceError, match=r":8  out\.weight is 0 and out is the last exit"):
        genome.resolve(genome.loads(text.replace("EARLY", "1").replace("LAST", "0")))


# --- loops


def test_the_first_pass_reads_what_enters_and_later_ones_the_rest_of_the_loop() -> None:
    assert read(CLIQUE.replace("PASSES", "1")) == [
        ("stem", 0, ("image",)),
        ("c1", 0, ("stem", None, None)),
        ("c2", 0, ("stem", "c1", None)),
        ("c3", 0, ("stem", "c1", "c2")),
        ("c1", 1, (None, "c2", "c3")),
        ("c2", 1, (None, "c1", "c3")),
        ("c3", 1, (None, "c1", "c2")),
        ("out", 0, ("c1", "c2", "c3")),
    ]


def test_a_loop_of_two_trains() -> None:
    """The loss falls, and the kernel of every edge has a gradient."""
    torch.manual_seed(0)
    plan = genome.resolve(genome.loads(TWO))
    module = genome.build(plan)
    images, labels = torch.randn(32, 3, 8, 8), torch.arange(32) % 4
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = F.cross_entropy(module(images)[0], labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    kernels = {name: p for name, p in module.named_parameters() if p.dim() == 4}
    assert [p.shape[1] for p in kernels.values()] == [3, 6 + 6, 6]  # stem, a over stem and b, b over a
    assert all(p.grad is not None and p.grad.abs().sum(dim=(0, 2, 3)).gt(0).all() for p in kernels.values())


def test_passes_share_kernels_and_have_norms_of_their_own() -> None:
    plan = genome.resolve(genome.loads(TWO))
    module = check_plan(plan)
    assert list(module.nodes) == ["stem", "a", "b", "a__pass1", "b__pass1", "a__pass2", "b__pass2", "out"]
    kernels = [[m for m in module.node("b", k).modules() if isinstance(m, nn.Conv2d)] for k in range(3)]
    assert all(one[0].weight is other[0].weight for one, other in pairwise(kernels))
    norms = [[m for m in module.node("b", k).modules() if isinstance(m, nn.BatchNorm2d)] for k in range(3)]
    assert len({id(norm[0].weight) for norm in norms}) == 3
    kernel = 9 * 6 * 6
    assert plan.params == 9 * 3 * 6 + 12 + 3 * kernel + 6 * 12 + 4 * (6 + 1)
    assert plan.macs == 64 * (9 * 3 * 6 + 6 * kernel) + 24  # each of three passes runs two kernels


@pytest.mark.parametrize("passes", [0, 1, 3])
def test_a_clique_of_three_is_cliquenet_written_out(passes: int) -> None:
    """In CliqueNet (arXiv:1802.10419), stage 1 feeds forward, and stage 2 reads the block with the same kernels."""
    plan = genome.resolve(genome.loads(CLIQUE.replace("PASSES", str(passes))))
    module = check_plan(plan).double()
    names = ["c1", "c2", "c3"]
    kernels: dict[tuple[str, str], Tensor] = {}
    for turn in (0, 1) if passes else (0,):
        for step in plan.steps:
            if step.node.name in names and step.turn == turn:
                weight = module.node(step.node.name, turn).conv.weight
                there = [s for s, shape in zip(step.node.ins, step.ins, strict=True) if passes or shape]
                for source, kernel in zip(there, torch.split(weight, 6, dim=1), strict=True):
                    kernels[source, step.node.name] = kernel
    assert len(kernels) == (9 if passes else 6)  # in a single stage no node reads a later node
    image = torch.randn(4, 3, 8, 8, dtype=torch.float64)

    def unit(total: Tensor) -> Tensor:
        return F.batch_norm(total, None, None, training=True).relu()

    def conv(source: str, name: str) -> Tensor:
        return F.conv2d(value[source], kernels[source, name], padding=1)

    value = {"stem": module.node("stem")(image)}
    for i, name in enumerate(names):
        value[name] = unit(sum((conv(other, name) for other in names[:i]), conv("stem", name)))
    for _ in range(passes):
        for name in names:
            first, second = (other for other in names if other != name)
            value[name] = unit(conv(first, name) + conv(second, name))
    vector = torch.cat([value[name].mean(dim=(2, 3)) for name in names], dim=1)
    linear = module.node("out").linear
    torch.testing.assert_close(
        module(image)[0], vector @ linear.weight.T + linear.bias, rtol=1e-10, atol=1e-10
    )


def test_a_node_may_read_itself() -> None:
    text = (
        HEAD
        + "  a: {op: conv, in: [image, a]}\n  o: {op: exit, in: [a]}\nloops:\n  l: {order: [a], passes: 3}\n"
    )
    plan = genome.resolve(genome.loads(text))
    check_plan(plan)
    assert [(s.node.name, s.sources) for s in plan.steps] == [
        ("a", (-1, None)), ("a", (None, 0)), ("a", (None, 1)), ("a", (None, 2)), ("o", (3,))
    ]  # fmt: skip
    assert plan.params == 9 * (3 * 6 + 6 * 6) + 4 * 12 + 4 * 7


def test_no_pass_again_is_a_plain_graph_without_the_edges_that_point_back() -> None:
    text = TWO.replace("passes: 2", "passes: 0")
    plan = genome.resolve(genome.loads(text))
    check_plan(plan)
    straight = TWO.partition("loops:")[0].replace("[stem, b]", "[stem]")
    assert plan.params == genome.resolve(genome.loads(straight)).params


def test_loops_of_joins_and_separables_run() -> None:
    text = (
        HEAD
        + """\
  stem: {op: conv, in: [image]}
  a: {op: separable, in: [stem, b, c]}
  b: {op: add, in: [a, c], activation: relu}
  c: {op: mean, in: [b, stem]}
  out: {op: exit, in: [c]}
loops:
  l: {order: [a, b, c], passes: 2}
"""
    )
    check_plan(genome.resolve(genome.loads(text)))


def test_all_that_enters_a_loop_is_pooled_to_one_size() -> None:
    text = (
        HEAD
        + """\
  small: {op: conv, in: [image], stride: 4}
  a: {op: conv, in: [image, b]}
  b: {op: conv, in: [small, a]}
  out: {op: exit, in: [b]}
loops:
  l: {order: [a, b]}
"""
    )
    plan = genome.resolve(genome.loads(text))
    check_plan(plan)
    assert {step.info.out[1:] for step in plan.steps if step.node.name in "ab"} == {(2, 2)}


def test_two_loops_one_after_the_other() -> None:
    text = (
        HEAD
        + """\
  a: {op: conv, in: [image, b]}
  b: {op: conv, in: [a]}
  c: {op: conv, in: [b, d]}
  d: {op: conv, in: [c, a]}
  out: {op: exit, in: [d]}
loops:
  one: {order: [a, b]}
  two: {order: [c, d]}
"""
    )
    check_plan(genome.resolve(genome.loads(text)))
    assert [name for name, _, _ in read(text)] == ["a", "b", "a", "b", "c", "d", "c", "d", "out"]


def test_members_that_no_exit_needs_are_left_out() -> None:
    text = (
        HEAD
        + """\
  a: {op: conv, in: [image, b]}
  b: {op: conv, in: [a]}
  idle: {op: conv, in: [b, tiny]}
  tiny: {op: conv, in: [image], stride: 8}
  out: {op: exit, in: [b]}
loops:
  l: {order: [a, b, idle]}
"""
    )
    plan = genome.resolve(genome.loads(text))
    check_plan(plan)
    assert [(s.node.name, s.turn) for s in plan.steps] == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("out", 0)]
    assert {s.info.out for s in plan.steps[:-1]} == {(6, 8, 8)}  # their inputs do not set the size either
    assert genome.digest(plan)


# --- what is no loop


def test_an_undeclared_cycle_is_named_node_by_node() -> None:
    text = TWO.partition("loops:")[0]
    assert refusal(text) == (
        "g.yaml:7  cycle a -> b -> a belongs to no loop; add it under `loops:` or drop an edge"
    )
    text = HEAD + "  a: {op: conv, in: [image, a]}\n  o: {op: exit, in: [a]}\n"
    assert refusal(text) == "g.yaml:6  cycle a -> a belongs to no loop; add it under `loops:` or drop an edge"


def test_a_way_out_of_a_loop_and_back_is_a_cycle_too() -> None:
    text = TWO.replace("  out:", "  x: {op: conv, in: [b]}\n  out:").replace("[stem, b]", "[stem, b, x]")
    assert refusal(text) == (
        "g.yaml:9  cycle loop l -> x -> loop l belongs to no loop; add it in `order` of l or drop an edge"
    )


LOOP = "loops:\n  l: {order: [a, b], passes: 2}\n"


@pytest.mark.parametrize(
    ("edits", "sentence"),
    [
        (
            {LOOP: LOOP + "  m: {order: [b]}\n"},
            "8  loops.m.order names b, which is already in loop l; a node may be in one loop",
        ),
        ({"in: [a]}": "in: [stem]}"}, "8  loops.l: b reads no member of the loop; remove it from `order`"),
        (
            {"[stem, b]": "[b]"},
            "7  loops.l: a has no input in the first pass; put it later in `order` or give it an input"
            " from outside the loop",
        ),
        (
            {"a: {op: conv, in: [stem, b]}": "a: {op: concat, in: [stem, b]}"},
            "7  loops.l: a is a concat, which can't be in a loop; use a conv over"
            " several inputs, which convolves their concatenation",
        ),
        (
            {"a: {op: conv, in: [stem, b]}": "a: {op: pool, in: [stem, b]}"},
            "7  loops.l: a (pool) reads 2 inputs; in a loop it may read one",
        ),
        (
            {"b: {op: conv, in: [a]}": "b: {op: conv, in: [a], stride: 2}"},
            "7  a gives 6x8x8 in one pass of its loop and 6x4x4 in the next; members"
            " of a loop must keep the image size (stride 1)",
        ),
        ({"order: [a, b]": "order: [a, c]"}, "11  loops.l.order names c, which is no node"),
        ({"order: [a, b]": "order: [a, stm]"}, "11  loops.l.order names stm, which is no node (stem?)"),
        ({"order: [a, b]": "order: [a, b, a]"}, "11  loops.l.order names a node twice: a, b, a"),
        ({"order: [a, b]": "order: a"}, "11  loops.l.order is a; it must be a list of node names"),
        ({"order: [a, b]": "order: [a, 2]"}, "11  loops.l.order names 2; it must be the name of a node"),
        ({"order: [a, b], passes": "passes"}, "11  loops.l.order is missing; write `order: ..`"),
        ({"passes: 2": "passes: 99"}, "11  loops.l.passes is 99; it may be 0..16"),
        ({"passes: 2": "passes: 2, update: 0"}, "11  loops.l.update is 0; it may be 1..2"),
        ({"passes: 2": "passes: 2, update: 3"}, "11  loops.l.update is 3; it may be 1..2"),
        ({"passes: 2": "passes: 2, update: all"}, "11  loops.l.update is all; it may be 1..2"),
        ({"passes: 2": "passes: 2, update: true"}, "11  loops.l.update is true; it may be 1..2"),
        (
            {"passes: 2": "pases: 2"},
            "11  loops.l.pases is not known (passes?); it may be order, passes, update",
        ),
        (
            {"  l: {": "  'l 1': {"},
            "11  loops: 'l 1' is no name; it may have letters, digits and _ in parts joined by . or /, a letter"
            " or _ first",
        ),
    ],
)
def test_loops_that_are_refused(edits: dict[str, str], sentence: str) -> None:
    text = TWO
    for old, new in edits.items():
        assert old in text
        text = text.replace(old, new)
    assert refusal(text) == f"g.yaml:{sentence}"


def test_without_a_file_the_sentence_stands_alone() -> None:
    whole = genome.loads(TWO)
    alone = genome.Genome(whole.name, whole.input, whole.classes, whole.nodes, whole.widths)
    with pytest.raises(GenomeError, match=r"^cycle a -> b -> a belongs to no loop") as caught:
        genome.resolve(alone)
    assert caught.value.node == "a"


def test_a_loop_within_some_names_is_one_that_can_be_written() -> None:
    loop = Loop("l", ("a", "b", "c"), 2, 2)
    assert loop.within("abc") == loop
    assert loop.within("bc") == Loop("l", ("b", "c"), 2, 1)
    assert loop.within("ab") == Loop("l", ("a", "b"), 2)
    assert loop.within("c") == Loop("l", ("c",), 0)


def test_update_is_written_where_it_leaves_members_out() -> None:
    part = genome.loads(TWO.replace("passes: 2", "passes: 2, update: 1"))
    assert part.loops == (Loop("l", ("a", "b"), 2, 1),)
    assert "  l: {order: [a, b], passes: 2, update: 1}\n" in genome.dump(part)
    assert genome.loads(genome.dump(part)) == part
    every = genome.loads(TWO.replace("passes: 2", "passes: 2, update: 2"))
    assert every == genome.loads(TWO) and "update" not in genome.dump(every)


def test_members_past_update_keep_the_value_of_their_first_pass() -> None:
    text = CLIQUE.replace("PASSES", "2, update: 2")
    assert [(name, turn) for name, turn, _ in read(text) if turn] == [
        ("c1", 1), ("c2", 1), ("c1", 2), ("c2", 2),
    ]  # fmt: skip
    plan = genome.resolve(genome.loads(text))
    check_plan(plan)
    last = plan.steps[-1]
    assert [(plan.steps[i].node.name, plan.steps[i].turn) for i in last.sources] == [
        ("c1", 2), ("c2", 2), ("c3", 0),
    ]  # fmt: skip


GAPS = (
    HEAD
    + """\
  s: {op: conv, in: [image], width: 2}
  t: {op: conv, in: [image], width: 3}
  a: {op: OP, in: [b, s, c, t], order: conv, bias: true, kernel: 3}
  b: {op: conv, in: [s, a], width: 4}
  c: {op: conv, in: [b], width: 5}
  out: {op: exit, in: [a, c]}
loops:
  l: {order: [a, b, c], passes: 2}
"""
)


def test_a_pass_finds_its_kernels_among_those_of_all_inputs() -> None:
    """Pass 0 of `a` reads its second and fourth input, and later passes read the first and third."""
    plan = genome.resolve(genome.loads(GAPS.replace("OP", "conv")))
    net = check_plan(plan).double().eval()
    first, *later = [net.node("a", turn) for turn in range(3)]
    convs = [next(m for m in part.modules() if hasattr(m, "spans")) for part in (first, *later)]
    assert all(c.weight is convs[0].weight and c.bias is convs[0].bias for c in convs)
    weight = convs[0].weight
    weight.data.normal_()
    convs[0].bias.data.normal_()
    b, s, c, t = weight.split([4, 2, 5, 3], dim=1)
    xs = [torch.randn(2, n, 8, 8, dtype=torch.float64) for n in (4, 2, 5, 3)]
    read = torch.cat([xs[1], xs[3]], dim=1), torch.cat([xs[0], xs[2]], dim=1)
    kernels = torch.cat([s, t], dim=1), torch.cat([b, c], dim=1)
    given = [None, xs[1], None, xs[3]], [xs[0], None, xs[2], None]
    for part, x, kernel, ins in zip((first, later[0]), read, kernels, given, strict=True):
        expected = F.conv2d(x, kernel, convs[0].bias, padding=1)
        torch.testing.assert_close(part(*ins), expected, rtol=0, atol=1e-12)
    names = [name for name, p in net.named_parameters(remove_duplicate=False) if p is weight]
    assert len(names) == 3 and sum(p is weight for p in net.parameters()) == 1


def test_a_separable_pass_finds_its_kernels_too() -> None:
    """The depthwise filters of a separable node are stored along the other dimension."""
    text = GAPS.replace("op: OP", "op: separable").replace("order: conv, ", "")
    plan = genome.resolve(genome.loads(text))
    net = check_plan(plan).double().eval()
    xs = [torch.randn(2, n, 8, 8, dtype=torch.float64) for n in (4, 2, 5, 3)]
    whole = net.node("a", 1)(xs[0], None, xs[2], None)
    deep, wide = (m for m in net.node("a", 1).modules() if hasattr(m, "spans"))
    assert deep.weight.shape[0] == wide.weight.shape[1] == 14
    b, _, c, _ = deep.weight.split([4, 2, 5, 3])
    maps = torch.cat([F.conv2d(xs[0], b, padding=1, groups=4), F.conv2d(xs[2], c, padding=1, groups=5)], 1)
    parts = dict(net.node("a", 1).named_children())
    assert next(iter(parts.values())) is deep
    if deep.bias is not None:
        bias = torch.cat([deep.bias.split([4, 2, 5, 3])[i] for i in (0, 2)])
        maps = maps + bias.view(-1, 1, 1)
    for part in list(parts.values())[1:]:
        if part is wide:
            own = torch.cat([wide.weight.split([4, 2, 5, 3], dim=1)[i] for i in (0, 2)], dim=1)
            maps = F.conv2d(maps, own, wide.bias)
        else:
            maps = part(maps)
    torch.testing.assert_close(whole, maps, rtol=0, atol=1e-12)
