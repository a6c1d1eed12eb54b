"""A plan: a genome with the shape and the cost of every evaluation. Frozen, without tensors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from genome.compute_graph import ComputeGraph, compute_graph
from genome.graph import Genome
from genome.op import FLOAT_BYTES, Shape
from genome.step import SOURCE, Step


@dataclass(frozen=True)
class Plan:
    """A resolved genome. All numbers are exact, except `infer_bytes`, and are those of one image."""

    genome: Genome  # expanded
    steps: tuple[Step, ...]  # in order of evaluation
    exits: tuple[int, ...]  # indices of steps, in written order
    params: int  # parameters
    macs: int  # multiply-adds of one forward

    @cached_property
    def compute_graph(self) -> ComputeGraph:
        """Its nodes without identities and the edges between them, of which digests are made."""
        return compute_graph(self.steps, self.genome.loops)

    @cached_property
    def last(self) -> dict[str, int]:
        """The index of the last step of each node, by name."""
        return {step.node.name: i for i, step in enumerate(self.steps)}

    @cached_property
    def fixed(self) -> int:
        """Numbers that are stored but never learned, such as the masks of `perturb`."""
        return sum(step.info.cost.fixed for step in self.steps if not step.turn)

    @cached_property
    def widths(self) -> dict[tuple[str, str], int]:
        """The channels of every edge (source, reader)."""
        return {
            (source, step.node.name): shape.channels
            for step in self.steps
            for source, shape in zip(step.node.ins, step.ins, strict=True)
            if shape is not None
        }

    @cached_property
    def learned(self) -> frozenset[int]:
        """The indices of the steps whose values depend on parameters."""
        found: set[int] = set()
        for i, step in enumerate(self.steps):
            cost = step.info.cost
            if cost.weights or cost.norms or not found.isdisjoint(step.sources):
                found.add(i)
        return frozenset(found)

    @cached_property
    def _reads(self) -> list[tuple[int, ...]]:
        """The sources that each step reads."""
        return [step.read for step in self.steps]

    @cached_property
    def image_macs(self) -> int:
        """The part of `macs` whose inputs depend on no parameter, such as the image or a pool of it.

        Training needs no gradient of these inputs. Of a node with several inputs only the share of such inputs counts.
        """
        macs = 0
        for step, read in zip(self.steps, self._reads, strict=True):
            first = step.info.cost.first_macs
            if isinstance(first, tuple):
                macs += sum(own for s, own in zip(read, first, strict=True) if s not in self.learned)
            elif self.learned.isdisjoint(read):
                macs += first
        return macs

    @cached_property
    def train_bytes(self) -> int:
        """Float32 bytes per image that autograd saves for the backward pass, without the statistics of norms.

        Steps before the first parameter have no gradient and save nothing.
        """
        kept: set[int] = set()
        numbers, learned = 0, self.learned
        for i, step in enumerate(self.steps):
            if i not in learned:
                continue
            info = step.info
            numbers += info.cost.saved + info.extra
            if info.cost.keeps:
                kept.add(i)
            for source, small, keep in zip(self._reads[i], info.shrunk, info.keeps, strict=True):
                if keep or (small and source in learned):
                    kept.add(source)
        numbers += sum([self.genome.input.size if i == SOURCE else self.steps[i].info.size for i in kept])
        return FLOAT_BYTES * numbers

    @cached_property
    def infer_bytes(self) -> int:
        """The peak float32 bytes per image of a forward without gradients, with the image, which the caller holds.

        It is never below the real peak, and at most half above it.
        """
        # the last step that reads each; the caller holds the image and the exits to the end
        last_use = [*range(len(self.steps))]
        for i, step in enumerate(self.steps):
            for source in step.sources:
                if source is not None and source != SOURCE:
                    last_use[source] = i
        held = set(self.exits)
        dying = [0] * len(self.steps)  # numbers that are read last by each step
        for i, last in enumerate(last_use):
            if i not in held:
                dying[last] += self.steps[i].info.size
        alive = peak = self.genome.input.size
        for step, gone in zip(self.steps, dying, strict=True):
            info = step.info
            peak = max(peak, alive + info.size + info.cost.scratch + info.fitted)
            alive += info.size - gone
        return FLOAT_BYTES * peak

    @property
    def memory_bytes(self) -> int:
        """The bytes to run one image: all stored numbers and the peak of the activations."""
        return FLOAT_BYTES * (self.params + self.fixed) + self.infer_bytes

    @cached_property
    def depth(self) -> int:
        """The number of layers with weights on the longest path from the image to an exit."""
        deep = {SOURCE: 0}
        for i, step in enumerate(self.steps):
            before, layers = [deep[s] for s in self._reads[i]], step.info.cost.layers
            if isinstance(layers, tuple):
                deep[i] = max([depth + more for depth, more in zip(before, layers, strict=True)])
            else:
                deep[i] = max(before) + layers
        return max(deep[i] for i in self.exits)

    @cached_property
    def receptive_field(self) -> int:
        """The rows of the image that one value before an exit's pooling depends on, padding included."""
        field = {SOURCE: (1, 1)}  # reach and jump, in pixels of the image
        for i, step in enumerate(self.steps):
            edges, cost = [field[source] for source in self._reads[i]], step.info.cost
            if step.info.ratios is not None:
                pooled = zip(edges, step.info.ratios, strict=True)
                edges = [(reach + (ratio - 1) * jump, jump * ratio) for (reach, jump), ratio in pooled]
            reach, jump = edges[0]
            if len(edges) > 1:
                reach, jump = max([r for r, _ in edges]), max([j for _, j in edges])
            field[i] = (reach + (cost.extent - 1) * jump, jump * cost.stride)
        return max(field[i][0] for i in self.exits)


def loop_weights(steps: list[Step]) -> int:
    """The weights of the members of loops: all passes share one kernel per input that any pass reads."""
    read: dict[str, dict[int, Shape]] = {}
    for step in steps:
        places = [i for i, shape in enumerate(step.ins) if shape is not None]
        read.setdefault(step.node.name, {}).update(zip(places, step.info.seen, strict=True))
    made = {step.node.name: step for step in steps}
    return sum(
        made[name].node.op.cost([*seen.values()], made[name].info.out).weights for name, seen in read.items()
    )
