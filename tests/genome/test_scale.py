"""Published networks scaled to limits lie inside them, and use them."""

from collections.abc import Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import genome
from genome.zoo.scale import FAMILIES, FULL, SMALL, WIDEST, fitted, scaled, usage, widest

Images = tuple[int, int, int]
IMAGES = st.sampled_from([(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 96, 96)])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("input", "limits"),
    [
        ((1, 28, 28), {"params": 150_000, "macs": 4_000_000}),
        ((1, 8, 8), {"params": 200_000, "macs": 2_500_000}),
        ((3, 32, 32), {"params": 300_000, "macs": 12_000_000}),
        ((3, 32, 32), {"params": 5_000_000}),
        ((3, 32, 32), {"params": 3_000}),
        ((3, 128, 128), {"macs": 100_000_000}),
        ((1, 28, 28), {"memory": 200_000}),
    ],
)
def test_the_tightest_limit_is_used(family: str, input: Images, limits: Mapping[str, int]) -> None:
    found = fitted(family, input, 10, limits)
    assert found is not None and FULL <= usage(genome.resolve(found), limits) <= 1.0
    assert found.name.startswith(family)


@given(st.sampled_from(list(FAMILIES)), IMAGES, st.integers(100, 3_000_000), st.integers(10_000, 10**9))
def test_what_is_found_lies_inside_the_limits(family: str, input: Images, params: int, macs: int) -> None:
    limits = {"params": params, "macs": macs}
    found = fitted(family, input, 10, limits)
    if found is None:
        small, _, large = FAMILIES[family]
        shallowest = large if min(input[1:]) > SMALL else small[0]
        smallest = scaled(shallowest(input, 10), 0.0)
        assert usage(genome.resolve(smallest), limits) > 1.0
    else:
        assert usage(genome.resolve(found), limits) <= 1.0


@given(st.sampled_from(list(FAMILIES)), st.floats(0, WIDEST), st.floats(0, WIDEST))
def test_a_larger_factor_is_no_smaller_network(family: str, one: float, other: float) -> None:
    published = FAMILIES[family].small[0]((1, 8, 8), 10)
    small, large = (genome.resolve(scaled(published, factor)) for factor in sorted((one, other)))
    assert small.params <= large.params and small.macs <= large.macs
    assert small.memory_bytes <= large.memory_bytes


def test_the_published_network_has_the_factor_one() -> None:
    published = genome.zoo.get("resnet-20")
    assert genome.digest(genome.resolve(scaled(published, 1.0))) == genome.digest(genome.resolve(published))
    found = widest(published, {"depth": 30})
    assert found is not None and found.genome == published
    assert widest(published, {"depth": 19}) is None
    assert fitted("resnet", (3, 32, 32), 10, {}) == published


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("input", [(1, 8, 8), (3, 33, 65)])
def test_a_scaled_network_runs(family: str, input: Images) -> None:
    found = fitted(family, input, 3, {"params": 20_000})
    assert found is not None
    net = genome.build(genome.loads(genome.dump(found)))
    assert net(torch.zeros(2, *input))[-1].shape == (2, 3)


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(genome.GenomeError, match="'vgg' is no family of networks; it may be resnet, pyramid"):
        fitted("vgg", (3, 32, 32), 10, {})
