"""The torch module of a plan."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from genome.exits.segments import needed
from genome.kept import kept
from genome.module_names import earlier_name, module_names
from genome.op import Shape
from genome.ops._horizontal_fusion import pays, run_together
from genome.ops._joins import Join, shrink
from genome.ops._kernels import Kernels, share_kernels
from genome.ops._paths import Paths, Sources, drawn
from genome.plan import Plan
from genome.pour import Slot
from genome.siblings import siblings
from genome.slots import kernel, slots
from genome.step import SOURCE, Step

NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm)


class Network(nn.Module):
    """The module of one plan. (B, C, H, W) -> one tensor of logits (B, classes) per exit, in written order."""

    nodes: nn.ModuleDict
    """One module per step under the name of `genome.module_names`; `node` finds the module of a node. The passes of a
    loop share all weights except those of norms."""
    macs: int
    """Multiply-adds of one image."""
    image_macs: int
    """The part of `macs` whose inputs need no gradient."""
    exit_weights: tuple[float, ...]
    """The factors of the exits in the training loss."""
    early_heads: tuple[str, ...]
    """The names of the modules that the last exit does not need."""
    joins: dict[int, Paths]
    """The drop-path of the steps that have one."""
    plan_steps: tuple[Step, ...]  # of the plan, in the order of `nodes`
    exits: tuple[int, ...]  # indices of steps, in written order

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        names = module_names(plan.steps)
        self.nodes = nn.ModuleDict(dict(zip(names, _modules(plan), strict=True)))
        self.macs, self.image_macs = plan.macs, plan.image_macs
        self.exit_weights = tuple(float(vars(plan.steps[i].node.op)["weight"]) for i in plan.exits)
        self.exits = plan.exits
        trunk = {*needed(plan.steps, plan.exits[-1])}
        self.early_heads = tuple([f"nodes.{name}" for i, name in enumerate(names) if i not in trunk])
        drops = _drops(plan)
        self._steps = [
            (name, s.sources, drop) for name, s, drop in zip(names, plan.steps, drops, strict=True)
        ]
        self._names = {(s.node.name, s.turn): name for name, s in zip(names, plan.steps, strict=True)}
        self._earlier = {earlier_name(step): name for name, step in zip(names, plan.steps, strict=True)}
        self.register_load_state_dict_pre_hook(_rename)  # type: ignore[no-untyped-call]
        self.plan_steps = plan.steps
        self._kept: dict[int, Sources | None] | None = None
        self._siblings = siblings(plan.steps)
        self.joins = {
            i: paths for i, (key, _, _) in enumerate(self._steps) if (paths := paths_of(self.nodes[key]))
        }

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Run every step, in training only those that the paths of this mini-batch need."""
        values: dict[int | None, Tensor | None] = {None: None, SOURCE: image}
        kept = self._paths()
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
        return tuple([values[i] for i in self.exits])  # type: ignore[misc]  # an exit is always run

    def node(self, name: str, turn: int = 0) -> nn.Module:
        """The module of a node in a pass of its loop, without what fits its inputs.

        Its parts are those that `docs/weights.md` lists for the node type.

        Raises:
            KeyError: the expanded genome has no such node, or the node no such pass.
        """
        if (name, turn) not in self._names:
            raise KeyError(_absent(name, turn, [*self._names]))
        return unwrapped(self.nodes[self._names[name, turn]])

    def names(self) -> tuple[str, ...]:
        """The names of the nodes, in the order of the plan."""
        return tuple(dict.fromkeys(step.node.name for step in self.plan_steps))

    def slots(self) -> list[Slot]:
        """The tensors of the network in the order of its plan."""
        return [*slots(self.plan_steps, [unwrapped(module) for module in self.nodes.values()])]

    def kernel(self, name: str, source: str, tensor: str | None = None) -> Tensor:
        """The kernel of a node over one of its inputs, a view (O, C / groups, k, k) that may be written.

        tensor: its tensor, such as `pointwise.weight`, where the node has several over its inputs.

        Raises:
            KeyError: no such node, input or tensor; a node with several such tensors and none named, or with none.
        """
        self.node(name)
        own = [
            (step, at) for step, at in zip(self.plan_steps, self.nodes, strict=True) if step.node.name == name
        ]
        modules = [unwrapped(self.nodes[at]) for _, at in own]
        return kernel([step for step, _ in own], modules, source, tensor)

    def current_names(self, names: Iterable[str]) -> dict[str, str]:
        """The names that the entries of a state dict have today, by the names that they have in it.

        Earlier versions named modules otherwise. A name that belongs to neither version stays as it is.
        """
        split = {name: name.split(".", 2) for name in names}
        if all(parts[1] in self.nodes for parts in split.values() if parts[1:]):
            return {name: name for name in split}
        return {
            name: ".".join([*parts[:1], *(self._earlier.get(node, node) for node in parts[1:2]), *parts[2:]])
            for name, parts in split.items()
        }

    def _together(self, family: list[int], x: Tensor | None) -> dict[int | None, Tensor | None]:
        """The outputs of siblings that are run as one, or nothing if that is not faster."""
        modules = [self.nodes[self._steps[j][0]] for j in family]
        if x is None or len(family) < 2 or not pays(modules, x):
            return {}
        return dict(zip(family, run_together(modules, x), strict=True))

    @contextmanager
    def keeping(self, inputs: Mapping[str, Sequence[str]]) -> Iterator[None]:
        """Choose the paths of drop-path: inside, each join in `inputs` reads only these inputs, by the names of nodes.

        All other joins read all of their inputs. This holds in training and in evaluation; in evaluation a branch of
        stochastic depth keeps its factor.

        Raises:
            ValueError: no add or mean of the network, an input that it does not have, no input that it reads, or a
                join with stochastic depth without its shortcut, the last input.
        """
        modules = enumerate(self.nodes.values())
        joins = {i: self.joins.get(i) for i, module in modules if isinstance(module, Join)}
        before, self._kept = self._kept, kept(self.plan_steps, joins, self.exits, inputs)
        try:
            yield
        finally:
            self._kept = before

    @property
    def is_keeping(self) -> bool:
        """Whether `keeping` chooses the paths now."""
        return self._kept is not None

    def _paths(self) -> dict[int, Sources | None]:
        """The inputs that each join reads in this mini-batch, and None for the steps that are not needed."""
        if self._kept is not None:
            return self._kept
        joins = {i: paths for i, paths in self.joins.items() if self.nodes[self._steps[i][0]].training}
        if not self.training or not joins:
            return {}
        # random draws stay out of a compiled graph
        draw = torch._dynamo.disable(drawn) if torch.compiler.is_compiling() else drawn  # type: ignore[no-untyped-call]
        return draw(joins, [sources for _, sources, _ in self._steps], self.exits)


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


def unwrapped(module: nn.Module) -> nn.Module:
    """The module of a node without what fits and concatenates its inputs."""
    while isinstance(module, Fitted | Concatenated):
        module = module.node
    return module


def _absent(name: str, turn: int, known: Sequence[tuple[str, int]]) -> str:
    """Say that no module is that of a node in a pass. known: the nodes and passes that there are."""
    own = [str(t) for n, t in known if n == name]
    if own:
        return f"node {name} has the passes {', '.join(own)}, not {turn}"
    near = difflib.get_close_matches(name, {n for n, _ in known}, n=3)
    return f"the network has no node {name}" + (f"; did you mean {' or '.join(near)}?" if near else "")


def paths_of(module: nn.Module) -> Paths | None:
    """The drop-path of a node, or None if it has none."""
    return module.paths if isinstance(module, Join) else None


def _rename(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Give the entries of an earlier version's state dict the names of today, in place."""
    assert isinstance(module, Network)
    own = [name.removeprefix(prefix) for name in state if name.startswith(prefix)]
    values = {name: state.pop(prefix + name) for name in own}
    state.update({prefix + current: values[name] for name, current in module.current_names(own).items()})


def _modules(plan: Plan) -> list[nn.Module]:
    """One module per step, with weights shared by the passes of a loop."""
    made: list[nn.Module] = []
    passes: dict[str, list[nn.Module]] = {}
    for step in plan.steps:
        made.append(module := _module(step))
        passes.setdefault(step.node.name, []).append(module.node if isinstance(module, Fitted) else module)
    for modules in passes.values():
        if len(modules) > 1:
            _share(modules)
    return [_with_torch_layers(module) for module in made]


def _with_torch_layers(module: nn.Module) -> nn.Module:
    """The module with torch's own convolutions wherever they compute the same."""
    if isinstance(module, Kernels):
        return module.as_conv2d()
    for name, part in module.named_children():
        if (plain := _with_torch_layers(part)) is not part:
            setattr(module, name, plain)
    return module


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
