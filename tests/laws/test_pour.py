"""Every tensor of a drawn genome has one slot, its pieces are its kernels by input, and pouring fills each of them."""

from __future__ import annotations

from random import Random

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import genome
from genome.network import Network
from genome.pour import COUNTERS, Slot, pour
from tests.widest import widest

SPACE = widest()
MOST_PARAMS = 2_000_000


def drawn(seed: int) -> Network:
    rng = Random(seed)
    plan = genome.resolve(SPACE.sample(rng))
    while plan.params > MOST_PARAMS:
        plan = genome.resolve(SPACE.sample(rng))
    return genome.build(plan)


def packed(slot: Slot) -> int:
    """The dimension along which the pieces lie side by side."""
    return next(d for d in (1, 0) if sum(p.shape[d] for p in slot.pieces.values()) == slot.tensor.shape[d])


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1))
def test_a_network_takes_every_tensor_once(seed: int) -> None:
    net = drawn(seed)
    slots = net.slots()
    saved = [
        tensor.data_ptr()
        for name, tensor in net.state_dict().items()
        if name.rpartition(".")[2] not in COUNTERS
    ]
    assert sorted(s.tensor.data_ptr() for s in slots) == sorted(set(saved))
    for slot in slots:
        own = net.node(slot.node, slot.turn).state_dict()[slot.name]
        assert own.data_ptr() == slot.tensor.data_ptr() and own.shape == slot.tensor.shape
        if slot.pieces:
            assert torch.equal(torch.cat([*slot.pieces.values()], packed(slot)), slot.tensor)
            for source, piece in slot.pieces.items():
                assert net.kernel(slot.node, source, slot.name).data_ptr() == piece.data_ptr()

    numbers = torch.Generator().manual_seed(seed)
    arrays = [
        torch.rand(piece.shape, generator=numbers)
        for s in slots
        for piece in (s.pieces or {"": s.tensor}).values()
    ]
    rows = pour(net, arrays)
    assert len(rows) == len(arrays)
    given_arrays = iter(arrays)
    for slot in net.slots():
        pieces = [next(given_arrays) for _ in slot.pieces or [""]]
        whole = torch.cat(pieces, packed(slot)) if slot.pieces else pieces[0]
        assert torch.equal(slot.tensor, whole)
