"""The torch module of a plan."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from genome.op import Shape
from genome.ops._horizontal_fusion import pays, run_together
from genome.ops._joins import Join, shrink
from genome.ops._kernels import Kernels, share_kernels
from genome.ops._paths import Paths, Sources, drawn
from genome.plan import Plan
from genome.siblings import siblings
from genome.step import SOURCE, Step

NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm)
_TAKEN = nn.ModuleDict()


class Network(nn.Module):
    """The module of one plan. (B, C, H, W) -> one tensor of logits (B, classes) per exit, in written order."""

    nodes: nn.ModuleDict
    """One module per step under the name of its node. A `.` in a name becomes `:`, since torch allows no dots, and a
    name that is an attribute of nn.ModuleDict, such as `half`, gets a `:` at its end. A later pass of a loop has
    `@pass` at its end; passes share all weights except those of norms."""
    macs: int
    """Multiply-adds of one image."""
    image_macs: int
    """The part of `macs` whose inputs need no gradient."""
    exit_weights: tuple[float, ...]
    """The factors of the exits in the training loss."""
    joins: dict[int, Paths]
    """The drop-path of the steps that have one."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.nodes = nn.ModuleDict(_modules(plan))
        self.macs, self.image_macs = plan.macs, plan.image_macs
        self.exit_weights = tuple(float(vars(plan.steps[i].node.op)["weight"]) for i in plan.exits)
        self._exits = plan.exits
        drops = _drops(plan)
        self._steps = [(_key(step), step.sources, drop) for step, drop in zip(plan.steps, drops, strict=True)]
        self._siblings = siblings(plan.steps)
        self.joins = {
            i: paths for i, (key, _, _) in enumerate(self._steps) if (paths := paths_of(self.nodes[key]))
        }

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Run every step, in training only those that the paths of this mini-batch need."""
        values: dict[int | None, Tensor | None] = {None: None, SOURCE: image}
        kept = self._paths() if self.training and self.joins else {}
        families = self._siblings if self.training else {}
        for i, (node, (_, sources, drop)) in enumerate(zip(self.nodes.values(), self._steps, strict=True)):
            reads = kept.get(i, sources)
            if reads is not None and i in families and i not in values:
                family = [j for j in families[i] if kept.get(j, sources) is not None]
                values.update(self._together(family, values[reads[0]]))
            if reads is not None and i not in values:
                values[i] = node(*[values[s] for s in reads])
            for source in drop:
                values.pop(source, None)
        return tuple([values[i] for i in self._exits])  # type: ignore[misc]  # an exit is always run

    def _together(self, family: list[int], x: Tensor | None) -> dict[int | None, Tensor | None]:
        """The outputs of siblings that are run as one, or nothing if that is not faster."""
        modules = [self.nodes[self._steps[j][0]] for j in family]
        if x is None or len(family) < 2 or not pays(modules, x):
            return {}
        return dict(zip(family, run_together(modules, x), strict=True))

    def _paths(self) -> dict[int, Sources | None]:
        """The inputs that each join reads in this mini-batch, and None for the steps that are not needed."""
        # random draws stay out of a compiled graph
        draw = torch._dynamo.disable(drawn) if torch.compiler.is_compiling() else drawn  # type: ignore[no-untyped-call]
        return draw(self.joins, [sources for _, sources, _ in self._steps], self._exits)


class Fitted(nn.Module):
    """A node with inputs of different sizes: larger images are average-pooled to the smallest size first."""

    def __init__(self, shrinks: dict[str, nn.Module], node: nn.Module) -> None:
        super().__init__()
        self.shrinks = nn.ModuleDict(shrinks)
        self.node = node

    def forward(self, *xs: Tensor | None) -> Tensor:
        fitted = list(xs)
        for i, module in self.shrinks.items():
            fitted[int(i)] = module(xs[int(i)])
        return self.node(*fitted)  # type: ignore[no-any-return]


class Concatenated(nn.Module):
    """A one-input node over the concatenation of several inputs."""

    def __init__(self, node: nn.Module) -> None:
        super().__init__()
        self.node = node

    def forward(self, *xs: Tensor) -> Tensor:
        return self.node(torch.cat(xs, dim=1))  # type: ignore[no-any-return]


def paths_of(module: nn.Module) -> Paths | None:
    """The drop-path of a node, or None if it has none."""
    return module.paths if isinstance(module, Join) else None


def _key(step: Step) -> str:
    name = step.node.name.replace(".", ":")
    if step.turn:
        return f"{name}@{step.turn}"
    return f"{name}:" if hasattr(_TAKEN, name) else name


def _modules(plan: Plan) -> OrderedDict[str, nn.Module]:
    """One module per step, with weights shared by the passes of a loop."""
    made: OrderedDict[str, nn.Module] = OrderedDict()
    passes: dict[str, list[nn.Module]] = {}
    for step in plan.steps:
        module = made[_key(step)] = _module(step)
        passes.setdefault(step.node.name, []).append(module.node if isinstance(module, Fitted) else module)
    for modules in passes.values():
        if len(modules) > 1:
            _share(modules)
    return made


def _module(step: Step) -> nn.Module:
    op, seen, out = step.node.op, step.info.seen, step.info.out
    if len(seen) != sum(i is not None for i in step.ins):
        inner: nn.Module = Concatenated(op.build(seen, out))
        places: tuple[Shape | None, ...] = tuple(seen[0].with_channels(i.channels) for i in step.ins if i)
    else:
        given = iter(seen)
        places = tuple([None if i is None else next(given) for i in step.ins])
        inner = op.build(places, out)
    pairs = enumerate(zip(step.ins, places, strict=True))
    shrinks = {
        str(k): shrink(i, p) for k, (i, p) in pairs if i is not None and p is not None and i[1:] != p[1:]
    }
    return Fitted(shrinks, inner) if shrinks else inner


def _share(passes: list[nn.Module]) -> None:
    """Share weights and masks between the passes of a loop, except those of norms.

    A pass has no submodule for an input that it does not read.
    """
    parts: dict[str, list[nn.Module]] = {}
    for one in passes:
        for path, part in one.named_modules():
            parts.setdefault(path, []).append(part)
    for same in parts.values():
        if isinstance(same[0], Kernels):
            share_kernels([part for part in same if isinstance(part, Kernels)])
        elif not isinstance(same[0], NORMS):
            own = [*same[0].named_parameters(recurse=False), *same[0].named_buffers(recurse=False)]
            for part in same[1:]:
                for name, tensor in own:
                    setattr(part, name, tensor)


def _drops(plan: Plan) -> list[tuple[int, ...]]:
    """For each step the values that no later step reads, which are freed after it."""
    last: dict[int, int] = {}
    for i, step in enumerate(plan.steps):
        last[i] = i
        last.update({s: i for s in step.sources if s is not None})
    for i in plan.exits:
        last[i] = len(plan.steps)
    return [tuple(s for s, at in last.items() if at == i) for i in range(len(plan.steps))]
