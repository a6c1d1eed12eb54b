"""pool, add, mean, concat and exit against torch by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import genome
from genome.op import Shape
from genome.testing.measure import check_plan
from tests.by_hand import classified, image, network, run
from tests.pairwise import pairs


def made(word: str, ins: Sequence[Shape], width: int = 0, **genes: Any) -> tuple[nn.Module, Shape]:
    op = genome.lookup(word)(**genes)
    out = op.shape(ins, width)
    torch.manual_seed(0)
    return op.build(ins, out).double(), out


def noise(shape: Shape, seed: int = 0) -> Tensor:
    return torch.randn(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def same(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


# --- pool


@pytest.mark.parametrize(
    ("kind", "size", "padding", "ceil"), pairs(["max", "avg"], [1, 2, 3, 5], [0, 1, 2], [False, True])
)
def test_a_pool_is_torchs_for_every_size_and_stride(kind: str, size: int, padding: int, ceil: bool) -> None:
    pooled = F.max_pool2d if kind == "max" else F.avg_pool2d
    pad = min(padding, size // 2)
    for stride in (1, 2, 3, 4, 7):
        for height, width in ((5, 5), (6, 7), (12, 9), (8, 31)):
            x = noise(Shape(2, height, width))
            genes = {"kind": kind, "size": size, "stride": stride, "padding": padding, "ceil": ceil}
            module, out = made("pool", [Shape(2, height, width)], **genes)
            expected = pooled(x, size, stride, pad, ceil_mode=ceil)
            same(module(x), expected)
            assert expected.shape[1:] == out


@pytest.mark.parametrize("kind", ["max", "avg"])
def test_a_window_larger_than_the_image_is_the_whole_image(kind: str) -> None:
    module, out = made("pool", [Shape(2, 3, 9)], kind=kind, size=5, stride=5)
    x = noise(Shape(2, 3, 9))
    pooled = F.max_pool2d if kind == "max" else F.avg_pool2d
    same(module(x), pooled(x, (3, 5), 5))
    assert out == (2, 1, 1)


def test_a_pool_over_several_inputs_pools_their_concatenation() -> None:
    text = """\
genome: g
input: [3, 8, 8]
classes: 2
nodes:
  a: {op: conv, in: [image], width: 2}
  b: {op: conv, in: [image], width: 3, stride: 2}
  p: {op: pool, in: [b, a, image], kind: avg, size: 4, stride: 4}
  o: {op: exit, in: [p], pool: flatten}
"""
    plan = genome.resolve(genome.loads(text))
    assert plan.steps[2].info.out == (8, 1, 1)
    module, got = check_plan(plan).eval(), {}
    for name in "abp":
        module.node(name).register_forward_hook(lambda _m, _i, out, name=name: got.update({name: out}))
    image = torch.randn(2, 3, 8, 8)
    module(image)
    whole = torch.cat([got["b"], F.avg_pool2d(got["a"], 2), F.avg_pool2d(image, 2)], dim=1)
    torch.testing.assert_close(got["p"], F.avg_pool2d(whole, 4))


# --- add and mean

SOURCES = [Shape(3, 8, 6), Shape(5, 8, 6), Shape(2, 4, 3)]


def padded(x: Tensor, channels: int) -> Tensor:
    """Append zero channels to the existing ones, or keep the first `channels` of them."""
    zeros = x.new_zeros(len(x), max(0, channels - x.shape[1]), *x.shape[2:])
    return torch.cat([x[:, :channels], zeros], dim=1)


@pytest.mark.parametrize("width", [0, 4, 7])
@pytest.mark.parametrize("word", ["add", "mean"])
def test_fit_pad_appends_zero_channels_and_pools_to_the_smallest_image(word: str, width: int) -> None:
    module, out = made(word, SOURCES, width)
    assert out == (width or 5, 4, 3)
    assert not list(module.parameters())
    xs = [noise(shape, seed) for seed, shape in enumerate(SOURCES)]
    fitted = [padded(F.avg_pool2d(x, 2) if x.shape[2] == 8 else x, out.channels) for x in xs]
    total = fitted[0] + fitted[1] + fitted[2]
    same(module(*xs), total / 3 if word == "mean" else total)


@pytest.mark.parametrize("word", ["add", "mean"])
def test_fit_project_is_a_strided_1x1_convolution_with_norm_where_the_shape_differs(word: str) -> None:
    module, out = made(word, SOURCES, 2, fit="project")
    assert out == (2, 4, 3)
    xs = [noise(shape, seed) for seed, shape in enumerate(SOURCES)]
    kernels = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    assert [tuple(k.weight.shape) for k in kernels] == [(2, 3, 1, 1), (2, 5, 1, 1)]  # the third input fits
    fitted = [
        F.batch_norm(F.conv2d(x, k.weight, stride=2), None, None, training=True)
        for x, k in zip(xs, kernels, strict=False)
    ]
    total = fitted[0] + fitted[1] + xs[2]
    same(module(*xs), total / 3 if word == "mean" else total)


def test_an_image_that_no_stride_takes_to_the_smaller_one_is_pooled_evenly() -> None:
    """The ratio from 7 to 5 is not whole; both fits pool, and project then has stride 1."""
    sources = [Shape(2, 7, 7), Shape(2, 5, 5)]
    xs = [noise(shape, seed) for seed, shape in enumerate(sources)]
    module, _ = made("add", sources)
    same(module(*xs), F.adaptive_avg_pool2d(xs[0], 5) + xs[1])
    module, _ = made("add", sources, fit="project")
    (kernel,) = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    projected = F.conv2d(F.adaptive_avg_pool2d(xs[0], 5), kernel.weight)
    same(module(*xs), F.batch_norm(projected, None, None, training=True) + xs[1])


@pytest.mark.parametrize(("big", "small"), [(7, 4), (5, 3), (9, 2), (8, 3)])
def test_windows_of_the_ratio_hang_over_the_edge_where_that_tiles_the_image(big: int, small: int) -> None:
    sources = [Shape(1, big, big), Shape(1, small, small)]
    xs = [noise(shape, seed) for seed, shape in enumerate(sources)]
    ratio = -(-big // small)
    same(made("add", sources)[0](*xs), F.avg_pool2d(xs[0], ratio, ceil_mode=True) + xs[1])


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_add_rectifies_the_sum(activation: str) -> None:
    sources = [Shape(3, 4, 4)] * 3
    xs = [noise(shape, seed) for seed, shape in enumerate(sources)]
    module, _ = made("add", sources, activation=activation)
    same(module(*xs), getattr(F, activation)(xs[0] + xs[1] + xs[2]))


def test_concat_keeps_the_order_of_its_inputs() -> None:
    xs = [noise(Shape(c, 4, 4), c) for c in (3, 1, 2)]
    module, out = made("concat", [Shape(c, 4, 4) for c in (3, 1, 2)])
    assert out == (6, 4, 4)
    same(module(*xs), torch.cat(xs, dim=1))


# --- exit


def test_exit_averages_each_input_and_classifies_them_together() -> None:
    module, out = made("exit", SOURCES, 7)
    assert out == (7, 1, 1)
    xs = [noise(shape, seed) for seed, shape in enumerate(SOURCES)]
    vector = torch.cat([x.mean(dim=(2, 3)) for x in xs], dim=1)  # (B, 10)
    (linear,) = [m for m in module.modules() if isinstance(m, nn.Linear)]
    same(module(*xs), vector @ linear.weight.T + linear.bias)


def test_exit_flattens_pixel_by_pixel() -> None:
    module, _ = made("exit", SOURCES, 7, pool="flatten")
    xs = [noise(shape, seed) for seed, shape in enumerate(SOURCES)]
    vector = torch.cat([x.reshape(2, -1) for x in xs], dim=1)  # (B, 144 + 240 + 24)
    (linear,) = [m for m in module.modules() if isinstance(m, nn.Linear)]
    assert linear.in_features == 408
    same(module(*xs), vector @ linear.weight.T + linear.bias)


def test_exit_normalises_and_rectifies_before_it_pools() -> None:
    module, _ = made("exit", SOURCES[:1], 7, norm="batch", activation="relu")
    x = noise(SOURCES[0])
    vector = F.batch_norm(x, None, None, training=True).relu().mean(dim=(2, 3))
    (linear,) = [m for m in module.modules() if isinstance(m, nn.Linear)]
    same(module(x), vector @ linear.weight.T + linear.bias)


@pytest.mark.parametrize("pool", ["average", "flatten"])
def test_exit_without_linear_gives_what_it_pools(pool: str) -> None:
    """In Network in Network, the last map has one channel per class."""
    sources = [Shape(4, 3, 3)] if pool == "average" else [Shape(1, 2, 2)]
    module, _ = made("exit", sources, 4, pool=pool, linear=False)
    assert not list(module.parameters())
    x = noise(sources[0])
    same(module(x), x.mean(dim=(2, 3)) if pool == "average" else x.reshape(2, 4))


def test_exit_without_linear_says_which_width_it_needs() -> None:
    with pytest.raises(ValueError, match="gives 3 logits for 4 classes; set linear: true"):
        genome.lookup("exit")(linear=False).shape([Shape(3, 8, 8)], 4)


def test_a_network_without_linear_is_what_was_planned() -> None:
    text = """\
genome: nin
input: [3, 8, 8]
classes: 6
nodes:
  a: {op: conv, in: [image], width: 4}
  b: {op: conv, in: [image], width: 2, kernel: 1, order: conv}
  o: {op: exit, in: [a, b], linear: false, norm: group, activation: silu}
"""
    check_plan(genome.resolve(genome.loads(text)))


TEXT = """\
genome: g
input: [3, 8, 8]
classes: 6
nodes:
  a: {op: conv, in: [image], width: 4}
  b: {op: conv, in: [a], width: 2, stride: 2}
  early: {op: exit, in: [a, image], GENES, weight: 0.3, norm: batch}
  out: {op: exit, in: [b]}
"""


def branch(genes: str) -> genome.Plan:
    return genome.resolve(genome.loads(TEXT.replace("GENES", genes)))


def test_an_exit_with_a_depth_is_a_branch_of_bodies_and_a_classifier() -> None:
    plan = branch("width: 5, depth: 3, stride: 2, body: {op: conv, kernel: 5}")
    check_plan(plan)
    shapes = {s.node.name: s.info.out for s in plan.steps}
    assert {name: shapes[name] for name in shapes if "/" in name} == dict.fromkeys(
        ("early/1", "early/2", "early/3"), (5, 4, 4)
    )
    by_name = plan.genome.by_name
    assert by_name["early/1"].ins == ("a", "image") and by_name["early"].ins == ("early/3",)
    assert by_name["early"].op == genome.lookup("exit")(weight=0.3, norm="batch")
    assert [plan.steps[i].node.name for i in plan.exits] == ["early", "out"]
    assert genome.build(plan).exit_weights == (0.3, 1.0)


def test_a_branch_is_the_nodes_written_out() -> None:
    written = TEXT.replace("  early: {op: exit, in: [a, image], GENES", "  e: {op: pool, in: [a, image]}\n"
                           "  f: {op: pool, in: [e]}\n  early: {op: exit, in: [f]")  # fmt: skip
    plain = genome.resolve(genome.loads(written))
    # the pool states its own stride; in the first network the exit's stride takes its place
    motif = branch("depth: 2, stride: 2, body: {op: pool}")
    assert genome.digest(motif) == genome.digest(plain)
    assert (motif.params, motif.macs) == (plain.params, plain.macs)


def test_an_exit_without_depth_has_no_stride_and_no_body() -> None:
    leave = genome.lookup("exit")
    assert leave(stride=4, body=genome.lookup("pool")()) == leave()
    assert leave(depth=1, stride=4) != leave(depth=1)


def test_a_branch_of_a_motif() -> None:
    plan = branch("width: 4, depth: 2, body: {op: residual}")
    check_plan(plan)
    assert plan.genome.by_name["early"].ins == ("early/2/add",)


# --- the option A of residual networks


@pytest.mark.parametrize("word", ["add", "mean"])
def test_fit_front_takes_every_nth_pixel_and_puts_zero_channels_first(word: str) -> None:
    module, out = made(word, SOURCES, 0, fit="front")
    assert out == (5, 4, 3) and not list(module.parameters())
    xs = [noise(shape, seed) for seed, shape in enumerate(SOURCES)]
    total = torch.zeros(2, *out, dtype=torch.float64)
    for x in xs:
        small = x[:, :, ::2, ::2] if x.shape[2] == 8 else x
        total[:, out.channels - x.shape[1] :] += small
    same(module(*xs), total / 3 if word == "mean" else total)


def test_fit_front_drops_channels_behind_and_pools_where_no_step_fits() -> None:
    sources = [Shape(4, 7, 7), Shape(3, 5, 5)]
    xs = [noise(shape, seed) for seed, shape in enumerate(sources)]
    module, _ = made("add", sources, 2, fit="front")
    same(module(*xs), F.adaptive_avg_pool2d(xs[0], 5)[:, :2] + xs[1][:, :2])


# --- stochastic depth

DEPTH = """\
genome: g
input: [3, 8, 8]
classes: 6
nodes:
  a: {op: conv, in: [image], width: 4}
  b: {op: conv, in: [a], width: 4, order: conv}
  c: {op: conv, in: [b], width: 4, order: conv}
  z: {op: add, in: [c, b, a], activation: relu, drop_path: 0.4}
  out: {op: exit, in: [z]}
"""


def test_branches_are_dropped_at_their_rate_and_the_shortcut_never() -> None:
    net = genome.build(genome.resolve(genome.loads(DEPTH))).train()
    torch.manual_seed(0)
    x, draws, met = torch.randn(2, 3, 8, 8), 600, {"a": 0, "b": 0, "c": 0}
    with torch.no_grad(), run(net) as ran:
        for _ in range(draws):
            ran.clear()
            net(x)
            assert "a" in ran and ("b" in ran or "c" not in ran)
            for name in ran:
                met[name] = met.get(name, 0) + 1
    assert met["a"] == draws
    # b runs where the sum or c reads it
    assert met["c"] / draws == pytest.approx(0.6, abs=0.1)
    assert met["b"] / draws == pytest.approx(1 - 0.4**2, abs=0.08)


def test_a_dropped_branch_gets_no_gradient() -> None:
    net = genome.build(genome.resolve(genome.loads(DEPTH.replace("0.4", "0.95")))).train()
    torch.manual_seed(1)
    with run(net) as ran:
        net(torch.randn(2, 3, 8, 8))[0].sum().backward()
    assert ran == ["a", "z", "out"]
    assert {n.split(".")[1] for n, p in net.named_parameters() if p.grad is not None} == {"a", "out"}


def test_outside_training_a_branch_counts_as_often_as_it_was_there() -> None:
    net = network(DEPTH, training=False)
    values = {}
    for name in "abc":
        net.node(name).register_forward_hook(lambda _m, _i, out, name=name: values.update({name: out}))
    (logits,) = net(image())
    z = (values["a"] + 0.6 * values["b"] + 0.6 * values["c"]).relu()
    same(logits, classified(z, net.node("out")))


def test_a_sum_without_a_branch_is_its_shortcut() -> None:
    op = genome.lookup("add")(drop_path=0.5)
    module = op.build([Shape(2, 3, 3)], Shape(2, 3, 3)).double()
    x = noise(Shape(2, 3, 3))
    for training in (True, False):
        same(module.train(training)(x), x)


# --- what a mean refuses


def test_a_mean_of_columns_reads_no_more_than_there_are() -> None:
    text = (
        DEPTH.replace("op: add", "op: mean").replace("activation: relu, ", "").replace("0.4", "0, columns: 2")
    )
    with pytest.raises(
        genome.SourceError,
        match=r"^g.yaml:8  z \(mean\) reads 3 inputs; a join of 2 columns reads at most 2$",
    ):
        genome.loads(text, path="g.yaml")
    genome.loads(text.replace("columns: 2", "columns: 3"))


def test_a_mean_without_columns_has_no_whole_ones() -> None:
    mean = genome.lookup("mean")
    assert mean(whole=0.5) == mean() and mean(columns=2, whole=0.5) != mean(columns=2)
