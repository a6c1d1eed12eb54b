"""The peak of a plan: every step forward and, in training, backward, with all maps that are alive."""

from __future__ import annotations

from typing import NamedTuple

from genome.cost import Inside, Layer
from genome.memory.kernels import Kernels
from genome.memory.layers import Done, Runs
from genome.memory.tape import Map, Moment, Tape
from genome.op import FLOAT_BYTES
from genome.plan import Plan
from genome.step import SOURCE, Step

LOSS = 4  # maps of an exit's logits in the loss: softened, their gradients by two terms, and the gradient of the logits


class Peak(NamedTuple):
    """The peak of one pass, whatever the batch, beside weights, optimizer and images that wait."""

    moments: tuple[Moment, ...]

    def bytes(self, batch: int) -> int:
        """The bytes in float32: activations, gradients of them and of weights, and what kernels take for themselves."""
        return FLOAT_BYTES * max(one.of(batch) for one in self.moments)


def peak(plan: Plan, trains: bool, blocked: bool = False) -> Peak:
    """Follow a plan's training step up to its last gradient, or a forward in evaluation.

    blocked: whether the kernels of convolutions copy maps (`genome.memory.kernels`).
    """
    tape = Tape()
    run = _Pass(plan, tape, Runs(tape, Kernels(blocked), trains), trains)
    run.forward()
    if trains:
        run.backward()
    return Peak(tape.most())


class _Ran(NamedTuple):
    """A step that ran in training."""

    edges: tuple[tuple[int, list[Done]], ...]  # the source of each input that was read, and its layers
    merged: tuple[int, ...]  # sizes of the inputs, where several became one by `cat`; else none
    after: list[Done]
    opaque: tuple[Map, ...] | None = None  # what a node saves of which only its cost is known


class _Pass:
    """One pass through the steps of a plan."""

    def __init__(self, plan: Plan, tape: Tape, runs: Runs, trains: bool) -> None:
        self._plan, self._tape, self._runs, self._trains = plan, tape, runs, trains
        self._values: dict[int, Map] = {SOURCE: tape.make(plan.genome.input.size)}
        self._learned: dict[int, bool] = {SOURCE: False}
        self._ran: dict[int, _Ran] = {}
        self._grads: dict[int, Map] = {}

    def forward(self) -> None:
        last = {SOURCE: len(self._plan.steps), **{i: i for i in range(len(self._plan.steps))}}
        for i, step in enumerate(self._plan.steps):
            last.update({s: i for s in step.sources if s is not None and s != SOURCE})
        last.update(dict.fromkeys(self._plan.exits, len(self._plan.steps)))
        for i, step in enumerate(self._plan.steps):
            self._run(i, step)
            for source in [s for s, at in last.items() if at == i]:
                self._values.pop(source).drop()

    def backward(self) -> None:
        steps = self._plan.steps
        for i in self._plan.exits:
            classes = steps[i].info.out.size
            self._tape.make(classes)  # the softened logits, until the end
            self._tape.note((LOSS - 1) * classes)
            self._values.pop(i).drop()
            self._grads[i] = self._tape.make(classes)
        for i in reversed(range(len(steps))):
            if i in self._grads and i in self._ran:
                self._back(self._ran.pop(i), steps[i], self._grads.pop(i))

    # --- one step

    def _run(self, i: int, step: Step) -> None:
        sources = [s for s in step.sources if s is not None]
        inside = _inside(step)
        maps: list[Map] = []
        edges: list[tuple[int, list[Done]]] = []
        learned = False
        for source, layers in zip(sources, _edges(step, inside), strict=True):
            made, done, own = self._runs.forward(layers, self._values[source].hold(), self._learned[source])
            maps.append(made)
            edges.append((source, done))
            learned |= own
        merged = tuple([one.size for one in maps]) if len(maps) > 1 and _merge(inside) == "cat" else ()
        x = self._merged(maps, _merge(inside))
        if inside is None:
            y, opaque = self._opaque(step, x, learned)
            done_after: list[Done] = []
            learned = learned or i in self._plan.learned
        else:
            y, done_after, learned = self._runs.forward(inside.after, x, learned)
            opaque = None
        self._values[i], self._learned[i] = y, learned
        if self._trains and learned:
            self._ran[i] = _Ran(tuple(edges), merged, done_after, opaque)

    def _merged(self, maps: list[Map], merge: str) -> Map:
        if len(maps) == 1:
            return maps[0]
        if merge == "cat":
            whole = self._tape.make(sum(one.size for one in maps))
        else:  # one more input after another
            whole = maps[0].hold()
            for _ in maps[1:]:
                total = self._tape.make(whole.size)
                whole.drop()
                whole = total
        for one in maps:
            one.drop()
        return whole

    def _opaque(self, step: Step, x: Map, learned: bool) -> tuple[Map, tuple[Map, ...]]:
        cost, out = step.info.cost, step.info.out.size
        self._tape.note(out + cost.scratch)
        saves = self._trains and (learned or cost.weights > 0 or cost.norms > 0)
        saved = [self._tape.make(cost.saved)] if saves else []
        y = self._tape.make(out)
        if saves:
            reads = any(cost.reads) if isinstance(cost.reads, tuple) else cost.reads
            saved += [x.hold()] if reads else []
            saved += [y.hold()] if cost.keeps else []
        x.drop()
        return y, tuple(saved)

    def _back(self, ran: _Ran, step: Step, grad: Map) -> None:
        fixed = self._tape.fixed
        x: Map | None = None
        if ran.opaque is not None:
            x = self._opaque_back(step, ran.opaque, grad)
        else:
            x = self._runs.backward(ran.after, grad)
        for source, done in reversed(ran.edges) if x is not None else ():
            assert x is not None
            found = self._runs.backward(done, x.hold())
            if found is not None and self._learned[source]:
                self._add(source, found)
            elif found is not None:
                found.drop()
        if x is not None:
            x.drop()
        if step.turn:  # the passes of a loop share their weights
            self._tape.fixed = fixed

    def _opaque_back(self, step: Step, saved: tuple[Map, ...], grad: Map) -> Map:
        cost, size = step.info.cost, sum(one.size for one in step.info.seen)
        self._tape.note(size + max(cost.scratch, grad.size))
        made = self._tape.make(size)
        self._tape.fixed += cost.weights + cost.norms
        self._tape.note()
        for one in (*saved, grad):
            one.drop()
        return made

    def _add(self, source: int, grad: Map) -> None:
        """Add to the gradient of a step's output: in place where nothing else holds it, as torch's engine does."""
        known = self._grads.get(source)
        if known is None:
            self._grads[source] = grad
            return
        size = self._plan.steps[source].info.out.size
        if known.is_shared or known.size != size:
            self._grads[source] = self._tape.make(size)
            known.drop()
        grad.drop()


def _inside(step: Step) -> Inside | None:
    return step.node.op.inside(step.info.seen, step.info.out)


def _merge(inside: Inside | None) -> str:
    return "cat" if inside is None else inside.merge


def _edges(step: Step, inside: Inside | None) -> list[tuple[Layer, ...]]:
    """The layers over each input that is read: those that pool a larger image, then the node's own."""
    ins, info = [one for one in step.ins if one is not None], step.info
    own = inside.edges if inside is not None and inside.edges else ((),) * len(ins)
    seen = (
        info.seen
        if len(info.seen) == len(ins)
        else [one.with_channels(i.channels) for i in ins for one in info.seen]
    )
    return [
        ((Layer("shrink", i, s),) if small else ()) + layers
        for i, s, small, layers in zip(ins, seen, info.shrunk, own, strict=True)
    ]
