"""What every plan must hold against the module that is built from it, measured with torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import genome
from genome.network import Network
from genome.op import FLOAT_BYTES
from genome.plan import Plan

BATCH = 2


def check(plan: Plan, seed: int = 0) -> Network:
    """Build, run forward and backward, and compare with the plan: shapes, params, MACs. Returns the module."""
    module = genome.build(plan, seed=seed)
    assert plan.params == sum(p.numel() for p in module.parameters()), "params"
    image = torch.randn(BATCH, *plan.genome.input, generator=torch.Generator().manual_seed(seed))
    with undropped(module), recorded(module) as shapes, FlopCounterMode(display=False) as counter:
        logits = module(image)
    # a forward multiplies and adds: two operations for each multiply-add
    assert counter.get_total_flops() == 2 * BATCH * plan.macs, "macs"
    expected = [step.info.out for step in plan.steps]
    exits = set(plan.exits)
    wanted = [(BATCH, s.channels) if i in exits else (BATCH, *s) for i, s in enumerate(expected)]
    assert shapes == wanted, "shapes"
    assert len(logits) == len(plan.exits)
    assert all(torch.isfinite(out).all() for out in logits)
    logits = module(image)  # with what a mini-batch drops, if it drops anything
    torch.stack([(out**2).sum() for out in logits]).sum().backward()
    return module


@contextmanager
def undropped(module: Network) -> Iterator[None]:
    """Run every path, as a network in training that happens to drop nothing."""
    before, module.joins = module.joins, {}
    try:
        yield
    finally:
        module.joins = before


@contextmanager
def recorded(module: Network) -> Iterator[list[tuple[int, ...]]]:
    """The shapes that the nodes give, in order."""
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
    module = genome.build(plan).to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.empty(1, *plan.genome.input, device="meta"))
    return counter.get_total_flops() / 2


def kept_bytes(module: Network, plan: Plan) -> int:
    """Bytes per image that the backward pass really keeps: what one image more adds (weights that were put
    together are the same for any number), less the mean and deviation that a group norm keeps per group (a plan
    counts no statistics)."""
    groups = sum(m.num_groups for m in module.modules() if isinstance(m, nn.GroupNorm))
    return _kept(module, plan, BATCH + 1) - _kept(module, plan, BATCH) - 2 * FLOAT_BYTES * groups


def _kept(module: Network, plan: Plan, batch: int) -> int:
    """Bytes of the distinct storages that backward keeps, the module's own apart."""
    own = {p.untyped_storage().data_ptr() for p in [*module.parameters(), *module.buffers()]}
    seen: dict[int, tuple[int, torch.UntypedStorage]] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and tensor.dim() > 1:
            seen[storage.data_ptr()] = (storage.nbytes(), storage)
        return tensor

    image = torch.randn(batch, *plan.genome.input)
    with undropped(module), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        logits = module(image)
    del logits
    return sum(size for size, _ in seen.values())
