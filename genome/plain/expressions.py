"""Expressions: one call as text, as a person would write it."""

from __future__ import annotations

import builtins
import keyword
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from genome.plain.calls import Batch, Call, Constant, PlainError, Text, Value

INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "true_divide": "/", "pow": "**"}
DUNDER = {"__add__": "+", "__sub__": "-", "__mul__": "*", "__truediv__": "/", "__pow__": "**"}
REVERSED = {"__radd__": "+", "__rsub__": "-", "__rmul__": "*", "__rtruediv__": "/", "rsub": "-"}
# the names of arguments by place, empty for those that are given by place
POOL = ("", "", "stride", "padding")
PLACES: Mapping[str, tuple[str, ...]] = {
    "max_pool2d": (*POOL, "dilation", "ceil_mode", "return_indices"),
    "avg_pool2d": (*POOL, "ceil_mode", "count_include_pad", "divisor_override"),
    "relu": ("", "inplace"),
    "relu6": ("", "inplace"),
    "silu": ("", "inplace"),
    "leaky_relu": ("", "negative_slope", "inplace"),
    "pad": ("", "", "mode", "value"),
    "local_response_norm": ("", "", "alpha", "beta", "k"),
}
# named arguments that are left out where they have these values, or any at all
ANY = object()
DEFAULTS: Mapping[str, Any] = {
    "padding": 0,
    "dilation": 1,
    "ceil_mode": False,
    "return_indices": False,
    "count_include_pad": True,
    "divisor_override": None,
    "negative_slope": 0.01,
    "inplace": ANY,
    "mode": "constant",
    "value": None,
}
RESERVED = {*keyword.kwlist, *dir(builtins), "torch", "nn", "F", "Tensor", "self"}


class Expression(NamedTuple):
    """Text that stands for a value."""

    text: str
    # whether it needs brackets beside another operator
    is_infix: bool = False

    @property
    def bracketed(self) -> str:
        return f"({self.text})" if self.is_infix else self.text


def identifier(name: str) -> str:
    """Return a Python name for the name of a node."""
    made = "".join(c if c.isalnum() or c == "_" else "_" for c in name)
    while "__" in made:
        made = made.replace("__", "_")
    made = made if made[:1].isalpha() or made[:1] == "_" else f"n{made}"
    return f"{made}_" if made in RESERVED else made


def expression(
    call: Call, values: Mapping[int, Expression], buffers: Mapping[int, str], batch: str
) -> Expression:
    """Return a call without a layer.

    values: by number.  buffers: the names of constants by the id of their tensor.  batch: the number of images.

    Raises:
        PlainError: a function that is not one of torch's.
    """

    def of(given: Any) -> Expression:
        return _argument(given, values, buffers, batch)

    name = call.function.__name__
    if name == "__getitem__":
        return Expression(f"{of(call.args[0]).bracketed}[{_index(call.args[1], of)}]")
    if name in PLACES:
        call = replace(call, args=(call.args[0], *map(_both, call.args[1:])))
    args = [*map(of, call.args)]
    sign = INFIX.get(name) or DUNDER.get(name)
    if sign and len(args) == 2 and not call.kwargs:
        left, right = args
        chained = sign in "+" and left.is_infix and " + " in left.text and "(" not in left.text
        return Expression(f"{left.text if chained else left.bracketed} {sign} {right.bracketed}", True)
    if name in REVERSED and len(args) == 2:
        return Expression(f"{args[1].bracketed} {REVERSED[name]} {args[0].bracketed}", True)
    if name == "neg":
        return Expression(f"-{args[0].bracketed}", True)
    keywords = PLACES.get(name, ())
    named = {
        keywords[i]: value for i, value in enumerate(call.args) if keywords[i : i + 1] not in ((), ("",))
    }
    told = [one.text for i, one in enumerate(args) if keywords[i : i + 1] in ((), ("",))]
    told += [
        f"{key}={of(value).text}"
        for key, value in {**named, **call.kwargs}.items()
        if not (name in PLACES and _is_default(key, value, call))
    ]
    if getattr(F, name, None) is not None and _is_function(call.function, F, name):
        return Expression(f"F.{name}({', '.join(told)})")
    first = call.args[0] if call.args else None
    told_of = isinstance(first, Value) or (isinstance(first, Constant) and not hasattr(torch, name))
    if hasattr(Tensor, name) and told_of:  # `x.flatten(1)`, but `torch.addcmul(self.shift, x, self.scale)`
        return Expression(f"{args[0].bracketed}.{name}({', '.join(told[1:])})")
    if getattr(torch, name, None) is not None:
        return Expression(f"torch.{name}({', '.join(told)})")
    raise PlainError(f"{name} is no function of torch that a file of plain PyTorch could call")


def _is_default(key: str, value: Any, call: Call) -> bool:
    if key == "stride":
        return bool(_both(value) == _both(call.args[1]))  # the size of a pool
    if key not in DEFAULTS:
        return False
    default = DEFAULTS[key]
    return default is ANY or value == default or value == (default, default)


def _both(value: Any) -> Any:
    """One number where height and width have the same."""
    return value[0] if type(value) is tuple and len(value) == 2 and value[0] == value[1] else value


def _is_function(function: Any, where: Any, name: str) -> bool:
    return getattr(where, name, None) is function or getattr(function, "__module__", "") == where.__name__


def _argument(
    given: Any, values: Mapping[int, Expression], buffers: Mapping[int, str], batch: str
) -> Expression:
    def of(one: Any) -> Expression:
        return _argument(one, values, buffers, batch)

    if isinstance(given, Value):
        return values[given.number]
    if isinstance(given, Text):
        return Expression(given.text)
    if isinstance(given, Constant):
        return Expression(buffers[id(given.tensor)])
    if isinstance(given, Batch):
        return Expression(batch) if given.times == 1 else Expression(f"{given.times} * {batch}", True)
    if type(given) in (tuple, list):
        inner = ", ".join(of(one).text for one in given)
        if type(given) is list:
            return Expression(f"[{inner}]")
        return Expression(f"({inner},)" if len(given) == 1 else f"({inner})")
    return literal(given)


def literal(given: Any) -> Expression:
    """Return a number, a word or a type of torch. Raises PlainError for anything else."""
    if isinstance(given, torch.dtype | torch.memory_format | torch.layout):
        return Expression(str(given))
    if isinstance(given, float) and not math.isfinite(given):
        return Expression(f'float("{given}")')
    if isinstance(given, str):
        return Expression(f'"{given}"')
    if isinstance(given, tuple):
        inner = ", ".join(literal(one).text for one in given)
        return Expression(f"({inner},)" if len(given) == 1 else f"({inner})")
    if given is None or isinstance(given, bool | int | float):
        return Expression(repr(given), isinstance(given, int | float) and given < 0)
    raise PlainError(f"{given!r} cannot be written as Python")


def _index(given: Any, of: Any) -> str:
    parts = given if type(given) is tuple else (given,)
    return ", ".join(_sliced(part) if isinstance(part, slice) else _one(part, of) for part in parts)


def _one(part: Any, of: Any) -> str:
    return "..." if part is Ellipsis else str(of(part).text)


def _sliced(part: slice) -> str:
    start, stop, step = ("" if one is None else str(one) for one in (part.start, part.stop, part.step))
    return f"{start}:{stop}" + (f":{step}" if step else "")
