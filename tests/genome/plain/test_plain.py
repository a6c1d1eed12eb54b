"""Networks in plain PyTorch: files that run without this package compute what the networks do."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

import genome
from genome import GenomeError, Plan, zoo
from genome.network import Network
from genome.plain.calls import Call, PlainError, leaves
from genome.plain.module import module_of, plain_module, program
from genome.plain.source import source
from genome.testing import around
from tests.format_cases import hard
from tests.variants import MOTIFS, PLAIN, variants
from tests.widest import widest

DRAWN = 90
ZOO = (
    *(
        "active-plain",
        "active-resnet-32",
        "branchy-alexnet",
        "branchy-lenet",
        "cliquenet-36-12",
        "densenet-40-12",
    ),
    *(
        "fractalnet-c3",
        "lenet",
        "mobilenet-v1-cifar10",
        "nin-cifar10",
        "pnn-resnet18-nf64",
        "pyramidnet-110-a48",
    ),
    "resnet-20",
)
SMALL = ("active-plain", "branchy-lenet", "fractalnet-c3", "lenet", "nin-cifar10", "resnet-20")
CLOSE = 1e-5  # of the largest logit
# run in a process where this package cannot be imported: it runs each file and compares its logits
RUNNER = """
import importlib.abc, json, runpy, sys
from pathlib import Path

class Refused(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("genome", "search", "trainer", "torchvision", "tests"):
            raise ImportError(name)

sys.meta_path.insert(0, Refused())
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

torch.set_num_threads(1)
errors = {}
for file in sorted(Path(sys.argv[1]).glob("*.py")):
    network = runpy.run_path(str(file))["Network"]()
    network.load_state_dict(load_file(file.with_suffix(".weights")))
    given = load_file(file.with_suffix(".images"))
    with torch.no_grad():
        found = network.eval()(given.pop("x"))
    found = found if isinstance(found, tuple) else (found,)
    errors[file.stem] = max(
        float((a - given[f"exit{i}"]).abs().max() / given[f"exit{i}"].abs().max().clamp(min=1e-9))
        for i, a in enumerate(found)
    )
print(json.dumps(errors))
"""


def stirred(plan: Plan, seed: int) -> Network:
    """Return a network with norms, offsets, positions and weights that a training might have."""
    network, rng = genome.build(plan, seed=seed).eval(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2.0, generator=rng)
            elif tensor.is_floating_point() and not name.endswith("masks"):
                tensor.add_(torch.randn(tensor.shape, generator=rng), alpha=0.05)
    return network


def images(plan: Plan, count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, *plan.genome.input, generator=torch.Generator().manual_seed(seed))


def plans(step: int = 1) -> Iterator[tuple[str, Plan]]:
    """Every node type and each `step`th of its variants, draws of the widest space, and published networks."""
    every = [op for word in (*PLAIN, *MOTIFS) for op in list(dict.fromkeys(variants(word)))[::step]]
    for number, one in enumerate(every):
        yield f"variant{number}", genome.resolve(around(one, 1))
    yield from islice(drawn(range(10 * DRAWN)), DRAWN // step)
    for name in ZOO if step == 1 else SMALL:
        yield name, genome.resolve(zoo.get(name))


def drawn(seeds: Iterable[int]) -> Iterator[tuple[str, Plan]]:
    """Draws of the widest space, those that are networks."""
    space = widest()
    for seed in seeds:
        try:
            yield f"drawn{seed}", genome.resolve(space.sample(Random(seed)))
        except GenomeError:
            continue


def relative(found: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> float:
    return max(
        float((a - b).abs().max() / b.abs().max().clamp(min=1e-9)) for a, b in zip(found, wanted, strict=True)
    )


def own_error(network: Network, x: Tensor) -> float:
    """How far the logits in float32 are from those in float64."""
    with torch.no_grad():
        single = network(x)
        double = network.double()(x.double())
        network.float()
    return relative(tuple(one.double() for one in single), double)


def errors_of_files(named: Iterable[tuple[str, Plan]], folder: Path) -> dict[str, tuple[float, float]]:
    """Return how far the logits of each file are from the network's, and how far they may be for its rounding."""
    rounding = {}
    for name, plan in named:
        network, x = stirred(plan, 1), images(plan, 3)
        made = source(network, plan)
        (folder / f"{name}.py").write_text(made.text)
        save_file(
            {key: one.contiguous().clone() for key, one in made.tensors.items()}, folder / f"{name}.weights"
        )
        with torch.no_grad():
            logits = {f"exit{i}": one.contiguous() for i, one in enumerate(network(x))}
        save_file({"x": x, **logits}, folder / f"{name}.images")
        rounding[name] = own_error(network, x)
    done = subprocess.run([sys.executable, "-c", RUNNER, folder], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    errors = json.loads(done.stdout)
    return {name: (errors[name], max(CLOSE, 10 * rounding[name])) for name in rounding}


@pytest.mark.slow
@pytest.mark.parametrize("part", range(40))
def test_the_files_of_twenty_thousand_drawn_networks_run(part: int, tmp_path: Path) -> None:
    first = 1_000_000 + 10_000 * part
    found = errors_of_files(islice(drawn(range(first, first + 10_000)), 500), tmp_path)
    assert len(found) == 500
    assert not {name: pair for name, pair in found.items() if pair[0] > pair[1]}


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_files_run_where_only_torch_and_safetensors_are(step: int, tmp_path: Path) -> None:
    found = errors_of_files(plans(step), tmp_path)
    assert len(found) > (DRAWN + len(MOTIFS) + len(PLAIN)) // step
    assert not {name: pair for name, pair in found.items() if pair[0] > pair[1]}
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--check", tmp_path],
        capture_output=True,
        text=True,
    )
    assert formatted.returncode == 0, formatted.stdout[-2000:]
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,I,UP,B", tmp_path],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout[-2000:]


@pytest.mark.parametrize("name", ZOO)
def test_a_published_network_is_a_few_classes(name: str) -> None:
    plan = genome.resolve(zoo.get(name))
    text = source(genome.build(plan), plan).text
    assert text.count("\n") < 310 and "genome" not in text.lower()
    if name == "resnet-20":
        assert text.count("class ") == 3 and "Block1(16)" in text and "Block2(16)" in text


@pytest.mark.parametrize("name", [name for name, _ in hard()])
def test_hard_cases_compute_the_same_in_the_forms_that_converters_know(name: str) -> None:
    plan = dict(hard())[name]
    network = stirred(plan, 1)
    modules = [module_of(program(network, plan, fold, True)) for fold in (False, True)]
    for made in (*modules, plain_module(network, plan)):
        for count in (2, 5):
            x = images(plan, count)
            with torch.no_grad():
                assert relative(made(x), network(x)) < CLOSE


def test_what_converters_get_wrong_is_in_no_portable_program() -> None:
    for _, plan in hard():
        made = [one.call for one in program(stirred(plan, 1), plan, portable=True).made]
        shapes = {value: shape for one in made for value, shape in zip(one.outs, one.shapes, strict=True)}
        for call in made:
            numbers = [leaf for leaf in leaves(call.args) if type(leaf) is int]
            steps = [leaf.step for leaf in call.args[1] if isinstance(leaf, slice)] if is_index(call) else []
            assert call.function is not F.pad or min(numbers) >= 0
            assert not set(steps) - {None} and "alpha" not in call.kwargs
            assert not (call.kwargs.get("ceil_mode") and "count_include_pad" in call.kwargs)
        assert max(map(len, shapes.values())) <= 5


def test_a_convolution_that_a_loop_calls_again_is_a_layer_of_its_own_where_a_norm_follows() -> None:
    """Converters fold the norm of one pass into the weights, which the other passes would read."""
    plan = dict(hard())["a loop with norms behind its convolutions"]
    network = stirred(plan, 1)
    calls = {}
    for portable in (False, True):
        made = program(network, plan, portable=portable).made
        layers = [id(one.layer) for one in made if one.layer and one.layer.kind == "Conv2d"]
        calls[portable] = len(layers) - len(set(layers))
    assert calls == {False: 3, True: 0}


def is_index(call: Call) -> bool:
    return call.function is Tensor.__getitem__ and isinstance(call.args[1], tuple)


@pytest.mark.parametrize("fold", [False, True])
def test_a_plain_module_computes_the_same_for_any_number_of_images(fold: bool) -> None:
    space = widest()
    norms = {True: 0, False: 0}
    for seed in range(25):
        try:
            plan = genome.resolve(space.sample(Random(seed)))
        except GenomeError:
            continue
        network = stirred(plan, seed)
        made = plain_module(network, plan, fold)
        for count in (1, 4):
            x = images(plan, count, seed)
            if count == 1 and _is_refused(network, x):
                continue
            with torch.no_grad():
                error = relative(made(x), network(x))
            assert error <= max(1e-4 if fold else CLOSE, 100 * own_error(network, x)), seed
        norms[fold] += sum(isinstance(part, nn.BatchNorm2d) for part in made.modules())
        norms[fold] += sum(node.target is torch.addcmul for node in made.graph.nodes)
        norms[not fold] += sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    assert 0 < norms[fold] < (0.7 if fold else 1.2) * norms[not fold]


def _is_refused(network: Network, x: Tensor) -> bool:
    """Whether torch refuses one image, as it does a group norm of a single number, in eval mode too."""
    try:
        network(x)
    except ValueError as error:
        return "more than 1 value per channel" in str(error)
    return False


def test_every_norm_of_a_residual_network_folds() -> None:
    plan = genome.resolve(zoo.get("resnet-20"))
    network = stirred(plan, 0)
    folded = plain_module(network, plan, fold=True)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.modules())
    assert sum(isinstance(part, nn.Conv2d) for part in folded.modules()) == 19
    x = images(plan, 2)
    with torch.no_grad():
        assert relative(folded(x), network(x)) < 1e-4


@pytest.mark.parametrize(
    ("conv", "layer"),
    [
        ("kernel: [6, 5]", nn.Linear),
        ("kernel: [6, 5], stride: 3, bias: true", nn.Linear),
        ("kernel: 5", nn.Conv2d),
        ("kernel: [6, 5], groups: 2", nn.Conv2d),
        ("kernel: [2, 5], dilation: [5, 1]", nn.Conv2d),
    ],
)
def test_a_folded_convolution_over_the_whole_map_is_a_linear_layer(
    conv: str, layer: type[nn.Module], tmp_path: Path
) -> None:
    text = """\
genome: g
input: [2, 6, 5]
classes: 3
nodes:
  a: {op: conv, in: [image], width: 4, order: norm-conv-norm-act, padding: 0, CONV}
  b: {op: conv, in: [a], width: 4, kernel: 1}
  out: {op: exit, in: [b]}
"""
    plan = genome.resolve(genome.loads(text.replace("CONV", conv)))
    network, x = stirred(plan, 3), images(plan, 3)
    made = plain_module(network, plan, fold=True)
    assert isinstance(made.get_submodule("a"), layer)
    with torch.no_grad():
        assert relative(made(x), network(x)) < CLOSE
    written = source(network, plan, fold=True)
    file = tmp_path / "model.py"
    file.write_text(written.text, encoding="utf-8")
    alone = runpy.run_path(str(file))["Network"]()
    alone.load_state_dict(dict(written.tensors))
    with torch.no_grad():
        assert relative((alone.eval()(x),), network(x)) < CLOSE


def test_a_norm_before_a_padded_convolution_is_a_product_and_a_sum() -> None:
    """Zeros beside the image are zeros of the norm's output."""
    text = """\
genome: g
input: [2, 6, 6]
classes: 3
nodes:
  a: {op: conv, in: [image], width: 4, order: norm-act-conv, activation: relu, kernel: 3}
  b: {op: conv, in: [a], width: 4, order: norm-conv-norm-act, kernel: KERNEL}
  out: {op: exit, in: [b]}
"""
    kept = {}
    for kernel in (1, 3):
        plan = genome.resolve(genome.loads(text.replace("KERNEL", str(kernel))))
        network, x = stirred(plan, 3), images(plan, 2)
        made = plain_module(network, plan, fold=True)
        kept[kernel] = sum(node.target is torch.addcmul for node in made.graph.nodes)
        assert not any(isinstance(part, nn.BatchNorm2d) for part in made.modules())
        with torch.no_grad():
            assert relative(made(x), network(x)) < CLOSE
    # of four norms, the first of `a` stands before an activation; that of `b` folds into `a`, or into a 1x1 kernel
    assert kept == {1: 1, 3: 1}


PARALLEL = """\
genome: g
input: [4, 9, 7]
classes: 3
nodes:
  a: {op: conv, in: [image], width: WIDTH, kernel: FIRST, order: ORDER}
  b: {op: conv, in: [image], width: WIDTH, kernel: SECOND, order: ORDER}
  c: {op: JOIN}
  out: {op: exit, in: [c]}
"""


@pytest.mark.parametrize(
    ("first", "second", "order", "join", "left"),
    [
        (3, 1, "conv", "add, in: [a, b]", 1),
        (1, 5, "conv-norm", "add, in: [a, b]", 1),
        (3, 3, "conv", "add, in: [a, image]", 1),
        (3, 3, "conv-act", "add, in: [a, b]", 2),
        (3, 5, "conv-norm", "concat, in: [a, b]", 2),
        (3, 3, "conv-norm", "concat, in: [a, b]", 1),
        (3, 3, "conv-norm-act", "concat, in: [a, b]", 1),
        (3, 3, "conv-act", "concat, in: [a, image]", 1),
        ("[1, 3]", "[3, 1]", "conv", "add, in: [a, b]", 2),  # one of 3x3 would be more work
        ("[1, 3]", 3, "conv", "add, in: [a, b]", 1),
    ],
)
def test_parallel_convolutions_become_one_where_that_is_exact(
    first: object, second: object, order: str, join: str, left: int
) -> None:
    """left: convolutions that are left."""
    text = parallel(FIRST=first, SECOND=second, ORDER=order, JOIN=join)
    if "b]" not in join:
        text = "\n".join(line for line in text.split("\n") if not line.startswith("  b:"))
    assert convolutions_when_folded(text) == left


def parallel(**words: object) -> str:
    text = PARALLEL
    for word, value in ({"WIDTH": 4} | words).items():
        text = text.replace(word, str(value))
    return text


def convolutions_when_folded(text: str) -> int:
    """Return how many convolutions are left of a network when it is folded, which computes the same."""
    plan = genome.resolve(genome.loads(text))
    network, x = stirred(plan, 3), images(plan, 2)
    made = plain_module(network, plan, fold=True)
    with torch.no_grad():
        assert relative(made(x), network(x)) < CLOSE
    return sum(isinstance(part, nn.Conv2d) for part in made.modules())


def test_a_convolution_that_is_read_twice_is_not_merged() -> None:
    join = "add, in: [a, b]}\n  d: {op: add, in: [c, b]"
    text = parallel(FIRST=3, SECOND=1, ORDER="conv", JOIN=join).replace("in: [c]}", "in: [d]}")
    assert convolutions_when_folded(text) == 2


def test_nodes_may_have_the_names_of_attributes() -> None:
    """`graph` and `code` are attributes of the module that holds a network's calls."""
    text = parallel(FIRST=3, SECOND=1, ORDER="conv-norm-act", JOIN="add, in: [a, b]")
    for name, other in (("a", "graph"), ("b", "code")):
        text = (
            text.replace(f"  {name}:", f"  {other}:")
            .replace(f"{name}]", f"{other}]")
            .replace(f"[{name},", f"[{other},")
        )
    assert convolutions_when_folded(text) == 2


def test_the_network_stays_as_it_is() -> None:
    plan = genome.resolve(zoo.get("branchy-lenet"))
    network = genome.build(plan).train()
    before = {key: one.clone() for key, one in network.state_dict().items()}
    source(network, plan)
    assert network.training
    assert all(torch.equal(one, before[key]) for key, one in network.state_dict().items())


def test_what_follows_the_number_of_images_in_another_way_is_refused() -> None:
    plan = genome.resolve(zoo.get("lenet"))
    network = genome.build(plan)

    class Odd(nn.Module):
        def __init__(self, node: nn.Module) -> None:
            super().__init__()
            self.node = node

        def forward(self, *xs: Tensor) -> Tensor:
            found: Tensor = self.node(*xs)
            return found * (1.0 / (len(xs[0]) + 1))

    network.nodes["out"] = Odd(network.nodes["out"])
    with pytest.raises(PlainError, match="for 2 images and"):
        source(network, plan)


def test_nodes_named_like_methods_of_a_module_or_words_of_python() -> None:
    text = """\
genome: g
input: [1, 6, 6]
classes: 3
nodes:
  train: {op: conv, in: [image], width: 4}
  forward: {op: conv, in: [train], width: 4}
  x: {op: perturb, in: [forward], width: 4, masks: 2}
  lambda: {op: squeeze, in: [x]}
  _lines: {op: conv, in: [lambda], width: 4}
  F: {op: pool, in: [_lines]}
  torch: {op: exit, in: [F]}
  self: {op: exit, in: [x]}
"""
    plan = genome.resolve(genome.loads(text))
    network, x = stirred(plan, 0), images(plan, 2)
    made = source(network, plan)
    space: dict[str, Any] = {}
    exec(made.text, space)
    found = space["Network"]()
    found.load_state_dict(dict(made.tensors))
    with torch.no_grad():
        assert relative(found.eval()(x), network(x)) < CLOSE
        assert relative(plain_module(network, plan)(x), network(x)) < CLOSE
