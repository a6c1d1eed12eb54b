"""fractal: its expansion, the recursion of the paper in plain torch, drop-path, single columns."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import genome
from genome.graph import GenomeError
from genome.network import Network
from genome.ops._paths import Columns, drawn
from genome.ops.mean import Mean
from genome.testing.measure import check_plan
from tests.by_hand import Convolutions, agree, classified, conv, image, network, norm, run

HEAD = "genome: g\ninput: [3, 8, 8]\nclasses: 5\nnodes:\n"


def text(columns: int, genes: str = "drop_path: 0, whole: 0", size: int = 8) -> str:
    return HEAD.replace("8, 8", f"{size}, {size}") + (
        "  stem: {op: conv, in: [image], width: 4, kernel: 1, order: conv}\n"
        f"  f: {{op: fractal, in: [stem], width: 6, columns: {columns}, {genes}, body: {{op: conv, bias: true}}}}\n"
        "  out: {op: exit, in: [f]}\n"
    )


def names(made: genome.Genome, word: str) -> list[str]:
    return [node.name for node in made.nodes if node.op.word == word]


# --- the expansion


def test_names_and_joins_of_three_columns() -> None:
    made = genome.expand(genome.loads(text(3)))
    assert [(n.name, n.ins) for n in made.nodes[1:-1]] == [
        ("f/c1.1", ("stem",)),
        ("f/c2.1", ("stem",)),
        ("f/c3.1", ("stem",)),
        ("f/c3.2", ("f/c3.1",)),
        ("f/j2", ("f/c2.1", "f/c3.2")),
        ("f/c2.2", ("f/j2",)),
        ("f/c3.3", ("f/j2",)),
        ("f/c3.4", ("f/c3.3",)),
        ("f/j4", ("f/c1.1", "f/c2.2", "f/c3.4")),  # nested joins at one place are one mean
    ]
    assert made.by_name["out"].ins == ("f/j4",)
    assert {n.op for n in made.nodes if n.op.word == "mean"} == {Mean(columns=3)}


@pytest.mark.parametrize("columns", range(1, 7))
def test_a_join_after_step_t_takes_the_columns_that_end_there(columns: int) -> None:
    made = genome.expand(genome.loads(text(columns)))
    bodies = names(made, "conv")[1:]
    assert len(bodies) == 2**columns - 1
    assert Counter(name.partition(".")[0] for name in bodies) == {f"f/c{c + 1}": 2**c for c in range(columns)}
    lengths = [2 ** (columns - 1 - c) for c in range(columns)]
    steps = range(1, 2 ** (columns - 1) + 1)
    ends = {t: [c for c in range(columns) if t % lengths[c] == 0] for t in steps}
    joins = {f"f/j{t}": tuple(f"f/c{c + 1}.{t // lengths[c]}" for c in ends[t]) for t in steps}
    joins = {name: ins for name, ins in joins.items() if len(ins) > 1}
    assert {n.name: n.ins for n in made.nodes if n.op.word == "mean"} == joins
    for c in range(columns):  # every column continues from the joined value
        for i in range(1, 2**c):
            joined = f"f/j{i * lengths[c]}"
            before = joined if joined in joins else f"f/c{c + 1}.{i}"
            assert made.by_name[f"f/c{c + 1}.{i + 1}"].ins == (before,)
    check_plan(genome.resolve(made))


def test_a_stride_is_the_first_bodys_of_each_column_alone() -> None:
    body = "body: {op: conv, stride: 2}"
    made = genome.resolve(genome.loads(text(3).replace("body: {op: conv, bias: true}", body)))
    check_plan(made)
    assert {s.info.out[1:] for s in made.steps[1:-1]} == {(4, 4)}
    strides = {n.name: vars(n.op)["stride"] for n in made.genome.nodes[1:] if n.op.word == "conv"}
    assert {name for name, stride in strides.items() if stride == 2} == {f"f/c{c}.1" for c in (1, 2, 3)}


# --- against the recursion of the paper


def recursion(net: Network, columns: int, pool: str = "none") -> Tensor:
    """Compute f_1 = body; f_C = (f_C-1 of f_C-1) joined with a body."""

    def body(column: int, i: int, x: Tensor) -> Tensor:
        own = net.node(f"f/c{column}.{i}")
        return norm(conv(x, own.conv.weight, own.conv.bias), own.norm).relu()

    def columns_of(deep: int, at: int, x: Tensor) -> list[Tensor]:
        """Return the columns of the fractal of the `deep` deepest columns, from step `at`, before their join."""
        length = 2 ** (deep - 1)
        own = body(columns - deep + 1, at // length + 1, x)
        if deep == 1:
            return [own]
        half = sum(columns_of(deep - 1, at, x)) / (deep - 1)
        assert isinstance(half, Tensor)
        return [own, *columns_of(deep - 1, at + length // 2, half)]

    def whole(x: Tensor) -> Tensor:
        ends = columns_of(columns, 0, conv(x, net.node("stem").weight))
        if pool == "before":
            ends = [F.max_pool2d(end, 2) for end in ends]
        out = torch.stack(ends).mean(0)
        return classified(F.max_pool2d(out, 2) if pool == "after" else out, net.node("out"))

    return whole  # type: ignore[return-value]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_a_fractal_is_the_recursion_written_out(columns: int, training: bool) -> None:
    net = network(text(columns), training)
    agree(net, recursion(net, columns), image())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("pool", ["before", "after"])
def test_a_pool_stands_before_the_last_join_or_after_it(pool: str, training: bool) -> None:
    net = network(text(3, f"drop_path: 0, whole: 0, pool: {pool}"), training)
    agree(net, recursion(net, 3, pool), image())
    other = recursion(net, 3, {"before": "after", "after": "before"}[pool])
    with torch.no_grad():
        assert not torch.allclose(net(image())[0], other(image()), atol=1e-3)


def test_without_training_a_join_is_the_plain_mean() -> None:
    net = network(text(3, "drop_path: 0.5, whole: 0.5"), training=False)
    for _ in range(3):
        agree(net, recursion(net, 3), image())


def test_without_rates_nothing_is_drawn() -> None:
    assert not network(text(3)).joins and network(text(3, "drop_path: 0, whole: 0.1")).joins
    state = torch.random.get_rng_state()
    network(text(3))(image())
    assert torch.equal(state, torch.random.get_rng_state())


# --- drop-path


def close(count: int, share: float, draws: int) -> None:
    """Check that a count is within five standard deviations of its expectation."""
    assert abs(count - share * draws) <= 5 * math.sqrt(share * (1 - share) * draws)


@pytest.mark.parametrize("rate", [0.15, 0.5, 0.95])
def test_local_each_input_is_dropped_at_the_rate_and_one_survives(rate: float) -> None:
    torch.manual_seed(0)
    paths, draws, n = Columns(rate, columns=3), 10_000, 3
    read = [True, False, True, True]  # one input does not exist in this pass of a loop
    met = Counter(tuple(paths.kept(read, None)) for _ in range(draws))
    for kept in [(a, False, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]:
        alive = sum(kept)
        share = (1 - rate) ** alive * rate ** (n - alive) + (rate**n / n if alive == 1 else 0)
        close(met[tuple(map(bool, kept))], share if alive else 0.0, draws)


TWO = HEAD + (
    "  f: {op: fractal, in: [image], width: 4, columns: 3, drop_path: 0, whole: 1}\n"
    "  g: {op: fractal, in: [f], width: 4, columns: 2, drop_path: 0, whole: 1}\n"
    "  h: {op: fractal, in: [g], width: 4, columns: 1}\n"
    "  i: {op: fractal, in: [h], width: 4, columns: 3, drop_path: 0, whole: 1}\n"
    "  out: {op: exit, in: [i]}\n"
)


def test_global_one_column_is_that_of_the_whole_network() -> None:
    torch.manual_seed(0)
    genes = genome.loads(TWO)
    net = network(TWO)
    alone = {names(genome.column(genes, c), "conv").__str__(): c for c in range(3)}
    assert len(alone) == 3
    met: Counter[int] = Counter()
    with torch.no_grad(), run(net) as ran:
        for _ in range(300):
            ran.clear()
            net(image(batch=2))
            met[alone[str([n.replace("__", "/").replace("_", ".") for n in ran if "__c" in n])]] += 1
    for c in range(3):
        close(met[c], 1 / 3, 300)


@pytest.mark.parametrize("whole", [0.1, 0.5, 1.0])
def test_a_share_of_the_mini_batches_is_global(whole: float) -> None:
    torch.manual_seed(0)
    net = network(TWO.replace("whole: 1", f"whole: {whole}"))
    steps = [sources for _, sources, _ in net._steps]
    draws = 2_000
    # with a rate of 0 a local mini-batch keeps all paths
    alone = sum(any(s is None for s in drawn(net.joins, steps, net.exits).values()) for _ in range(draws))
    close(alone, whole, draws)


def test_only_live_steps_run_and_only_their_weights_get_gradients() -> None:
    net = network(text(4, "drop_path: 0.6, whole: 0.2", size=4))  # small images run one by one
    for seed in range(20):
        torch.manual_seed(seed)
        net.zero_grad(set_to_none=True)
        with run(net) as ran, Convolutions() as convolutions:
            (logits,) = net(image(size=4))
        logits.sum().backward()
        live = {name for name in ran if "__c" in name}
        assert 1 <= len(live) <= 15
        assert convolutions.count == len(live) + 1  # and the stem
        for name, part in net.nodes.items():
            if "__c" in name:
                for weight in part.parameters():
                    assert (weight.grad is not None) == (name in live)


def test_what_is_not_run_keeps_its_statistics() -> None:
    net = network(text(3, "drop_path: 0, whole: 1"))
    before = {name: int(b) for name, b in net.named_buffers() if name.endswith("tracked")}
    torch.manual_seed(0)
    with run(net) as ran:
        net(image())
    for name, count in net.named_buffers():
        if name.endswith("tracked"):
            assert int(count) - before[name] == (name.split(".")[1] in ran)


# --- one column alone

PUBLISHED = "genome: fractalnet\ninput: [3, 32, 32]\nclasses: 10\nnodes:\n" + "".join(
    f"  b{i}: {{op: fractal, in: [{f'b{i - 1}' if i else 'image'}], width: {width}, columns: 4, pool: before,"
    " body: {op: conv, norm: plain}}\n"
    for i, width in enumerate([64, 128, 256, 512, 512])
)
PUBLISHED += "  out: {op: exit, in: [b4]}\n"


@pytest.mark.parametrize(
    ("column", "weights", "macs"),
    [
        (None, 76_057_344, 2036.1),
        (0, 3_909_312, 67.8),
        (1, 9_402_048, 228.3),
        (2, 20_387_520, 549.1),
        (3, 42_358_464, 1190.9),
    ],
)
def test_columns_have_the_weights_of_the_published_network(
    column: int | None, weights: int, macs: float
) -> None:
    made = genome.loads(PUBLISHED)
    plan = genome.resolve(made if column is None else genome.column(made, column))
    head = 512 * 10
    assert plan.params - head - 10 == weights
    assert round((plan.macs - head) / 1e6, 1) == macs


@pytest.mark.parametrize("columns", [3, 2])
def test_a_column_is_the_network_with_that_column_kept(columns: int) -> None:
    """The column's weights have the same names in the whole network; `columns` is of the second fractal."""
    written = (
        text(3, "drop_path: 0, whole: 1, pool: before").replace("  out: {op: exit, in: [f]}\n", "")
        + f"  g: {{op: fractal, in: [f, stem], width: 5, columns: {columns}, drop_path: 0, whole: 1}}\n"
        + "  out: {op: exit, in: [g]}\n"
    )
    whole, made = network(written), genome.loads(written)
    for c in range(3):
        alone = genome.column(made, c)
        assert alone.name == f"g-column-{c}" and not names(alone, "mean")
        net = genome.build(alone, seed=1).double().train()
        state = whole.state_dict()
        net.load_state_dict({name: state[name] for name in net.state_dict()})
        seed = next(s for s in range(100) if _column_of(s) == c)
        torch.manual_seed(seed)
        torch.testing.assert_close(net(image()), whole(image()), rtol=0, atol=1e-12)


def _column_of(seed: int) -> int:
    torch.manual_seed(seed)
    torch.rand(())  # local or global
    return int(torch.rand(()).item() * 3)


def test_a_column_keeps_exits_and_what_they_need() -> None:
    made = genome.loads(
        text(3) + "  early: {op: exit, in: [f, stem], depth: 1, width: 4, body: {op: conv}}\n"
    )
    alone = genome.column(made, 0)
    assert [(n.name, n.ins) for n in alone.nodes] == [
        ("stem", ("image",)),
        ("f/c1.1", ("stem",)),
        ("out", ("f/c1.1",)),
        ("early/1", ("f/c1.1", "stem")),
        ("early", ("early/1",)),
    ]
    check_plan(genome.resolve(alone))


def test_a_column_of_a_fractal_in_a_loop() -> None:
    made = genome.loads(
        HEAD
        + "  b: {op: clique, in: [image], width: 4, nodes: 2, update: 1, body: {op: fractal, columns: 2}}\n"
        + "  out: {op: exit, in: [b]}\n"
    )
    plan = genome.resolve(genome.column(made, 1))
    check_plan(plan)
    (loop,) = plan.genome.loops
    assert loop.order == ("b/1/in", "b/1/c2.1", "b/1/c2.2", "b/2/in", "b/2/c2.1", "b/2/c2.2")
    assert (loop.passes, loop.update) == (1, 3)


@pytest.mark.parametrize(
    ("written", "column", "sentence"),
    [
        (text(3), 3, "column is 3; g has columns 0..2"),
        (text(3), -1, "column is -1; g has columns 0..2"),
        (text(1, "pool: none"), 0, "column is 0; g has no fractal with two columns or more"),
        (
            HEAD + "  a: {op: mean, in: [image]}\n  out: {op: exit, in: [a]}\n",
            0,
            "column is 0; g has no fractal with two columns or more",
        ),
    ],
)
def test_columns_that_are_not_there(written: str, column: int, sentence: str) -> None:
    with pytest.raises(GenomeError) as caught:
        genome.column(genome.loads(written), column)
    assert str(caught.value) == sentence
