"""What a child network inherits from its parent: bit for bit, by channel, or so that its function stays at first."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

import genome
from genome.graph import Genome
from genome.network import Network
from genome.op import Op
from genome.tensor_axes import labelled_tensors
from genome.testing import around, label
from genome.transfer import Inherited, transfer
from tests.variants import MOTIFS, PLAIN, variants

WORDS = [*PLAIN, *MOTIFS]
EVERY = [pytest.param(op, id=label(op)) for word in PLAIN for op in dict.fromkeys(variants(word))]
EVERY += [pytest.param(genome.lookup(word)(), id=word) for word in MOTIFS]


def used(plan: genome.Plan, seed: int = 0) -> Network:
    """Return a network whose norms, biases and scales differ from the start, as after training."""
    module = genome.build(plan, seed=seed).eval()
    chance = torch.Generator().manual_seed(seed)
    for tensor in module.state_dict().values():
        if tensor.dim() == 1 and tensor.is_floating_point():
            tensor += 0.3 * torch.rand(tensor.shape, generator=chance)
    return module


def handed_down(parent: Genome, child: Genome) -> tuple[Inherited, list[Tensor], list[Tensor]]:
    """Return what the child inherited, and the logits of parent and child in evaluation."""
    before, now = genome.resolve(parent), genome.resolve(child)
    old, new = used(before), genome.build(now, seed=1).eval()
    found = transfer(before, old.state_dict(), now, new)
    image = torch.randn(3, *before.genome.input, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return found, [*old(image)], [*new(image)]


def assert_kept(parent: Genome, child: Genome) -> Inherited:
    """Check that the child computes the function of its parent."""
    found, theirs, mine = handed_down(parent, child)
    for a, b in zip(theirs, mine, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    return found


def without_effect(network: nn.Module) -> set[str]:
    """Return the biases directly before a batch norm, which subtracts them with the mean.

    Their gradient is zero, up to rounding.
    """
    rows = [(path, row) for path, row in network.named_modules() if isinstance(row, nn.Sequential)]
    return {
        f"{path}.{name}.bias"
        for path, row in rows
        for (name, _), (_, after) in pairwise(row.named_children())
        if isinstance(after, nn.BatchNorm2d)
    }


def assert_all_learn(parent: Genome, child: Genome) -> None:
    """Check that training changes every parameter of the child, except the biases without effect."""
    before, now = genome.resolve(parent), genome.resolve(child)
    network = genome.build(now, seed=1)
    transfer(before, used(before).state_dict(), now, network)
    start = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    image = torch.randn(8, *now.genome.input, generator=torch.Generator().manual_seed(3))
    for _ in range(5):
        optimizer.zero_grad()
        torch.stack([(out**2).sum() for out in network(image)]).sum().backward()
        optimizer.step()
    still = {name for name, p in network.named_parameters() if torch.equal(p, start[name])}
    assert still - without_effect(network) == set()


def of(nodes: str, widths: str = "") -> Genome:
    head = f"genome: one\ninput: [3, 8, 8]\nclasses: 4\n{widths}nodes:\n"
    return genome.loads(head + "".join(f"  {line.strip()}\n" for line in nodes.strip().splitlines()))


def widened(where: Genome, by: int) -> Genome:
    """Return the genome with stated widths changed."""
    nodes = [n._replace(width=n.width + by) if isinstance(n.width, int) else n for n in where.nodes]
    return replace(where, nodes=tuple(nodes))


# --- every node type and motif


@pytest.mark.parametrize("op", EVERY)
def test_the_same_genome_takes_over_every_number(op: Op) -> None:
    plan = genome.resolve(around(op, 3))
    old, new = used(plan), genome.build(plan, seed=1)
    found = transfer(plan, old.state_dict(), plan, new)
    assert found.fresh == found.sliced == 0 and found.share == 1.0
    for name, tensor in new.state_dict().items():
        assert torch.equal(tensor, old.state_dict()[name]), name


@pytest.mark.parametrize("by", [-2, 3])
@pytest.mark.parametrize("word", WORDS)
def test_other_widths_take_over_the_channels_that_both_have(word: str, by: int) -> None:
    parent = around(genome.lookup(word)(), 3)
    found, _, mine = handed_down(parent, widened(parent, by))
    assert found.sliced > 0 and found.fresh == 0 and 0.2 < found.share <= 1
    assert all(out.isfinite().all() for out in mine)


# lrn mixes neighbouring channels
@pytest.mark.parametrize("word", [word for word in WORDS if word != "lrn"])
def test_wider_nodes_compute_what_they_did(word: str) -> None:
    parent = around(genome.lookup(word)(), 1)
    assert_kept(parent, widened(parent, 3))


@pytest.mark.parametrize("word", WORDS)
def test_every_tensor_has_its_place(word: str) -> None:
    plan = genome.resolve(around(genome.lookup(word)(), 3))
    network = genome.build(plan)
    found = [part.tensor for part in labelled_tensors(plan, network)]
    saved = {id(tensor) for tensor in network.state_dict(keep_vars=True).values()}
    assert {id(tensor) for tensor in found} == saved and len(found) == len(saved)
    for part in labelled_tensors(plan, network):
        assert part.dense(part.tensor).shape == tuple(len(axis.labels) for axis in part.axes)
        assert torch.equal(part.packed(part.dense(part.tensor)), part.tensor)


# --- genes

CONV = "a: {op: conv, in: [image], width: 6}\n x: {op: %s, in: [a], width: 8%s}\n out: {op: exit, in: [x]}"


@pytest.mark.parametrize(
    ("word", "before", "after"),
    [
        ("conv", "kernel: 3", "kernel: 5"),
        ("conv", "kernel: 3, dilation: 2", "kernel: 5"),
        ("conv", "groups: 2", "groups: 1"),
        ("conv", "kernel: 2", "kernel: 3"),
        ("separable", "kernel: 3", "kernel: 7"),
        ("conv", "bias: true", "bias: true, dropout: 0.15"),
        ("mlpconv", "first: 4", "first: 7"),
        ("active", "kernel: 3", "kernel: 5"),
        ("deform", "kernel: 3", "kernel: 5"),
        ("perturb", "masks: 1", "masks: 4"),
    ],
)
def test_more_of_a_gene_keeps_the_function(word: str, before: str, after: str) -> None:
    assert_kept(of(CONV % (word, f", {before}")), of(CONV % (word, f", {after}")))


def test_taps_that_are_cut_off_are_the_outer_ones() -> None:
    parent, child = of(CONV % ("conv", ", kernel: 5")), of(CONV % ("conv", ", kernel: 3"))
    before, now = genome.resolve(parent), genome.resolve(child)
    old, new = used(before), genome.build(now, seed=1)
    transfer(before, old.state_dict(), now, new)
    theirs = old.state_dict()["nodes.x.conv.weight"]
    assert torch.equal(new.state_dict()["nodes.x.conv.weight"], theirs[:, :, 1:4, 1:4])


def test_another_node_type_begins_afresh() -> None:
    found, _, _ = handed_down(of(CONV % ("conv", "")), of(CONV % ("active", "")))
    assert found.fresh == 8  # kernel, positions, count of steps, and five of the norm


# --- edges

SKIP = """
    a: {op: conv, in: [image], width: 6}
    b: {op: conv, in: [a], width: 5}
    x: {op: %s, in: [%s], width: 8}
    out: {op: exit, in: [%s]}
"""


@pytest.mark.parametrize("word", ["conv", "mlpconv", "separable", "active"])
@pytest.mark.parametrize("after", ["b, a", "a, b"])
def test_an_added_edge_changes_nothing_at_first(word: str, after: str) -> None:
    parent, child = of(SKIP % (word, "b", "x")), of(SKIP % (word, after, "x"))
    found = assert_kept(parent, child)
    assert found.share < 1
    back, _, _ = handed_down(child, parent)
    assert back.share == 1.0


def test_an_exit_that_reads_more_changes_nothing_at_first() -> None:
    assert_kept(of(SKIP % ("conv", "b", "x")), of(SKIP % ("conv", "b", "b, x, a")))


def test_channels_are_found_wherever_a_concatenation_has_them() -> None:
    text = """
        a: {op: conv, in: [image], width: 6}
        b: {op: conv, in: [a], width: 5}
        both: {op: concat, in: [%s]}
        low: {op: pool, in: [both]}
        x: {op: conv, in: [low], order: norm-act-conv, width: 8}
        out: {op: exit, in: [x], pool: flatten}
    """
    assert_kept(of(text % "a, b"), of(text % "b, a"))
    assert_kept(of(text % "a"), of(text % "b, a"))


def test_an_added_exit_leaves_the_others_as_they_are() -> None:
    text = SKIP % ("conv", "b", "x")
    found, (before,), (_, now) = handed_down(
        of(text), of(text.replace("    x:", "    e: {op: exit, in: [b]}\n    x:"))
    )
    assert torch.equal(before, now) and found.fresh == 2


# --- nodes

STACK = """
    a: {op: conv, in: [image], width: 6}
    s: {op: stack, in: [a], depth: %d, width: 6, body: %s}
    out: {op: exit, in: [s]}
"""


@pytest.mark.parametrize(
    "body",
    [
        "{op: residual}",
        "{op: residual, order: pre}",
        "{op: residual, order: pyramid, drop_path: 0.15}",
        "{op: residual, unit: bottleneck, expansion: 1}",
        "{op: residual, unit: body, body: {op: conv, order: conv-norm}}",
        "{op: conv}",
        "{op: conv, norm: plain, groups: 2}",
        "{op: conv, order: conv-norm, bias: true}",
        "{op: separable}",
        "{op: mlpconv, norm: batch}",
        "{op: active, warmup: 0}",
        "{op: deform, modulation: unit}",
    ],
)
def test_a_longer_stack_computes_what_it_did_and_can_learn(body: str) -> None:
    parent, child = of(STACK % (1, body)), of(STACK % (3, body))
    found = assert_kept(parent, child)
    assert found.fresh > 0
    assert_all_learn(parent, child)


def test_what_a_relu_would_cut_off_is_no_identity() -> None:
    body = "{op: conv, order: norm-act-conv}"
    before, now = (genome.resolve(of(STACK % (depth, body))) for depth in (1, 2))
    new = genome.build(now, seed=1)
    transfer(before, used(before).state_dict(), now, new)
    key = "nodes.s_2.conv.weight"
    assert torch.equal(new.state_dict()[key], genome.build(now, seed=1).state_dict()[key])


@pytest.mark.parametrize("after", ["relu", "none"])
def test_a_branch_added_to_a_sum_changes_nothing_at_first(after: str) -> None:
    text = """
        a: {op: conv, in: [image], width: 6}
        b: {op: conv, in: [a], order: conv-norm, width: 6}
        %s
        x: {op: add, in: [%s], activation: %s}
        out: {op: exit, in: [x]}
    """
    parent = of(text % ("", "a, b", after))
    child = of(text % ("c: {op: conv, in: [b], order: conv-norm, width: 6}", "a, c, b", after))
    assert_kept(parent, child)
    assert_all_learn(parent, child)
    flat = of(text % ("c: {op: conv, in: [b], width: 6}", "a, c, b", after))
    _, (theirs,), (mine,) = handed_down(parent, flat)
    assert not torch.allclose(theirs, mine), "a branch behind a ReLU could never leave zero"


# --- motifs

MOTIF = """
    a: {op: conv, in: [image], width: 6}
    m: {op: %s, in: [a], width: 6, %s}
    out: {op: exit, in: [m]}
"""


@pytest.mark.parametrize(
    "body", ["conv, order: norm-act-conv", "conv, groups: 2", "separable", "perturb, masks: 4"]
)
@pytest.mark.parametrize("passes", [1, 2])
def test_cliques_with_other_members_and_passes(body: str, passes: int) -> None:
    genes = "nodes: %d, passes: %d, body: {op: " + body + "}"
    small, large = of(MOTIF % ("clique", genes % (2, passes))), of(MOTIF % ("clique", genes % (3, passes)))
    more = of(MOTIF % ("clique", genes % (2, passes + 1)))
    grown, _, mine = handed_down(small, large)
    shrunk, _, _ = handed_down(large, small)
    longer, _, _ = handed_down(small, more)
    assert 0 < grown.share < 1 and grown.fresh > 0 and mine[0].isfinite().all()
    assert shrunk.share == 1.0, "every member reads less, nothing new"
    assert longer.share == 1.0, "a further pass has the weights of all, and norms like the one before"


def test_without_a_loop_a_clique_grows_and_changes_nothing_at_first() -> None:
    assert_kept(of(MOTIF % ("clique", "nodes: 2, passes: 0")), of(MOTIF % ("clique", "nodes: 4, passes: 0")))


def test_columns_of_a_fractal_find_their_bodies() -> None:
    small, large = of(MOTIF % ("fractal", "columns: 2")), of(MOTIF % ("fractal", "columns: 3"))
    found, _, _ = handed_down(small, large)
    assert found.fresh == 4 * 6, "the third column's four bodies"
    assert handed_down(large, small)[0].share == 1.0


def test_a_dense_block_grows_and_changes_nothing_at_first() -> None:
    text = MOTIF.replace(", width: 6, %s", ", %s")
    assert_kept(of(text % ("dense", "layers: 2")), of(text % ("dense", "layers: 4")))


# --- what is refused


def test_weights_that_are_not_the_parents_are_refused() -> None:
    plan, other = (genome.resolve(of(SKIP % ("conv", ins, "x"))) for ins in ("b", "b, a"))
    network = genome.build(plan)
    with pytest.raises(ValueError, match=r"x\.conv\.weight"):
        transfer(plan, genome.build(other).state_dict(), plan, network)
    weights = genome.build(plan).state_dict()
    weights["nodes.a.conv.weight"].fill_(float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        transfer(plan, weights, plan, network)
