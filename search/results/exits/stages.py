"""The stages of a network that stops early, for exporters: one module from each exit to the next, with its rule."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, fx, nn

from genome.exits.rules import Patience, Rule, Threshold
from search.results.pixels import Pixels

PIXELS, LOGITS, LEAVES = "pixels", "logits", "leaves"


class Stage(NamedTuple):
    """What runs until one exit answers. Tensors pass from stage to stage by name."""

    module: nn.Module
    reads: tuple[str, ...]
    gives: tuple[str, ...]  # LEAVES first, save in the last stage, then LOGITS, then what later stages read


def stages(whole: Pixels, rule: Rule) -> list[Stage]:
    """Divide a network by its exits, in written order."""
    (end,) = (node for node in whole.network.graph.nodes if node.op == "output")
    exits: Sequence[fx.Node] = end.args[0]
    part = _parts(whole.network.graph, exits)
    return [_stage(whole, part, exits, k, rule) for k in range(len(exits))]


def _parts(graph: fx.Graph, exits: Sequence[fx.Node]) -> dict[fx.Node, int]:
    """The first exit that needs each node. The parts of a tuple belong to the call that gives it."""
    found: dict[fx.Node, int] = {}
    for k, exit in enumerate(exits):
        ahead = [exit]
        while ahead:
            node = ahead.pop()
            if node not in found and node.op != "placeholder":
                found[node] = k
                ahead += node.all_input_nodes
    for node in graph.nodes:
        if node in found and node.target is operator.getitem:
            found[node] = found[node.args[0]]
    return found


def _stage(whole: Pixels, part: Mapping[fx.Node, int], exits: Sequence[fx.Node], k: int, rule: Rule) -> Stage:
    own = [node for node in whole.network.graph.nodes if part.get(node) == k]
    given = dict.fromkeys(
        source for node in own for source in node.all_input_nodes if part.get(source, -1) != k
    )
    kept = [
        node for node in own if node.op != "get_attr" and any(part.get(user, k) > k for user in node.users)
    ]
    constants = [node for node in given if node.op == "get_attr"]
    reads = [node for node in given if node.op != "get_attr"]
    graph = fx.Graph()
    values = {node: graph.placeholder(_name(node)) for node in reads}
    for node in (*constants, *own):
        values[node] = graph.node_copy(node, values.__getitem__)
    graph.output(tuple(values[node] for node in (exits[k], *kept)))
    module = fx.GraphModule(whole.network, graph)
    names, is_last = [*map(_name, reads)], k == len(exits) - 1
    before = _classes_before(rule, k) if not is_last else []
    judge = None if is_last else _Judge(rule, k)
    classes = [_class_name(k)] if isinstance(rule, Patience) and not is_last else []
    gives = [*([] if is_last else [LEAVES]), LOGITS, *map(_name, kept), *classes]
    return Stage(_Judged(whole, module, names, judge).eval(), (*names, *before), tuple(gives))


def _name(node: fx.Node) -> str:
    return PIXELS if node.op == "placeholder" else f"value_{node.name}"


def _class_name(k: int) -> str:
    return f"class_{k + 1}"


def _classes_before(rule: Rule, k: int) -> list[str]:
    """The exits whose classes a rule compares with that of exit k."""
    if not isinstance(rule, Patience) or k + 1 < rule.agree:
        return []
    return [_class_name(j) for j in range(k + 1 - rule.agree, k)]


class _Judged(nn.Module):
    """A part of a network with the rule of its exit. It normalises pixels where it reads them."""

    scale: Tensor
    shift: Tensor

    def __init__(
        self, whole: Pixels, network: fx.GraphModule, names: Sequence[str], judge: _Judge | None
    ) -> None:
        super().__init__()
        self.network, self.names, self.judge = network, tuple(names), judge
        self.register_buffer("scale", whole.scale)
        self.register_buffer("shift", whole.shift)

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        read = [
            one.float() * self.scale + self.shift if name == PIXELS else one
            for name, one in zip(self.names, given, strict=False)
        ]
        logits, *kept = self.network(*read)
        if self.judge is None:
            return (logits, *kept)
        leaves, *classes = self.judge(logits, *given[len(self.names) :])
        return (leaves, logits, *kept, *classes)


class _Judge(nn.Module):
    """A rule at one exit, in torch's functions. (B, classes) -> which images leave, (B,)"""

    def __init__(self, rule: Rule, k: int) -> None:
        super().__init__()
        self.rule, self.k = rule, k

    def forward(self, logits: Tensor, *before: Tensor) -> tuple[Tensor, ...]:
        z = logits.double()
        if isinstance(self.rule, Patience):
            return self._patient(z, before)
        scale = self.rule.temperatures[self.k] if self.rule.temperatures else 1.0
        return (_beyond(self.rule, torch.log_softmax(z / scale, 1), self.rule.thresholds[self.k]),)

    def _patient(self, z: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, ...]:
        assert isinstance(self.rule, Patience)
        named = z.argmax(1)
        known = (z == z).all(1)  # no NaN
        named = torch.where(known, named, -1)
        if self.k + 1 < self.rule.agree:
            return known & ~known, named
        for one in before:
            known = known & (one == named)
        return known, named


def _beyond(rule: Threshold, z: Tensor, limit: float) -> Tensor:
    """Which images leave by a score. z: log-probabilities (B, classes)."""
    p = z.exp()
    if rule.score == "entropy":
        return -(p * z).sum(1) < limit
    if rule.score == "confidence":
        return p.amax(1) > limit
    most = p.topk(2, 1).values
    return most[:, 0] - most[:, 1] > limit
