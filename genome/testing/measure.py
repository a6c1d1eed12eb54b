"""Measurements of a network with torch: multiply-adds, shapes, activation memory."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from genome.build import build
from genome.network import Network
from genome.op import FLOAT_BYTES
from genome.plan import Plan

BATCH = 2


def equal(what: str, planned: object, measured: object) -> None:
    """Raise AssertionError unless the plan is what was measured."""
    if planned != measured:
        raise AssertionError(f"{what}: the plan says {planned}, the module has {measured}")


def images(plan: Plan, seed: int = 1) -> torch.Tensor:
    """A batch of noise. (B, C, H, W)"""
    return torch.randn(BATCH, *plan.genome.input, generator=torch.Generator().manual_seed(seed))


def check_plan(plan: Plan, seed: int = 0, count_macs: bool = True) -> Network:
    """Build the module, run it forward and backward, and compare shapes, params and MACs with the plan.

    Returns the module. Raises AssertionError.
    """
    module = build(plan, seed=seed)
    equal("params", plan.params, sum(p.numel() for p in module.parameters()))
    x = images(plan, seed)
    with undropped(module), recorded(module) as shapes, FlopCounterMode(display=False) as counter:
        logits = module(x)
    if count_macs:
        equal(
            "macs", 2 * BATCH * plan.macs, counter.get_total_flops()
        )  # two operations for each multiply-add
    exits = set(plan.exits)
    outs = [step.info.out for step in plan.steps]
    equal("shapes", [(BATCH, s.channels) if i in exits else (BATCH, *s) for i, s in enumerate(outs)], shapes)
    equal("exits", len(plan.exits), len(logits))
    assert all(bool(torch.isfinite(out).all()) for out in logits), "some logits are not finite"
    logits = module(x)  # with the paths that a mini-batch drops, if it drops any
    torch.stack([(out**2).sum() for out in logits]).sum().backward()  # type: ignore[no-untyped-call]
    return module


@contextmanager
def undropped(module: Network) -> Iterator[None]:
    """Run every path, as a network in training does when drop-path drops nothing."""
    before, module.joins = module.joins, {}
    try:
        yield
    finally:
        module.joins = before


@contextmanager
def recorded(module: Network) -> Iterator[list[tuple[int, ...]]]:
    """The shapes of the nodes' outputs, in order of evaluation."""
    shapes: list[tuple[int, ...]] = []
    hooks = [
        node.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape)))
        for node in module.nodes.values()
    ]
    yield shapes
    for hook in hooks:
        hook.remove()


def meta_macs(plan: Plan) -> float:
    """Multiply-adds of one image, counted by torch in a forward on the meta device."""
    module = build(plan).to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.empty(1, *plan.genome.input, device="meta"))
    return float(counter.get_total_flops()) / 2


def saved_bytes(module: Network, plan: Plan) -> int:
    """Bytes per image that autograd saves for the backward pass.

    This is what one more image adds, so that weights which a loop concatenates do not count. The mean and deviation
    that a group norm saves per group are left out, since a plan counts no statistics.
    """
    groups = sum(m.num_groups for m in module.modules() if isinstance(m, nn.GroupNorm))
    return _saved(module, plan, BATCH + 1) - _saved(module, plan, BATCH) - 2 * FLOAT_BYTES * groups


def _saved(module: Network, plan: Plan, batch: int) -> int:
    """Bytes of the distinct storages that autograd saves, without the module's own."""
    own = {p.untyped_storage().data_ptr() for p in [*module.parameters(), *module.buffers()]}
    seen: dict[int, tuple[int, torch.UntypedStorage]] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and tensor.dim() > 1:
            seen[storage.data_ptr()] = (storage.nbytes(), storage)
        return tensor

    x = torch.randn(batch, *plan.genome.input)
    with undropped(module), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        logits = module(x)
    del logits
    return sum(size for size, _ in seen.values())


class PeakMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The peak bytes of the tensors that are made inside, counted at every call of a torch operator.

    Tensors made of weights alone, such as those that a loop concatenates, are no activations and do not count.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sizes = {t.untyped_storage()._cdata: 0 for t in [*module.parameters(), *module.buffers()]}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        of_weights = bool(given) and all(self.sizes.get(t.untyped_storage()._cdata) == 0 for t in given)
        out = func(*args, **(kwargs or {}))
        for tensor in [*given, *(t for t in tree_leaves(out) if isinstance(t, torch.Tensor))]:
            storage = tensor.untyped_storage()
            if storage._cdata not in self.sizes:
                self.sizes[storage._cdata] = 0 if of_weights else storage.nbytes()
                weakref.finalize(storage, self.sizes.pop, storage._cdata, None)
        self.peak = max(self.peak, sum(self.sizes.values()))
        return out


def check_peak_memory(module: nn.Module, plan: Plan) -> None:
    """Raise AssertionError if the plan's peak without gradients is below torch's, or more than half above it."""
    module.eval()
    x = images(plan)
    with torch.no_grad(), PeakMemory(module) as live:
        module(x)
    groups = max([0, *(m.num_groups for m in module.modules() if isinstance(m, nn.GroupNorm))])
    least = live.peak - BATCH * FLOAT_BYTES * 2 * groups  # without the mean and deviation of group norms
    planned = BATCH * plan.infer_bytes
    if not least <= planned <= 1.5 * live.peak:
        raise AssertionError(f"peak bytes: the plan says {planned}, the module takes {least} to {live.peak}")


def is_random(module: nn.Module, *xs: torch.Tensor) -> bool:
    """Whether the module gives different outputs for the same inputs in training."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        one, other = (tree_leaves(module.train()(*xs)) for _ in range(2))
    return any(not torch.equal(a, b) for a, b in zip(one, other, strict=True))
