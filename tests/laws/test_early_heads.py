"""The modules that a network names as heads of its earlier exits are those that its last exit does not need."""

import networkx as nx
import torch
from hypothesis import given

from genome.step import SOURCE
from tests.exits import drawn_network, noise
from tests.laws.test_exits import DRAWS, SEEDS


@DRAWS
@given(SEEDS)
def test_the_last_exit_needs_all_but_the_early_heads(seed: int) -> None:
    network, plan = drawn_network(seed)
    reads = [
        (source, i) for i, step in enumerate(plan.steps) for source in step.sources if source is not None
    ]
    last = network.exits[-1]
    trunk = {last, *nx.ancestors(nx.DiGraph(reads), last)} - {SOURCE}
    names = [*network.nodes]
    assert [*network.early_heads] == [f"nodes.{names[i]}" for i in range(len(names)) if i not in trunk]
    images = noise(plan, 2)
    with torch.no_grad():
        before = network(images)[-1]
        kept = {id(p) for i in trunk for p in network.nodes[names[i]].parameters()}
        for name in network.early_heads:
            for parameter in network.get_submodule(name).parameters():
                if id(parameter) not in kept:  # passes of a loop share weights
                    parameter.fill_(torch.nan)
        assert torch.equal(before, network(images)[-1])
