"""Checks of a node type's plan and module. torch is imported when a check runs."""

from __future__ import annotations

import copy
import io
import pickle
from random import Random
from typing import TYPE_CHECKING

from genome.op import Op, Shape
from genome.resolve import resolve
from genome.testing.suite import Case, check, require
from genome.testing.variants import around, label

if TYPE_CHECKING:
    import torch
    from torch import nn

DRAWS = 30  # random genes a node type


@check("inputs")
def costs(case: Case) -> None:
    """Shapes, params and MACs of the plan are those of the module."""
    from genome.testing.measure import check_plan, equal, meta_macs

    plan = resolve(around(case.op, case.inputs))
    check_plan(plan)
    if case.op == type(case.op)():
        equal("macs", plan.macs, meta_macs(plan))


@check("type")
def random_genes(case: Case) -> None:
    """Shapes, params and MACs are those of the module for genes drawn at random."""
    from genome.testing.measure import check_plan

    kind, rng = type(case.op), Random(case.op.word)
    for seed in range(DRAWS):
        genes = {g.name: g.search.draw(rng) for g in kind.genes if g.search is not None}
        op, inputs = kind(**genes), rng.choice([1, 2, 3])
        try:
            check_plan(resolve(around(op, inputs)), seed)
        except AssertionError as error:
            raise AssertionError(f"{label(op)} over {inputs} inputs: {error}") from None


@check("inputs")
def saved_memory(case: Case) -> None:
    """The bytes that autograd saves are exactly those of the plan."""
    from genome.build import build
    from genome.testing.measure import equal, saved_bytes

    plan = resolve(around(case.op, case.inputs))
    equal("bytes saved for the backward pass", plan.train_bytes, saved_bytes(build(plan), plan))


@check("inputs")
def peak_memory(case: Case) -> None:
    """The peak without gradients is never planned too low, and at most half too high."""
    from genome.build import build
    from genome.testing.measure import check_peak_memory

    plan = resolve(around(case.op, case.inputs))
    check_peak_memory(build(plan), plan)


# --- the module


@check("inputs", plain=True)
def gradients(case: Case) -> None:
    """The derivatives by every input and weight are those of finite differences, in float64."""
    import torch

    op = case.op.having(**case.traits.derivative)
    sources = _sources(op, case.inputs)
    module, xs = _in_float64(op, sources, case.traits.kinks)
    weights = {name: p.detach().clone().requires_grad_() for name, p in module.named_parameters()}

    def run(*tensors: torch.Tensor) -> torch.Tensor:
        given = dict(zip(weights, tensors[len(xs) :], strict=True))
        made: torch.Tensor = torch.func.functional_call(module, given, tensors[: len(xs)])
        return made

    require(torch.autograd.gradcheck(run, (*xs, *weights.values()), fast_mode=True), "gradients")


def _sources(op: Op, inputs: int) -> list[Shape]:
    sources = [Shape(2, 5, 4), Shape(3, 3, 2), Shape(1, 5, 4)][:inputs]
    if op.width == "classes" or not op.aligns:
        return sources
    return [s._replace(height=5, width=4) for s in sources][: 3 if op.many else 1]


def _in_float64(op: Op, sources: list[Shape], kinks: tuple[str, ...]) -> tuple[nn.Module, list[torch.Tensor]]:
    """A module and its inputs, where the function has a derivative."""
    import torch

    from genome.testing.measure import is_random

    width = {"classes": 3, "schedule": 4, "stated": 0, "never": 0}[op.width]
    if op.width == "classes" and not vars(op).get("linear", True):
        width = sum(s.channels for s in sources)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = op.build(sources, op.shape(sources, width)).double()
        for name, weight in module.named_parameters():
            if any(kink in name for kink in kinks):
                weight.data += 0.2 * torch.randn_like(weight)
        xs = [torch.randn(3, *s, dtype=torch.float64, requires_grad=True) for s in sources]
        for (
            p
        ) in module.parameters():  # a bias of zero puts a pixel that gets only zeros on the kink of its ReLU
            p.data.add_(0.1 * torch.randn_like(p))
    # random dropping has no derivative
    return module.train(not is_random(copy.deepcopy(module), *xs)), xs


@check("type")
def channels_last(case: Case) -> None:
    """The logits are the same in channels_last."""
    import torch

    from genome.build import build
    from genome.testing.measure import images

    plan = resolve(around(case.op, 3))
    module, x = build(plan).eval(), images(plan)
    expected = module(x)
    moved = module.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    for ours, theirs in zip(moved, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@check("genes", plain=True)
def bfloat16(case: Case) -> None:
    """Under bfloat16 autocast the logits are close to those of float32, and every parameter gets a finite gradient."""
    import torch

    from genome.build import build
    from genome.testing.measure import images, is_random, undropped

    plan = resolve(around(case.op, 3))
    module, x = build(plan), images(plan)
    with undropped(module):
        module.train(not is_random(copy.deepcopy(module), x))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = module(x)
        exact = module(x)
    for ours, theirs in zip(logits, exact, strict=True):
        torch.testing.assert_close(ours.float(), theirs, rtol=0.1, atol=0.2)
    torch.stack([out.float().square().sum() for out in logits]).sum().backward()  # type: ignore[no-untyped-call]
    for name, p in module.named_parameters():
        require(p.grad is not None and bool(p.grad.isfinite().all()), f"{name} has no finite gradient")


@check("type")
def copies(case: Case) -> None:
    """A copied, a pickled and a loaded module give the same logits."""
    import torch

    from genome.build import build
    from genome.testing.measure import images

    plan = resolve(around(case.op, 3))
    module, x = build(plan).eval(), images(plan)
    expected = module(x)
    saved = io.BytesIO()
    torch.save(module.state_dict(), saved)
    saved.seek(0)
    loaded = build(plan, seed=1).eval()
    loaded.load_state_dict(torch.load(saved, weights_only=True))
    for name, twin in (
        ("a deep copy", copy.deepcopy(module)),
        ("a pickled copy", pickle.loads(pickle.dumps(module))),
        ("a module with loaded weights", loaded),
    ):
        alike = all(torch.equal(a, b) for a, b in zip(twin(x), expected, strict=True))
        require(alike, f"{name} gives other logits")


@check("type")
def seeds(case: Case) -> None:
    """The weights depend on the seed alone, and building leaves torch's global generator as it was."""
    import torch

    from genome.build import build

    plan = resolve(around(case.op, 1))
    before = torch.random.get_rng_state()
    one, same, other = (list(build(plan, seed=s).parameters()) for s in (3, 3, 4))
    require(torch.equal(before, torch.random.get_rng_state()), "building changes torch's global generator")
    require(
        all(torch.equal(a, b) for a, b in zip(one, same, strict=True)), "one seed gives different weights"
    )
    require(
        not all(torch.equal(a, b) for a, b in zip(one, other, strict=True)), "two seeds give the same weights"
    )
