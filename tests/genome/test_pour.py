"""pour copies arrays into a network in the order of its plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import genome
from genome.network import Network
from genome.pour import pour

CHAIN = """\
genome: chain
input: [3, 8, 8]
classes: 5
nodes:
  conv: {op: conv, in: [image], width: 4, bias: true}
  down: {op: pool, in: [conv]}
  fc: {op: conv, in: [down], kernel: 4, padding: 0, width: 6, order: conv-act, bias: true}
  out: {op: exit, in: [fc]}
"""
PACKED = """\
genome: packed
input: [3, 8, 8]
classes: 5
nodes:
  a: {op: conv, in: [image], width: 4, order: conv}
  b: {op: conv, in: [image, a], width: 6, order: conv}
  out: {op: exit, in: [a, b]}
"""
LOOP = """\
genome: loop
input: [3, 8, 8]
classes: 5
nodes:
  a: {op: conv, in: [image, b], width: 4}
  b: {op: conv, in: [image, a], width: 4}
  out: {op: exit, in: [b]}
loops:
  l: {order: [a, b], passes: 1}
"""


def built(text: str) -> Network:
    return genome.build(genome.loads(text))


def drawn(*shapes: tuple[int, ...]) -> list[Tensor]:
    numbers = torch.Generator().manual_seed(0)
    return [torch.rand(shape, generator=numbers) for shape in shapes]


def plain() -> nn.Sequential:
    """The network of CHAIN in torch's layers, with other numbers in every tensor."""
    made = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6, 5),
    )
    for tensor in made.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    return made.eval()


def same_logits(net: Network, other: nn.Module) -> None:
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(net.double().eval()(x)[0], other.double()(x), rtol=1e-9, atol=1e-9)


def state(net: Network) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


# --- what is poured


def test_a_state_dict_goes_in_without_its_counters() -> None:
    net, other = built(CHAIN), plain()
    rows = pour(net, other.state_dict())
    assert [(row.array, row.node, row.tensor) for row in rows] == [
        ("0.weight", "conv", "conv.weight"),
        ("0.bias", "conv", "conv.bias"),
        ("1.weight", "conv", "norm.weight"),
        ("1.bias", "conv", "norm.bias"),
        ("1.running_mean", "conv", "norm.running_mean"),
        ("1.running_var", "conv", "norm.running_var"),
        ("4.weight", "fc", "conv.weight"),
        ("4.bias", "fc", "conv.bias"),
        ("7.weight", "out", "linear.weight"),
        ("7.bias", "out", "linear.bias"),
    ]
    assert str(rows[0]) == "0.weight -> conv: conv.weight (4, 3, 3, 3)"
    same_logits(net, other)


@pytest.mark.parametrize("form", ["values", "numpy", "generator", "parameters"])
def test_arrays_without_names_are_told_by_their_position(form: str) -> None:
    net, other = built(CHAIN), plain()
    values = [*other.state_dict(keep_vars=form == "parameters").values()]  # with the counter of the norm
    forms: dict[str, Any] = {
        "values": values,
        "numpy": [value.numpy() for value in values] if form == "numpy" else (),
        "generator": (value for value in values),
        "parameters": values,
    }
    rows = pour(net, forms[form])
    assert [row.array for row in rows] == ["0", "1", "2", "3", "4", "5", "7", "8", "9", "10"]
    same_logits(net, other)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_numpy_arrays_take_the_format_of_the_network(kind: type) -> None:
    net = built(CHAIN)
    arrays = [slot.tensor.numpy().astype(kind) for slot in net.slots()]
    pour(net, arrays)
    for slot, array in zip(net.slots(), arrays, strict=True):
        assert slot.tensor.dtype == torch.float32
        torch.testing.assert_close(slot.tensor, torch.from_numpy(array.astype(np.float32)), rtol=0, atol=0)


def test_a_flipped_array_is_read_in_its_order() -> None:
    """A view with a negative step, such as BGR turned to RGB, or a kernel turned by half a circle."""
    net = built(CHAIN)
    arrays = [slot.tensor.numpy().copy() for slot in net.slots()]
    flipped = arrays[0][:, ::-1, ::-1, ::-1]
    pour(net, [flipped, *arrays[1:]])
    assert np.array_equal(net.node("conv").conv.weight.detach().numpy(), flipped)


def test_axes_of_length_one_may_be_missing_or_added() -> None:
    net = built(CHAIN.replace("kernel: 4, padding: 0", "kernel: 1"))
    arrays = [slot.tensor.clone() for slot in net.slots()]
    as_linear, as_conv = torch.rand(6, 4), torch.rand(5, 6, 1, 1)
    pour(net, [*arrays[:6], as_linear, arrays[7], as_conv, arrays[9]])
    assert torch.equal(net.node("fc").conv.weight.flatten(1), as_linear)
    assert torch.equal(net.node("out").linear.weight, as_conv.flatten(1))


def test_a_kernel_over_several_inputs_takes_one_array() -> None:
    net = built(PACKED)
    arrays = drawn((4, 3, 3, 3), (6, 7, 3, 3), (5, 10), (5,))
    rows = pour(net, arrays)
    assert [row.source for row in rows] == ["", "", "", ""]
    assert torch.equal(net.node("b").conv.weight, arrays[1])


def test_a_kernel_over_several_inputs_takes_one_array_for_each() -> None:
    net = built(PACKED)
    arrays = drawn((4, 3, 3, 3), (6, 3, 3, 3), (6, 4, 3, 3), (5, 4), (5, 6), (5,))
    rows = pour(net, arrays)
    assert [(row.tensor, row.source, row.shape) for row in rows] == [
        ("weight", "", (4, 3, 3, 3)),
        ("conv.weight", "image", (6, 3, 3, 3)),
        ("conv.weight", "a", (6, 4, 3, 3)),
        ("linear.weight", "a", (5, 4)),
        ("linear.weight", "b", (5, 6)),
        ("linear.bias", "", (5,)),
    ]
    assert str(rows[2]) == "2 -> b: conv.weight, from a (6, 4, 3, 3)"
    assert torch.equal(net.node("b").conv.weight, torch.cat(arrays[1:3], dim=1))
    assert torch.equal(net.node("out").linear.weight, torch.cat(arrays[3:5], dim=1))


def test_the_passes_of_a_loop_share_kernels_and_have_norms_of_their_own() -> None:
    net = built(LOOP)
    rows = pour(net, [torch.full(slot.tensor.shape, float(i)) for i, slot in enumerate(net.slots())])
    places = [(row.node, row.turn) for row in rows if row.tensor == "conv.weight"]
    norms = [(row.node, row.turn) for row in rows if row.tensor == "norm.weight"]
    assert places == [("a", 0), ("b", 0)]
    assert norms == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    assert str(rows[-6]) == "14 -> b, pass 1: norm.weight (4,)"
    assert net.node("a", 0).conv.weight is net.node("a", 1).conv.weight
    assert net.node("a", 0).norm.weight is not net.node("a", 1).norm.weight


@pytest.mark.parametrize("leave", [["out"], "out", ("out",)])
def test_a_node_that_is_left_keeps_its_weights(leave: Any) -> None:
    net, other = built(CHAIN), plain()
    before = net.node("out").linear.weight.clone()
    theirs = {name: value for name, value in other.state_dict().items() if not name.startswith("7.")}
    rows = pour(net, theirs, leave=leave)
    assert "out" not in {row.node for row in rows}
    assert torch.equal(net.node("out").linear.weight, before)
    assert torch.equal(net.node("fc").conv.weight, other[4].weight)


def test_the_gradient_stays_out_of_it() -> None:
    net = built(CHAIN)
    pour(net, [nn.Parameter(slot.tensor.clone()) for slot in net.slots()])
    assert all(p.requires_grad and p.grad_fn is None for p in net.parameters())


# --- what is refused


def refused(net: Network, arrays: Any, leave: Any = ()) -> str:
    """The message; nothing has been copied."""
    before = state(net)
    with pytest.raises(ValueError) as error:
        pour(net, arrays, leave)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    return str(error.value)


def others(net: Network) -> list[Tensor]:
    """Arrays that fit, each with other numbers than the network's."""
    return [torch.rand(slot.tensor.shape) + 2 for slot in net.slots()]


def test_too_few_arrays() -> None:
    net = built(CHAIN)
    said = refused(net, others(net)[:-1])
    assert said == "the arrays end after 9; the next tensor is the linear.bias of out, (5,)"


def test_too_many_arrays() -> None:
    net = built(CHAIN)
    said = refused(net, [*others(net), torch.rand(1), torch.rand(2)])
    assert said == "2 arrays are left after the last tensor of the network: 10, 11"


def test_one_array_too_many() -> None:
    net = built(CHAIN)
    assert refused(net, [*others(net), torch.rand(2)]).startswith("1 array is left after")


def test_a_shape_that_does_not_fit() -> None:
    net = built(CHAIN)
    arrays = others(net)
    arrays[6] = torch.rand(6, 4, 5, 5)
    assert refused(net, arrays) == "array 6 is (6, 4, 5, 5) and the conv.weight of fc is (6, 4, 4, 4)"


def test_a_piece_that_does_not_fit() -> None:
    net = built(PACKED)
    arrays = drawn((4, 3, 3, 3), (6, 3, 3, 3), (6, 5, 3, 3), (5, 10), (5,))
    assert refused(net, arrays) == "array 2 is (6, 5, 3, 3) and the conv.weight of b from a is (6, 4, 3, 3)"


def test_the_kernels_of_tensorflow_get_the_hint_to_permute_them() -> None:
    net = built(CHAIN)
    arrays = [a.permute(2, 3, 1, 0) if a.ndim == 4 else a for a in others(net)]  # (k, k, C, O)
    said = refused(net, arrays)
    assert said == (
        "array 0 is (3, 3, 3, 4) and the conv.weight of conv is (4, 3, 3, 3); it fits after permute(3, 2, 0, 1)"
    )


def test_a_matrix_that_is_transposed_gets_the_hint_too() -> None:
    net = built(CHAIN)
    arrays = others(net)
    arrays[8] = arrays[8].T
    assert refused(net, arrays).endswith("is (5, 6); it fits after permute(1, 0)")


def test_a_linear_layer_over_a_map_gets_the_hint_to_unflatten_it() -> None:
    net = built(CHAIN)
    arrays = others(net)
    arrays[6] = arrays[6].flatten(1)
    assert refused(net, arrays) == (
        "array 6 is (6, 64) and the conv.weight of fc is (6, 4, 4, 4); it fits after reshape(6, 4, 4, 4)"
        " if its numbers are in the order of these axes"
    )


def test_an_unknown_node_to_leave() -> None:
    net = built(CHAIN)
    assert refused(net, others(net), ["fc", "head"]) == "leave: the network has no node head"


@pytest.mark.parametrize("value", [{"a": 1}, [1.0, 2.0], 3, None])
def test_what_is_no_array(value: Any) -> None:
    net = built(CHAIN)
    said = refused(net, {"epoch": value})
    assert said == (
        f"epoch is a {type(value).__name__}; pour takes tensors and numpy arrays, such as those of a state dict"
    )


# --- the network's own tensors


def test_tensors_of_the_network_may_change_places() -> None:
    net = built(PACKED.replace("in: [image, a], width: 6", "in: [image], width: 4"))
    a, b, *rest = (slot.tensor for slot in net.slots())
    before = a.clone(), b.clone()
    pour(net, [b, a, *rest])
    assert torch.equal(net.node("a").weight, before[1]) and torch.equal(net.node("b").weight, before[0])


@pytest.mark.parametrize(
    "array",
    [
        torch.zeros(4, 3, 3, 3, device="meta"),
        torch.zeros(4, 3, 3, 3, dtype=torch.complex64),
        torch.zeros(4, 3, 3, 3).to_sparse(),
        np.zeros((4, 3, 3, 3), dtype=object),
        np.full((4, 3, 3, 3), "x"),
        np.zeros((4, 3, 3, 3), dtype=">f4"),
    ],
    ids=["meta", "complex", "sparse", "object", "text", "big-endian"],
)
def test_an_array_that_cannot_be_copied_is_named_and_nothing_is_copied(array: Any) -> None:
    net = genome.build(
        genome.loads(
            "genome: g\ninput: [3, 8, 8]\nclasses: 5\nnodes:\n"
            "  a: {op: conv, in: [image], width: 3, order: conv}\n"
            "  b: {op: conv, in: [a], width: 4, order: conv}\n"
            "  out: {op: exit, in: [b]}\n"
        )
    )
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    first, _, *rest = (torch.ones_like(slot.tensor) for slot in net.slots())
    with pytest.raises(ValueError, match=r"array 1 \(.*\) cannot be copied into the weight of b: "):
        genome.pour(net, [first, array, *rest])
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
