"""The calls of torch that a network makes for a batch of images, recorded while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from genome.network import Network
from genome.plain.inference import inference_form
from genome.plan import Plan

BATCHES = (2, 3)  # images of the two runs: numbers that differ between them follow the batch
IMAGE = 0  # the number of the value that the network is given


class PlainError(ValueError):
    """A network that cannot be written as calls of torch."""


class Value(NamedTuple):
    """The place of a tensor that depends on the image."""

    number: int


class Constant(NamedTuple):
    """The place of a tensor that does not depend on the image: a parameter, a buffer, or what was made of them."""

    tensor: Tensor
    role: str = ""  # within its node, of one that the network does not have


class Batch(NamedTuple):
    """The place of a whole number that is so many times the number of images."""

    times: int


class Text(NamedTuple):
    """The place of a number that is written otherwise, such as `self.padding`."""

    text: str


@dataclass(frozen=True, eq=False)
class Call:
    """One call whose result depends on the image."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    # numbers of the values that it gives: one, or those of a tuple
    outs: tuple[int, ...]
    # of each, with the batch that it was recorded with
    shapes: tuple[tuple[int, ...], ...]
    # index of the step of the plan
    step: int
    is_tuple: bool = False


class Recording(NamedTuple):
    """What a network computes, in order."""

    calls: tuple[Call, ...]
    # the value of each exit
    exits: tuple[int, ...]
    # the parameters and buffers that the calls read, by name
    tensors: Mapping[str, Tensor]


def recorded(network: Network, plan: Plan, portable: bool = False) -> Recording:
    """Return the calls of a network in eval mode, on the CPU and in float32, for any number of images.

    portable: in the operators that the converters of other runtimes know.

    Raises:
        PlainError: calls that depend on the number of images in other ways than by multiples of it.
    """
    plain = inference_form(network, portable)
    few, more = (_run(plain, plan, images) for images in BATCHES)
    if len(few.calls) != len(more.calls) or few.exits != more.exits:
        raise PlainError("the network makes other calls for another number of images")
    calls = [_for_any_batch(a, b) for a, b in zip(few.calls, more.calls, strict=True)]
    return few._replace(calls=tuple(_needed(calls, few.exits)))


def _run(network: Network, plan: Plan, images: int) -> Recording:
    image = torch.zeros(images, *plan.genome.input)
    recorder = _Recorder(image)
    values: dict[int | None, Tensor | None] = {None: None, -1: image}
    with torch.no_grad(), recorder:
        for i, (node, step) in enumerate(zip(network.nodes.values(), plan.steps, strict=True)):
            recorder.step = i
            values[i] = node(*[values[source] for source in step.sources])
    exits = tuple(recorder.numbers[id(values[i])] for i in plan.exits)
    tensors = {**dict(network.nodes.named_parameters()), **dict(network.nodes.named_buffers())}
    return Recording(tuple(recorder.calls), exits, tensors)


class _Recorder(TorchFunctionMode):
    """Records the calls whose arguments depend on the image."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.numbers = {id(image): IMAGE}
        self.alive: list[Any] = [image]  # no number may come to mean another tensor
        self.calls: list[Call] = []
        self.step = 0

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        places = self._places(tuple(args)), self._places(kwargs)
        found = func(*args, **kwargs)
        given = [leaf for leaf in leaves(places) if isinstance(leaf, Value)]
        if not given or not _is_tensors(found):
            return found
        if _is_identity(func, kwargs, found, args):
            self.numbers[id(found)] = given[0].number
            self.alive.append(found)
            return found
        several = not isinstance(found, Tensor)
        made: tuple[Tensor, ...] = tuple(found) if several else (found,)
        outs = tuple(self._numbered(one) for one in made)
        shapes = tuple(tuple(one.shape) for one in made)
        function, given_args, given_kwargs = _out_of_place(func, *places)
        self.calls.append(Call(function, given_args, given_kwargs, outs, shapes, self.step, several))
        return found

    def _numbered(self, made: Tensor) -> int:
        """Give a tensor a new number, also one that was changed in place: from now on it is another value."""
        self.alive.append(made)
        self.numbers[id(made)] = number = len(self.alive)
        return number

    def _places(self, given: Any) -> Any:
        if isinstance(given, Tensor):
            number = self.numbers.get(id(given))
            return Constant(given) if number is None else Value(number)
        if isinstance(given, dict):
            return {key: self._places(value) for key, value in given.items()}
        if type(given) in (tuple, list):
            return type(given)([self._places(value) for value in given])
        return given


def leaves(given: Any) -> Iterator[Any]:
    """Yield what stands in arguments, however deep."""
    if isinstance(given, dict):
        for value in given.values():
            yield from leaves(value)
    elif type(given) in (tuple, list):
        for value in given:
            yield from leaves(value)
    elif isinstance(given, slice):
        yield from (given.start, given.stop, given.step)
    else:
        yield given


def numbers(call: Call) -> list[int]:
    """Return the whole numbers among the arguments of a call, in order; none of an index."""
    if call.function is Tensor.__getitem__:
        return []
    return [leaf for leaf in leaves((call.args, call.kwargs)) if type(leaf) is int]


def with_texts(call: Call, texts: Mapping[int, str]) -> Call:
    """Return a call with some of its whole numbers, by their place in `numbers`, written as texts."""
    if not texts:
        return call
    places = iter(range(len(numbers(call))))

    def replaced(given: Any) -> Any:
        if isinstance(given, dict):
            return {key: replaced(value) for key, value in given.items()}
        if type(given) in (tuple, list):
            return type(given)([replaced(value) for value in given])
        if type(given) is not int:
            return given
        place = next(places)
        return Text(texts[place]) if place in texts else given

    return replace(call, args=replaced(call.args), kwargs=replaced(call.kwargs))


def _is_tensors(found: Any) -> bool:
    if isinstance(found, tuple | list) and found:
        return all(isinstance(one, Tensor) for one in found)
    return isinstance(found, Tensor)


def _is_identity(func: Any, kwargs: Mapping[str, Any], found: Any, args: Sequence[Any]) -> bool:
    """Whether a call gives its input back, such as `x.float()` of a float tensor, or dropout in eval mode."""
    if func in (F.dropout, F.dropout2d):
        return True
    function, *_ = _out_of_place(func, tuple(args), dict(kwargs))
    changes = function is not func or kwargs.get("inplace", False) or _is_in_place(func, args)
    return bool(args) and found is args[0] and not changes


def _out_of_place(func: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """Return the call that computes the same without changing its input.

    Calls that read the changed input afterwards read the result of this call.
    """
    name = func.__name__
    if name.startswith("__i") and hasattr(Tensor, f"__{name[3:]}"):
        return getattr(Tensor, f"__{name[3:]}"), args, kwargs
    if name.endswith("_") and not name.endswith("__") and hasattr(Tensor, name[:-1]):
        return getattr(Tensor, name[:-1]), args, kwargs
    if _is_in_place(func, args):
        return func, (args[0], *(False if one is True else one for one in args[1:])), kwargs
    return func, args, {**kwargs, "inplace": False} if kwargs.get("inplace") else kwargs


def _is_in_place(func: Any, args: Sequence[Any]) -> bool:
    return func in (F.relu, F.relu6, F.silu, F.leaky_relu) and any(one is True for one in args[1:])


def _for_any_batch(few: Call, more: Call) -> Call:
    """Return the call of both runs, with the numbers that follow the batch in their places."""
    if few.function is not more.function or few.outs != more.outs:
        raise PlainError("the network makes other calls for another number of images")
    return replace(few, args=_merged(few.args, more.args), kwargs=_merged(few.kwargs, more.kwargs))


def _merged(a: Any, b: Any) -> Any:
    if isinstance(a, dict):
        return {key: _merged(value, b[key]) for key, value in a.items()}
    if type(a) in (tuple, list):
        if len(a) != len(b):
            raise PlainError("the network makes other calls for another number of images")
        return type(a)([_merged(x, y) for x, y in zip(a, b, strict=True)])
    if isinstance(a, Constant):
        if a.tensor.shape != b.tensor.shape:
            raise PlainError("a constant of the network depends on the number of images")
        return a
    if a == b:
        return a
    if type(a) is int and a % BATCHES[0] == 0 and a // BATCHES[0] * BATCHES[1] == b:
        return Batch(a // BATCHES[0])
    raise PlainError(f"the network computes with {a!r} for {BATCHES[0]} images and {b!r} for {BATCHES[1]}")


def _needed(calls: Sequence[Call], exits: Sequence[int]) -> list[Call]:
    """Return the calls that an exit needs."""
    needed, kept = set(exits), list[Call]()
    for call in reversed(calls):
        if needed.intersection(call.outs):
            needed.update(leaf.number for leaf in leaves((call.args, call.kwargs)) if isinstance(leaf, Value))
            kept.append(call)
    return kept[::-1]
