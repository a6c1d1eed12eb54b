"""The examples of docs/weights.md give the logits of the networks in plain torch whose weights they pour."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model

import genome
from benchmarks._ports import CliqueNet, FractalNet
from genome.network import Network
from tests.docs import parts
from tests.docs.pages import ROOT, Block, blocks
from tests.plain.active import ActivePlain
from tests.plain.branchynet import BranchyAlexNet
from tests.plain.deformable import deformable_resnet50
from tests.plain.lenet import LeNet
from tests.plain.mobilenet import MobileNet
from tests.plain.nin import NIN
from tests.plain.pnn import NoiseResNet18
from tests.plain.pyramidnet import PyramidNet

PAGE = ROOT / "docs" / "weights.md"
FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "LeNet": LeNet,
    "AlexNet": lambda: get_model("alexnet"),
    "ResNet": lambda: get_model("resnet18"),
    "DenseNet": lambda: get_model("densenet121"),
    "NIN": NIN,
    "PyramidNet": lambda: PyramidNet(110, 48),
    "MobileNet": MobileNet,
    "PNN": lambda: NoiseResNet18(64),
    "FractalNet": lambda: FractalNet(3, (64, 128, 256, 512, 512), (3, 32, 32), rate=0.0),
    "CliqueNet": lambda: CliqueNet(36, 12),
    "Active convolution": ActivePlain,
    "Deformable convolution": deformable_resnet50,
    "BranchyNet": BranchyAlexNet,
}
LARGE = ("AlexNet", "ResNet", "DenseNet", "Deformable convolution")
SIZES = {"LeNet": (1, 28, 28), **dict.fromkeys(LARGE, (3, 224, 224))}


def examples() -> Iterator[tuple[str, Block]]:
    """Yield each block of the page with the heading above it."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for block in blocks("python", (PAGE,)):
        above = [line for line in lines[: block.line] if line.startswith(("# Weights", "## ", "### "))]
        yield above[-1].lstrip("# "), block


def run(block: Block, names: dict[str, Any]) -> None:
    code = "\n" * (block.line - 1) + block.code  # so that a traceback names the page's line
    exec(compile(code, str(PAGE), "exec"), names)


def drawn(network: nn.Module, image: tuple[int, ...]) -> nn.Module:
    """The network in evaluation with random numbers in every tensor, of which each counts in the logits.

    The statistics of the norms are those of random images, since with any others the maps of a deep network grow or
    shrink until only its last layers count.
    """
    for name, tensor in network.state_dict().items():
        last = name.rpartition(".")[2]
        if tensor.ndim > 1 and last != "noise":
            tensor.normal_(0.0, math.sqrt(2 / tensor[0].numel()))
        elif last == "weight":
            tensor.uniform_(0.5, 1.5)
        elif last == "bias":
            tensor.uniform_(-0.2, 0.2)
        elif last in ("xpos", "ypos"):
            tensor[1:] += torch.empty(len(tensor) - 1).uniform_(-0.8, 0.8)
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    for part in norms:
        part.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.randn(4, *image)) if norms else ()
    return network.eval()


def logits(network: nn.Module, image: Tensor) -> tuple[Tensor, ...]:
    with torch.no_grad():
        found = network.double()(image)
    return (found,) if isinstance(found, Tensor) else found


def test_the_page_before_the_examples_runs_from_top_to_bottom() -> None:
    names: dict[str, Any] = {"__name__": "weights"}
    for heading, block in examples():
        if heading not in FAMILIES:
            run(block, names)


def test_every_family_has_an_example() -> None:
    headings = [heading for heading, _ in examples()]
    assert headings[-len(FAMILIES) :] == [*FAMILIES]
    assert PAGE.read_text(encoding="utf-8").count("\n### ") == len(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_example_gives_the_logits_of_the_plain_network(family: str) -> None:
    torch.manual_seed(0)
    theirs = FAMILIES[family]()
    size = SIZES.get(family, (3, 32, 32))
    drawn(theirs, size)
    names: dict[str, Any] = {"genome": genome, "torch": torch, "theirs": dict(theirs.state_dict())}
    run(dict(examples())[family], names)
    net = names["net"]
    assert isinstance(net, Network)
    image = torch.randn(2, *size, dtype=torch.float64)
    wanted = logits(theirs, image)
    for ours, given in zip(logits(net.eval(), image), wanted, strict=True):
        assert (given[0] - given[1]).abs().max() > 1e-2
        torch.testing.assert_close(ours, given, rtol=1e-9, atol=1e-9)


def test_the_table_of_parts_has_every_node_type() -> None:
    own = [word for word in genome.words() if not genome.lookup(word).motif]
    assert sorted({row.word for row in parts.ROWS}) == sorted(own)


@pytest.mark.parametrize("row", parts.ROWS, ids=str)
def test_no_length_in_the_table_is_a_bare_number(row: parts.Row) -> None:
    lengths = {n for tensor in parts.built(row).state_dict().values() for n in tensor.shape}
    assert lengths <= set(parts.LENGTHS)
