"""Multiply-adds by other people's tools: each counts our networks by its own rule, named here, and misses no layer."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import genome
from genome import zoo
from genome.network import Network

with warnings.catch_warnings():  # they use what newer releases of torch and Python deprecate
    warnings.simplefilter("ignore")
    from fvcore.nn import FlopCountAnalysis
    from ptflops import get_model_complexity_info
    from thop import profile
    from torchinfo import summary

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

NETWORKS = ("lenet", "resnet-20", "mobilenet-v1", "pyramidnet-110-a48", "nin-cifar10")
MORE = (
    "active-plain", "alexnet", "branchy-alexnet", "branchy-lenet", "branchy-resnet-110", "cliquenet-36-12",
    "cliquenet-36-12-ac", "deformable-resnet-50", "densenet-40-12", "densenet-bc-100-12", "fractalnet-c2",
    "fractalnet-c3", "fractalnet-c3-official", "mobilenet-v1-0.25", "mobilenet-v1-cifar10", "nin-cifar10-avg",
    "nin-mnist", "nin-svhn", "pnn-resnet18-nf64", "pyramidnet-164-a48-bottleneck", "resnet-110", "resnet-18",
    "resnet-32", "resnet-44", "resnet-50",
)  # fmt: skip


def image(net: str) -> Tensor:
    return torch.zeros(1, *zoo.get(net).input)


def by_hand(net: Network, x: Tensor) -> Counter[str]:
    """Count the outputs of one image by the class of the layer, inputs of pools, biases, and parameters of norms."""
    found: Counter[str] = Counter()

    def count(part: nn.Module, ins: Sequence[Tensor], out: Tensor) -> None:
        found[type(part).__name__] += out.numel()
        if isinstance(part, nn.Conv2d | nn.Linear) and part.bias is not None:
            found["biases"] += out.numel()
        if isinstance(part, nn.MaxPool2d | nn.AvgPool2d):
            found["pooled"] += ins[0].numel()
        if isinstance(part, nn.BatchNorm2d):
            found["norm parameters"] += sum(p.numel() for p in part.parameters())

    hooks = [part.register_forward_hook(count) for part in net.modules() if not any(part.children())]
    net(x)
    for hook in hooks:
        hook.remove()
    return found


def thop(net: Network, x: Tensor) -> float:
    macs, _ = profile(net, inputs=(x,), verbose=False)
    return float(macs)


def ptflops(backend: str) -> Callable[[Network, Tensor], float]:
    def count(net: Network, x: Tensor) -> float:
        macs, _ = get_model_complexity_info(
            net, tuple(x.shape[1:]), as_strings=False, print_per_layer_stat=False, backend=backend
        )
        return float(macs)

    return count


def torchinfo(net: Network, x: Tensor) -> float:
    return float(summary(net, input_data=x, verbose=0).total_mult_adds)


def fvcore(net: Network, x: Tensor) -> float:
    counted = FlopCountAnalysis(net, x)
    counted.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return float(counted.total())


# tool: how it counts, and what its rule adds to the multiply-adds of convolutions and linear layers
TOOLS: dict[str, tuple[Callable[[Network, Tensor], float], Callable[[Counter[str]], int]]] = {
    "thop": (thop, lambda n: 4 * n["BatchNorm2d"] + n["AvgPool2d"]),
    # the layer and the function that it calls are both counted
    "ptflops": (
        ptflops("pytorch"),
        lambda n: 2 * (n["BatchNorm2d"] + n["ReLU"] + n["pooled"]) + n["biases"],
    ),
    "ptflops, operators": (ptflops("aten"), lambda n: n["biases"]),
    "torchinfo": (torchinfo, lambda n: n["biases"] + n["norm parameters"]),
    "fvcore": (fvcore, lambda n: 2 * n["BatchNorm2d"]),
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_tool_counts_what_it_counts_by_its_rule(
    name: str, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root.manager, "disable", logging.WARNING)
    plan = genome.resolve(zoo.get(name))
    added = by_hand(genome.build(plan).eval(), image(name))
    count, rule = TOOLS[tool]
    with contextlib.redirect_stdout(io.StringIO()):
        found = count(genome.build(plan).eval(), image(name))
    assert found == plan.macs + rule(added)


@pytest.mark.parametrize("name", [*NETWORKS, *MORE])
def test_torch_counts_exactly_what_the_plan_says(name: str) -> None:
    plan = genome.resolve(zoo.get(name))
    with torch.device("meta"):
        x = torch.zeros(1, *zoo.get(name).input)
    net = genome.build(plan).eval().to("meta")
    with FlopCounterMode(display=False) as counter:
        net(x)
    assert counter.get_total_flops() == 2 * plan.macs


@pytest.mark.parametrize("name", [*NETWORKS, *MORE])
def test_calflops_counts_exactly_what_the_plan_says(name: str) -> None:
    calflops = pytest.importorskip(
        "calflops", reason="needs calflops, and transformers, which it does not declare"
    )
    plan = genome.resolve(zoo.get(name))
    _, macs, _ = calflops.calculate_flops(
        genome.build(plan).eval(), tuple(image(name).shape), output_as_string=False, print_results=False
    )
    assert macs == plan.macs
