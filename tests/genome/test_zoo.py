"""The published networks have the parameters of their authors."""

from __future__ import annotations

import pytest
from torchvision.models import get_model

import genome
from genome import zoo

# the authors' PyramidNet code instantiated (Han et al.); torchvision's resnets
COUNTS = {
    "pyramidnet-110-a48": 1_772_706,
    "pyramidnet-110-a84": 3_904_446,
    "pyramidnet-110-a270": 28_485_477,
    "pyramidnet-110-m4.75": 1_762_206,
    "pyramidnet-110-m27": 28_361_693,
    "pyramidnet-164-a270-bottleneck": 27_216_021,
    "pyramidnet-272-a200-bottleneck": 26_210_842,
    "resnet-18": 11_689_512,
    "resnet-34": 21_797_672,
    "resnet-50": 25_557_032,
    "resnet-101": 44_549_160,
    "resnet-152": 60_192_808,
}


def test_every_name_is_counted_here() -> None:
    assert set(zoo.names()) == set(COUNTS)


@pytest.mark.parametrize("name", zoo.names())
def test_the_parameters_are_those_published(name: str) -> None:
    found = zoo.get(name)
    assert found.name == name
    assert genome.resolve(found).params == COUNTS[name]
    assert genome.loads(genome.dump(found)) == found


@pytest.mark.parametrize("depth", [18, 50, 101])
def test_resnets_are_torchvisions(depth: int) -> None:
    import torch

    with torch.device("meta"):
        theirs = sum(p.numel() for p in get_model(f"resnet{depth}").parameters())
    assert genome.resolve(zoo.resnet(depth)).params == theirs


def test_pyramidnet_for_a_hundred_classes_of_larger_images() -> None:
    found = genome.resolve(zoo.pyramidnet(110, 48, classes=100))
    assert found.params == 1_778_556
    assert genome.resolve(zoo.pyramidnet(20, 12, input=(1, 28, 28))).depth == 20


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: zoo.get("resnet-19"),
            r"the zoo has no 'resnet-19' \(resnet-18\?\); it has pyramidnet-110-a48, ",
        ),
        (lambda: zoo.resnet(20), "depth is 20; it may be 18, 34, 50, 101, 152"),
        (lambda: zoo.pyramidnet(111, 48), "depth is 111; with basic units it is 2 more than a multiple of 6"),
        (lambda: zoo.pyramidnet(110, 48, block="wide"), "block is 'wide'; it may be basic or bottleneck"),
    ],
)
def test_what_the_zoo_has_not(make: object, said: str) -> None:
    with pytest.raises(genome.GenomeError, match=said):
        make()  # type: ignore[operator]
