"""clique: the cycle it expands to, and the stages of the paper (Yang et al., CVPR 2018, section 3) in plain torch."""

from __future__ import annotations

import itertools
from typing import Any

import networkx as nx
import pytest
import torch
from torch import Tensor

import genome
from genome.graph import Loop
from genome.motifs.clique import Clique
from genome.network import Network
from genome.testing.measure import check_plan
from tests.by_hand import agree, classified, conv, image, network, norm

K, C0 = 5, 4
HEAD = "genome: g\ninput: [3, 8, 8]\nclasses: 5\nnodes:\n"


def text(genes: str = "nodes: 3", ins: str = "stem") -> str:
    return HEAD + (
        f"  stem: {{op: conv, in: [image], width: {C0}, kernel: 1, order: conv}}\n"
        f"  b: {{op: clique, in: [{ins}], width: {K}, {genes}}}\n"
        "  feature: {op: concat, in: [stem, b]}\n"
        "  out: {op: exit, in: [feature]}\n"
    )


def plan(genes: str = "nodes: 3", ins: str = "stem") -> genome.Plan:
    return genome.resolve(genome.loads(text(genes, ins)))


# --- the expansion


@pytest.mark.parametrize("nodes", [2, 3, 4])
def test_the_cycle_is_real_and_complete(nodes: int) -> None:
    made = genome.expand(genome.loads(text(f"nodes: {nodes}")))
    members = {f"b/{i}" for i in range(1, nodes + 1)}
    cycles = {frozenset(cycle) for cycle in nx.simple_cycles(made.graph)}
    every = [set(c) for n in range(2, nodes + 1) for c in itertools.combinations(members, n)]
    assert cycles == {frozenset(c) for c in every}
    for one, other in itertools.permutations(sorted(members), 2):
        assert made.graph.has_edge(one, other)
    assert made.loops == (Loop("b", tuple(sorted(members)), 1),)
    assert [s.node.name for s in genome.resolve(made).steps][1:-2] == [*sorted(members)] * 2 + ["b/out"]


def test_passes_0_ends_with_stage_one_and_has_no_cycle() -> None:
    made = genome.expand(genome.loads(text("nodes: 3, passes: 0")))
    assert not made.loops and not list(nx.simple_cycles(made.graph))
    assert made.by_name["b/3"].ins == ("stem", "b/1", "b/2")


def test_one_node_is_one_node() -> None:
    made = genome.expand(genome.loads(text("nodes: 1, passes: 2")))
    assert not made.loops and made.by_name["b/1"].ins == ("stem",)
    check_plan(genome.resolve(made))
    net = network(text("nodes: 1"))
    agree(net, stages(net, 1, 0), image())


def test_the_filters_are_as_many_as_the_nodes_squared_and_norms_are_per_stage() -> None:
    nodes = 4
    made = plan(f"nodes: {nodes}")
    filters = 9 * (C0 * K * nodes + K * K * nodes * (nodes - 1))
    first = sum(2 * (C0 + j * K) for j in range(nodes))
    second = nodes * 2 * (nodes - 1) * K
    head = 3 * C0 + (C0 + nodes * K + 1) * 5
    assert made.params == filters + first + second + head
    assert filters == 9 * K * K * nodes**2 - 9 * K * (K - C0) * nodes  # L^2 filters, L of the input's width
    parameters = {name for name, _ in check_plan(made).named_parameters()}  # shared parameters once
    assert sum("conv.weight" in name for name in parameters) == nodes  # packed, one a node


# --- against the formulas


def stages(net: Network, nodes: int, passes: int, update: int | None = None, narrow: bool = False) -> Any:
    """Stage I: X_j = g(X_0, X_i for i < j); later: X_j = g(X_i of this stage for i < j, of the last for i > j)."""

    def edge_filters(j: int) -> dict[int, Tensor]:
        """Return W_ij by i; 0 is the input."""
        own = net.node(f"b/{j}/in" if narrow else f"b/{j}").conv
        again = passes > 0 and j <= (update or nodes)
        # a feedback edge that no pass reads has no filter
        others = [i for i in range(1, nodes + 1) if i < j or (i > j and again)]
        sizes = [C0, *[K] * len(others)]
        assert own.weight.shape[1] == sum(sizes)
        return dict(zip([0, *others], own.weight.split(sizes, dim=1), strict=True))

    def node(j: int, stage: int, read: dict[int, Tensor]) -> Tensor:
        """Apply norm and ReLU to all inputs, then return the sum of one convolution per edge."""
        own = net.node(f"b/{j}/in" if narrow else f"b/{j}", stage)
        x = norm(torch.cat([read[i] for i in sorted(read)], dim=1), own.norm).relu()
        parts = x.split([read[i].shape[1] for i in sorted(read)], dim=1)
        filters = edge_filters(j)
        made = torch.stack([conv(p, filters[i]) for p, i in zip(parts, sorted(read), strict=True)]).sum(0)
        if not narrow:
            return made
        last = net.node(f"b/{j}", stage)
        return conv(norm(made, last.norm).relu(), net.node(f"b/{j}").conv.weight)

    def whole(image: Tensor) -> Tensor:
        x0 = conv(image, net.node("stem").weight)
        x: dict[int, Tensor] = {}
        for j in range(1, nodes + 1):
            x[j] = node(j, 0, {0: x0, **x})
        for stage in range(1, passes + 1):
            for j in range(1, (update or nodes) + 1):
                x[j] = node(j, stage, {i: x[i] for i in x if i != j})
        return classified(torch.cat([x0, *x.values()], dim=1), net.node("out"))

    return whole


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("nodes", "passes", "update"),
    [(3, 0, None), (2, 1, None), (4, 1, None), (3, 2, None), (4, 1, 1), (4, 2, 3)],
)
def test_stages_are_the_formulas(nodes: int, passes: int, update: int | None, training: bool) -> None:
    genes = f"nodes: {nodes}, passes: {passes}" + (f", update: {update}" if update else "")
    net = network(text(genes), training)
    agree(net, stages(net, nodes, passes, update), image())


@pytest.mark.parametrize("passes", [0, 1, 2])
def test_a_bottleneck_is_a_1x1_over_the_edges_and_one_3x3_behind(passes: int) -> None:
    net = network(text(f"nodes: 3, passes: {passes}, bottleneck: true"))
    agree(net, stages(net, 3, passes, narrow=True), image())
    for j in range(1, 4):
        for stage in range(1, passes + 1):  # the stages share W_b too, but not its norm
            one, other = net.node(f"b/{j}"), net.node(f"b/{j}", stage)
            assert one.conv.weight is other.conv.weight and one.norm.weight is not other.norm.weight


def test_filters_of_the_stages_are_one_parameter() -> None:
    net = network(text("nodes: 3, passes: 2"))
    for j in range(1, 4):
        weights = {id(net.node(f"b/{j}", at).conv.weight) for at in (0, 1, 2)}
        assert len(weights) == 1


def test_nodes_that_are_not_updated_have_no_second_norm() -> None:
    net = network(text("nodes: 4, update: 2"))
    assert [name for name in net.nodes if "pass" in name] == ["b__1__pass1", "b__2__pass1"]


def test_edges_that_no_pass_reads_have_no_filters() -> None:
    """With update: 1, no pass reads the feedback edges of the other nodes."""
    net = check_plan(plan("nodes: 4, update: 1"))
    lengths = [net.node(f"b/{j}").conv.weight.shape[1] for j in range(1, 5)]
    assert lengths == [C0 + 3 * K, C0 + K, C0 + 2 * K, C0 + 3 * K]


def test_several_inputs_have_a_filter_each() -> None:
    made = plan("nodes: 3", ins="stem, image")
    net = check_plan(made)
    assert net.node("b/2").conv.weight.shape[1] == C0 + 3 + 2 * K
    by_name = made.genome.by_name
    assert by_name["b/2"].ins == ("stem", "image", "b/1", "b/3")


# --- bodies

BODIES = [
    "{op: perturb, masks: 2}",
    "{op: mlpconv}",
    "{op: active}",
    "{op: deform}",
    "{op: pool}",
    "{op: squeeze}",
    "{op: separable, kernel: 5}",
    "{op: conv, stride: 2, groups: 2}",
    "{op: add}",
    "{op: residual, stride: 2}",
    "{op: stack, depth: 2, stride: 2, body: {op: conv, kernel: 1}}",
    "{op: dense, layers: 2, growth: 3}",
    "{op: fractal, columns: 2, drop_path: 0, whole: 0}",
    "{op: clique, nodes: 2}",
]


@pytest.mark.parametrize("bottleneck", ["false", "true"])
@pytest.mark.parametrize("body", BODIES)
def test_any_body_makes_a_loop_that_keeps_its_size(body: str, bottleneck: str) -> None:
    made = plan(f"nodes: 2, passes: 1, bottleneck: {bottleneck}, body: {body}")
    module = check_plan(made)
    (loop,) = made.genome.loops
    assert set(cycle_members(made.genome)) <= set(loop.order)
    assert made.steps[made.last["b/out"]].info.out[1:] == (8, 8)
    again = genome.loads(genome.dump(made.genome))
    assert again == made.genome and genome.resolve(again) == made
    shared = [p for name, p in module.named_parameters(remove_duplicate=False) if "norm" not in name]
    assert len({id(p) for p in shared}) < len(shared)


def cycle_members(made: genome.Genome) -> set[str]:
    return {name for part in nx.strongly_connected_components(made.graph) if len(part) > 1 for name in part}


def test_a_clique_in_a_clique_is_one_stage_of_it() -> None:
    body = genome.lookup("clique")(nodes=2, passes=2)
    made = Clique(nodes=2, body=body).expand("b", ("stem",), K)
    inner = [node for node in made.nodes if node.op.word == "clique"]
    assert len(inner) == 2 and all(vars(node.op)["passes"] == 0 for node in inner)


# --- digests


def test_digests_tell_passes_and_updates_apart() -> None:
    genes = [
        "nodes: 3, passes: 0",
        "nodes: 3, passes: 1",
        "nodes: 3, passes: 2",
        "nodes: 3, passes: 1, update: 1",
        "nodes: 3, passes: 1, update: 2",
        "nodes: 3, passes: 2, update: 2",
        "nodes: 3, passes: 1, bottleneck: true",
        "nodes: 4, passes: 1",
    ]
    assert len({genome.digest(plan(g)) for g in genes}) == len(genes)
    for same in ("nodes: 3, passes: 1, update: 3", "nodes: 3, passes: 1, update: 32"):
        assert genome.digest(plan(same)) == genome.digest(plan("nodes: 3, passes: 1"))
