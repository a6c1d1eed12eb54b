"""What every node type must hold. A new file in genome/ops or genome/motifs is tested by existing."""

from __future__ import annotations

import copy
import importlib
import inspect
import io
import pickle
import re
import weakref
from random import Random
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import genome
from genome.domain import Either
from genome.op import FLOAT_BYTES, Op
from genome.text import flow, op_of, written_op
from genome.yaml.source import parse
from tests.conformance import BATCH, check, kept_bytes, meta_macs, undropped
from tests.variants import MOTIFS, PLAIN, around, ends, label, variants
from tests.widest import widest

CITATION = re.compile(
    r"arXiv:\d{4}\.\d{4,5}|\b(?:CVPR|ICLR|ICML|ICPR|ICANN|ECCV|ICCV|NIPS|NeurIPS|BMVC) \d{4}\b"
)
WORDS = genome.words()


def _variants(words: list[str]) -> list[Any]:
    return [pytest.param(op, id=label(op)) for word in words for op in dict.fromkeys(variants(word))]


EVERY = _variants([*PLAIN, *MOTIFS])
SINGLE = [p for p in _variants(PLAIN) if not p.values[0].expands()]
# a published rule stands in for the gradient of some weights: the genes with which it is the derivative
DERIVATIVE: dict[str, dict[str, Any]] = {
    "active": {"normalize": False, "rate": 1.0, "warmup": 0},
    "deform": {"rate": 1.0},
}


def _image(plan: genome.Plan) -> torch.Tensor:
    return torch.randn(BATCH, *plan.genome.input, generator=torch.Generator().manual_seed(1))


def _drops(op: Op) -> bool:
    """Whether chance sets numbers to zero in training."""
    return vars(op).get("rate" if op.word == "dropout" else "dropout", 0.0) > 0.0


# --- what a reader finds in the file


@pytest.mark.parametrize("word", WORDS)
def test_the_file_says_what_it_is_and_where_it_comes_from(word: str) -> None:
    kind = genome.lookup(word)
    module = importlib.import_module(kind.__module__)
    assert kind.word == word == module.__name__.rpartition(".")[2]
    assert module.__doc__ and module.__doc__.startswith(f"{word}: ")
    assert CITATION.search(module.__doc__), f"{word} names no paper"
    first = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0]
    assert first.endswith(".") and first[0].isupper(), f"{word}'s docstring begins with no sentence"
    if not kind.motif:
        assert re.search(r"\(B, .*\) -> \(B, ", kind.__doc__ or ""), f"{word}'s docstring has no shapes"


@pytest.mark.parametrize("word", WORDS)
def test_every_gene_has_a_domain_that_holds_its_default_and_what_a_search_tries(word: str) -> None:
    kind = genome.lookup(word)
    assert kind().having() == kind()
    for gene in kind.genes:
        if gene.legal is None:
            assert isinstance(gene.default, Op) and gene.search is None
            continue
        assert gene.default in gene.legal
        assert gene.search is not None and gene.legal.covers(gene.search)
        for value in ends(gene.legal):
            assert value in gene.legal
            if gene.active({**vars(kind()), gene.name: value}):
                kind(**{gene.name: value})


@pytest.mark.parametrize("word", WORDS)
def test_a_gene_outside_its_domain_is_refused(word: str) -> None:
    kind = genome.lookup(word)
    for gene in kind.genes:
        wrong: list[Any] = [None, "no such word", [], float("nan"), 10**9]
        if gene.legal is not None and not isinstance(gene.legal, Either):
            wrong += [v for v in (True, 1, 1.0, "same") if v not in gene.legal]
        for value in wrong:
            if gene.active({**vars(kind()), gene.name: value}):
                with pytest.raises(ValueError, match=f"^{word}.{gene.name} is "):
                    kind(**{gene.name: value})


# --- text


@pytest.mark.parametrize("op", EVERY)
def test_yaml_there_and_back(op: Op) -> None:
    text = flow({"x": written_op(op)})
    source = parse(text)
    assert op_of(source, ("x",), "x", source.value["x"]) == op
    active = [g.name for g in op.genes if g.active(vars(op))]
    assert list(source.value["x"]) == ["op", *active]  # every gene is written, so that defaults may change
    whole = around(op, 1)
    assert genome.loads(genome.dump(whole)) == whole


@pytest.mark.parametrize("op", EVERY)
def test_a_silent_gene_is_at_its_default(op: Op) -> None:
    silent = [g for g in op.genes if not g.active(vars(op))]
    assert all(vars(op)[g.name] == g.default for g in silent)
    for gene in silent:
        for value in ends(gene.legal) if gene.legal is not None else ():
            assert op.having(**{gene.name: value}) == op


# --- plan against module


@pytest.mark.parametrize("inputs", [1, 3])
@pytest.mark.parametrize("op", EVERY)
def test_shapes_params_and_macs_are_those_of_the_module(op: Op, inputs: int) -> None:
    if op.width == "classes" and not vars(op)["linear"]:
        pytest.skip("see test_joins.py: without a linear layer the width is the number of classes")
    plan = genome.resolve(around(op, inputs))
    check(plan)
    if op == type(op)():
        assert meta_macs(plan) == plan.macs


@pytest.mark.parametrize("word", WORDS)
def test_all_genes_at_once(word: str) -> None:
    kind, rng, met = genome.lookup(word), Random(word), 0
    while met < 30:
        genes = {g.name: g.search.draw(rng) for g in kind.genes if g.search is not None}
        check(genome.resolve(around(kind(**genes), rng.choice([1, 2, 3]))), seed=met)
        met += 1


@pytest.mark.parametrize("inputs", [1, 3])
@pytest.mark.parametrize("op", EVERY)
def test_bytes_kept_for_training_are_exact(op: Op, inputs: int) -> None:
    plan = genome.resolve(around(op, inputs))
    assert plan.train_bytes == kept_bytes(genome.build(plan), plan)


class Live(TorchDispatchMode):
    """The most bytes that tensors made inside hold at once, counted at every call of a torch operator. What is
    made of weights alone, such as those put together for a pass of a loop, is no activation."""

    def __init__(self, apart: nn.Module) -> None:
        super().__init__()
        self.sizes = {t.untyped_storage()._cdata: 0 for t in [*apart.parameters(), *apart.buffers()]}
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


@pytest.mark.parametrize("inputs", [1, 3])
@pytest.mark.parametrize("op", EVERY)
def test_bytes_alive_without_gradients(op: Op, inputs: int) -> None:
    """The plan is never below what torch holds at once (statistics of group norms apart), and at most half
    above it."""
    plan = genome.resolve(around(op, inputs))
    _assert_alive(genome.build(plan), plan)


def _assert_alive(module: nn.Module, plan: genome.Plan) -> None:
    module.eval()
    image = _image(plan)
    with torch.no_grad(), Live(module) as live:
        module(image)
    groups = max([0, *(m.num_groups for m in module.modules() if isinstance(m, nn.GroupNorm))])
    statistics = BATCH * FLOAT_BYTES * 2 * groups  # a mean and a deviation per group
    assert live.peak - statistics <= BATCH * plan.infer_bytes <= 1.5 * live.peak


@pytest.mark.parametrize("seed", range(40))
def test_memory_of_whole_networks_is_never_planned_too_low(seed: int) -> None:
    """Drawn from the widest space, loops and all; above by no more than an eighth, half without gradients."""
    plan = genome.resolve(widest().sample(Random(seed)))
    module = genome.build(plan)
    kept, image = kept_bytes(module, plan), FLOAT_BYTES * plan.genome.input.size
    assert kept <= plan.train_bytes <= 9 * kept // 8 + image
    _assert_alive(module, plan)


# --- modules


@pytest.mark.parametrize("inputs", [1, 3])
@pytest.mark.parametrize("op", SINGLE)
def test_gradients(op: Op, inputs: int) -> None:
    """Derivatives by every input and weight, in float64, against finite differences."""
    op = op.having(**DERIVATIVE.get(op.word, {}))
    sources = [genome.Shape(2, 5, 4), genome.Shape(3, 3, 2), genome.Shape(1, 5, 4)][:inputs]
    if op.width != "classes" and op.aligns:
        sources = [s._replace(height=5, width=4) for s in sources][: 3 if op.many else 1]
    width = {"classes": 3, "schedule": 4, "stated": 0, "never": 0}[op.width]
    if op.width == "classes" and not vars(op)["linear"]:
        width = sum(s.channels for s in sources)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = op.build(sources, op.shape(sources, width)).double()
        module.train(not _drops(op))  # what chance drops has no derivative
        for name, weight in module.named_parameters():
            if "position" in name or "offset" in name:  # taps start on pixels, where reading has two slopes
                weight.data += 0.2 * torch.randn_like(weight)
        xs = [torch.randn(3, *s, dtype=torch.float64, requires_grad=True) for s in sources]
        for p in module.parameters():  # biases of zero put what gets only zeros on the edge of its ReLU
            p.data.add_(0.1 * torch.randn_like(p))
    weights = {name: p.detach().clone().requires_grad_() for name, p in module.named_parameters()}

    def run(*tensors: torch.Tensor) -> torch.Tensor:
        given = dict(zip(weights, tensors[len(xs) :], strict=True))
        return torch.func.functional_call(module, given, tensors[: len(xs)])

    assert torch.autograd.gradcheck(run, (*xs, *weights.values()), fast_mode=True)


@pytest.mark.parametrize("word", WORDS)
def test_channels_last_gives_the_same_logits(word: str) -> None:
    plan = genome.resolve(around(genome.lookup(word)(), 3))
    module, image = genome.build(plan).eval(), _image(plan)
    expected = module(image)
    moved = module.to(memory_format=torch.channels_last)(image.contiguous(memory_format=torch.channels_last))
    for ours, theirs in zip(moved, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("op", SINGLE)
def test_bfloat16_autocast_trains(op: Op) -> None:
    plan = genome.resolve(around(op, 3))
    module, image = genome.build(plan).train(not _drops(op)), _image(plan)
    with undropped(module):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = module(image)
        exact = module(image)
    for ours, theirs in zip(logits, exact, strict=True):
        torch.testing.assert_close(ours.float(), theirs, rtol=0.1, atol=0.2)
    torch.stack([out.float().square().sum() for out in logits]).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize("word", WORDS)
def test_modules_are_copied_pickled_and_saved(word: str) -> None:
    plan = genome.resolve(around(genome.lookup(word)(), 3))
    module, image = genome.build(plan).eval(), _image(plan)
    expected = module(image)
    saved = io.BytesIO()
    torch.save(module.state_dict(), saved)
    saved.seek(0)
    other = genome.build(plan, seed=1).eval()
    other.load_state_dict(torch.load(saved, weights_only=True))
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), other):
        assert all(torch.equal(a, b) for a, b in zip(twin(image), expected, strict=True))


@pytest.mark.parametrize("word", WORDS)
def test_weights_are_those_of_the_seed(word: str) -> None:
    plan = genome.resolve(around(genome.lookup(word)(), 1))
    before = torch.random.get_rng_state()
    one, same, other = (list(genome.build(plan, seed=s).parameters()) for s in (3, 3, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_count_is_in_float32_numbers() -> None:
    assert torch.zeros(1).element_size() == FLOAT_BYTES
