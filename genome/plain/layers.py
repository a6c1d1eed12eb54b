"""Layers: calls of torch that have parameters, as torch's modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from genome.plain.calls import Call, Constant, Recording, Value, leaves


class Setting(NamedTuple):
    """An argument of a layer's constructor."""

    # empty for the ones that are given by place
    keyword: str
    value: Any
    # what the argument is called where it differs between blocks
    role: str
    # with which it may be left out
    default: Any = None

    @property
    def is_default(self) -> bool:
        """Whether it may be left out."""
        return bool(self.keyword) and self.value == self.default


@dataclass(frozen=True, eq=False)
class Layer:
    """A module of torch with its tensors."""

    # its class in torch.nn
    kind: str
    settings: tuple[Setting, ...]
    tensors: Mapping[str, Tensor]
    # under which the network knows it, such as s1_1__conv1.conv; empty for one whose tensors were made of others
    path: str


@dataclass(frozen=True, eq=False)
class Statement:
    """A call, and the layer that makes it, if it has parameters; then its arguments are the inputs of the layer."""

    call: Call
    layer: Layer | None = None


def statements(recording: Recording) -> list[Statement]:
    """Return the calls of a network, with one layer wherever the same tensors are used in the same way."""
    names = {_place(tensor): name for name, tensor in recording.tensors.items()}
    known: dict[Any, Layer] = {}
    found = []
    for call in recording.calls:
        made = _layer(call, names)
        if made is not None:
            key = made.kind, made.settings, tuple(_key(one, names) for one in made.tensors.values())
            made = known.setdefault(key, made)
        found.append(Statement(call, made))
    return found


def constants(call: Call) -> Iterator[Tensor]:
    """Yield the tensors that a call without a layer reads beside its inputs."""
    for leaf in constant_places(call):
        yield leaf.tensor


def constant_places(call: Call) -> Iterator[Constant]:
    """Yield the places of these tensors."""
    for leaf in leaves((call.args, call.kwargs)):
        if isinstance(leaf, Constant):
            yield leaf


def inputs(statement: Statement) -> list[int]:
    """Return the numbers of the values that a statement reads, in order."""
    if statement.layer is not None:
        return [statement.call.args[0].number]
    places = leaves((statement.call.args, statement.call.kwargs))
    return [leaf.number for leaf in places if isinstance(leaf, Value)]


def with_tensors(layer: Layer, weight: Tensor, bias: Tensor | None) -> Layer:
    """Return a convolution or linear layer with other numbers, in float32. weight: (width, ..).  bias: (width,)"""
    new = {"width": len(weight), "bias": bias is not None}
    settings = tuple(
        Setting(setting.keyword, new.get(setting.role, setting.value), setting.role, setting.default)
        for setting in layer.settings
    )
    tensors = {"weight": weight.float()} | ({} if bias is None else {"bias": bias.float()})
    return Layer(layer.kind, settings, tensors, layer.path)


def _place(tensor: Tensor) -> Any:
    """Where the numbers of a tensor lie."""
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride()


def _key(tensor: Tensor, names: Mapping[Any, str]) -> Any:
    """What tells tensors apart: the place of parameters and buffers, the numbers of what was computed of them."""
    place = _place(tensor)
    if place in names:
        return place
    return tuple(tensor.shape), str(tensor.dtype), tensor.contiguous().numpy(force=True).tobytes()


def _layer(call: Call, names: Mapping[Any, str]) -> Layer | None:
    makers = {
        F.conv2d: _conv,
        torch.conv2d: _conv,
        F.batch_norm: _batch_norm,
        torch.batch_norm: _batch_norm,
        F.group_norm: _group_norm,
        F.linear: _linear,
    }
    make = makers.get(call.function)
    if make is None or not isinstance(call.args[0], Value):
        return None
    found = make(_Given(call))
    if found is None:
        return None
    kind, settings, tensors = found
    known = [names[_place(one)] for one in tensors.values() if _place(one) in names]
    return Layer(kind, tuple(settings), tensors, known[0].rpartition(".")[0] if known else "")


class _Given:
    """The arguments of a call by place or by keyword."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def __call__(self, place: int, keyword: str, default: Any = None) -> Any:
        args = self.call.args
        found = args[place] if place < len(args) else self.call.kwargs.get(keyword, default)
        return found.tensor if isinstance(found, Constant) else found


Made = tuple[str, Sequence[Setting], Mapping[str, Tensor]]


def _conv(given: _Given) -> Made | None:
    weight, bias = given(1, "weight"), given(2, "bias")
    if isinstance(weight, Value) or isinstance(bias, Value):
        return None
    groups = given(6, "groups", 1)
    pad = given(4, "padding", 0)
    settings = [
        Setting("", weight.shape[1] * groups, "channels"),
        Setting("", weight.shape[0], "width"),
        Setting("", _both(weight.shape[2:]), "kernel"),
        _named("stride", _both(given(3, "stride", 1)), 1),
        _named("padding", pad if isinstance(pad, str) else _both(pad), 0),
        _named("dilation", _both(given(5, "dilation", 1)), 1),
        _named("groups", groups, 1),
        _named("bias", bias is not None, True),
    ]
    return "Conv2d", settings, {"weight": weight} | ({} if bias is None else {"bias": bias})


def _batch_norm(given: _Given) -> Made:
    mean, variance = given(1, "running_mean"), given(2, "running_var")
    weight, bias, eps = given(3, "weight"), given(4, "bias"), given(7, "eps", 1e-5)
    settings = [
        Setting("", len(mean), "width"),
        _named("eps", eps, 1e-5),
        _named("affine", weight is not None, True),
    ]
    affine = {} if weight is None else {"weight": weight, "bias": bias}
    return "BatchNorm2d", settings, {**affine, "running_mean": mean, "running_var": variance}


def _group_norm(given: _Given) -> Made:
    weight, eps = given(2, "weight"), given(4, "eps", 1e-5)
    settings = [
        Setting("", given(1, "num_groups"), "groups"),
        Setting("", len(weight), "width"),
        _named("eps", eps, 1e-5),
    ]
    return "GroupNorm", settings, {"weight": weight, "bias": given(3, "bias")}


def _linear(given: _Given) -> Made | None:
    weight, bias = given(1, "weight"), given(2, "bias")
    settings = [
        Setting("", weight.shape[1], "features"),
        Setting("", weight.shape[0], "classes"),
        _named("bias", bias is not None, True),
    ]
    return "Linear", settings, {"weight": weight} | ({} if bias is None else {"bias": bias})


def _named(keyword: str, value: Any, default: Any) -> Setting:
    return Setting(keyword, value, keyword, default)


def _both(value: Any) -> Any:
    """One number where height and width have the same."""
    if isinstance(value, int):
        return value
    sides = tuple(value)
    return sides[0] if len(set(sides)) == 1 else sides
