"""Lanes: one tensor of each of several equal networks, side by side in one plain tensor.

A network's own code runs on them as on the tensors of one network. `torch.vmap` does the same for every function,
but takes batch norm apart, copies at each change of layout, and costs a call for each module: on one CPU thread
it left half of what convolutions in groups gain. So the functions that convolutional networks are made of have
rules here, and all others go through `torch.vmap`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten


class Lanes(Tensor):
    """The tensors of `count` networks, which looks like that of one: `shape` is that of one.

    packed: all of them, behind each other along dimension `at`: feature maps (B, count * C, H, W), kernels
    (count * O, C, h, w). Single numbers, `at` None, are packed as (count,).
    Gradients are those of `packed`. Raises RuntimeError where gradients are turned off, as inside a function
    with a backward pass of its own: what it did to `packed` would not be seen.
    """

    packed: Tensor
    count: int
    at: int | None

    @staticmethod
    def __new__(cls, packed: Tensor, count: int, at: int | None) -> "Lanes":
        shape = [*packed.shape] if at is not None else []
        if at is not None:
            shape[at] //= count
        made = torch.Tensor._make_wrapper_subclass(cls, shape, dtype=packed.dtype, device=packed.device)
        made.packed, made.count, made.at = packed, count, at
        return made

    def apart(self) -> tuple[Tensor, int]:
        """All with a dimension of their own for the lanes, and which one that is."""
        if self.at is None:
            return self.packed, 0
        return torch.unflatten(self.packed, self.at, (self.count, -1)), self.at

    def along(self, at: int) -> Tensor:
        """All, packed along the dimension `at`."""
        if at == self.at:
            return self.packed
        lanes, found = self.apart()
        return lanes.movedim(found, at).flatten(at, at + 1)

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        word = _word(func)
        if word in OF_ONE:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        if word in OF_ALL:
            return func(args[0].packed, *args[1:], **kwargs)
        if not torch.is_grad_enabled():
            raise RuntimeError(f"{word} without gradients cannot be run side by side")
        rule = RULES.get(word)
        found = NotImplemented if rule is None else rule(func, *args, **kwargs)
        return _mapped(func, args, kwargs) if found is NotImplemented else found

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        raise RuntimeError(f"{func} cannot be run side by side")


def _word(func: Callable[..., Any]) -> str:
    """The function's name without underscores, be it a method, in place or an operator; or the attribute's."""
    owner = getattr(func, "__self__", None)
    name: str = owner.__name__ if func.__name__ == "__get__" and owner is not None else func.__name__
    return name.strip("_")


def _mapped(func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Any function of one network's tensors, for all by `torch.vmap`; chance differs between the lanes."""
    values, spec = tree_flatten((args, kwargs))
    places = [i for i, value in enumerate(values) if isinstance(value, Lanes)]
    count = values[places[0]].count
    tensors, dims = zip(*[values[i].apart() for i in places], strict=True)

    def one(*own: Tensor) -> Any:
        for i, tensor in zip(places, own, strict=True):
            values[i] = tensor
        args, kwargs = tree_unflatten(values, spec)
        return func(*args, **kwargs)

    found = torch.vmap(one, in_dims=dims, randomness="different")(*tensors)
    return tree_map_only(Tensor, lambda lanes: _packed(lanes, count), found)


def _packed(lanes: Tensor, count: int) -> Lanes:
    """(count, ..) packed along the dimension of channels, or what there is of dimensions."""
    if lanes.ndim == 1:
        return Lanes(lanes, count, None)
    at = min(lanes.ndim - 2, 1)
    return Lanes(lanes.movedim(0, at).flatten(at, at + 1), count, at)


def _elementwise(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Each number by itself: the packed tensors, where they lie alike."""
    lanes = [a for a in args if isinstance(a, Lanes)]
    first = lanes[0]
    at, shape = first.at, first.shape
    for other in lanes[1:]:
        if len(other.shape) != len(shape) or (at is not None and other.shape[at] != shape[at]):
            return NotImplemented
    if any(isinstance(a, Tensor) and not isinstance(a, Lanes) and a.ndim for a in args):
        return NotImplemented
    packed = [(a.packed if at is None else a.along(at)) if isinstance(a, Lanes) else a for a in args]
    found = func(*packed, **kwargs)
    return first if found is first.packed else Lanes(found, first.count, at)


def _each(func: Callable[..., Any], *lists: Any, **kwargs: Any) -> Any:
    """torch's functions of lists, number by number and in place."""
    if not all(isinstance(a, Lanes) for many in lists if isinstance(many, list | tuple) for a in many):
        return NotImplemented
    func(*[[a.packed for a in many] if isinstance(many, list | tuple) else many for many in lists], **kwargs)
    return lists[0]


def _spatial(func: Callable[..., Any], x: Lanes, *args: Any, **kwargs: Any) -> Any:
    """Each channel of (B, C, H, W) by itself."""
    return Lanes(func(x.along(1), *args, **kwargs), x.count, 1) if x.ndim == 4 else NotImplemented


def _padded(
    func: Callable[..., Any], x: Lanes, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Any:
    """Of (B, C, H, W): of the image, or with channels of zeros."""
    if len(pad) <= 4:
        return _spatial(func, x, pad, mode, value)
    if x.ndim != 4 or len(pad) != 6 or any(pad[:4]) or min(pad) < 0 or mode != "constant" or value:
        return NotImplemented
    zeros = [x.packed.new_zeros(len(x), x.count * more, *x.shape[2:]) for more in pad[4:]]
    front, behind = (Lanes(z, x.count, 1) for z in zeros)
    return _concatenated(torch.cat, [front, Lanes(x.along(1), x.count, 1), behind], 1)


def _reduced(func: Callable[..., Any], x: Lanes, dim: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Over dimensions behind that of the lanes."""
    dims = (dim,) if isinstance(dim, int) else dim
    if not dims or x.at is None or any(d % x.ndim <= x.at for d in dims):
        return NotImplemented
    return Lanes(func(x.packed, dim, *args, **kwargs), x.count, x.at)


def _flattened(func: Callable[..., Any], x: Lanes, start_dim: int = 0, end_dim: int = -1) -> Any:
    if x.at is None or start_dim != x.at:
        return NotImplemented
    return Lanes(x.packed.flatten(start_dim, end_dim), x.count, x.at)


def _item(func: Callable[..., Any], x: Lanes, index: Any) -> Any:
    """An index that leaves the dimensions up to that of the lanes alone."""
    index = index if isinstance(index, tuple) else (index,)
    whole = slice(None)
    if x.at is None or len(index) <= x.at or any(i is Ellipsis or isinstance(i, Tensor) for i in index):
        return NotImplemented
    if any(not isinstance(i, slice) or i != whole for i in index[: x.at + 1]):
        return NotImplemented
    return Lanes(x.packed[index], x.count, x.at)


def _narrowed(func: Callable[..., Any], x: Lanes, dim: int, start: int, length: int) -> Any:
    if x.at is None or dim % x.ndim != x.at:
        return NotImplemented if x.at is None else Lanes(x.packed.narrow(dim, start, length), x.count, x.at)
    if length == x.shape[dim]:
        return x
    lanes, at = x.apart()
    return Lanes(lanes.narrow(at + 1, start, length).flatten(at, at + 1), x.count, at)


def _concatenated(func: Callable[..., Any], tensors: Sequence[Tensor], dim: int = 0) -> Any:
    first = tensors[0]
    packed = [t.packed for t in tensors if isinstance(t, Lanes) and t.at == getattr(first, "at", None)]
    if not isinstance(first, Lanes) or len(packed) < len(tensors):
        return NotImplemented
    if dim % first.ndim == first.at:
        # Piece by piece rather than by a fifth dimension, which would lose channels_last.
        rows = zip(*[p.chunk(first.count, dim) for p in packed], strict=True)
        packed = [piece for row in rows for piece in row]
    return Lanes(torch.cat(packed, dim), first.count, first.at)


def _conv2d(
    func: Callable[..., Any],
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """One convolution whose groups are those of all networks. (B, count * C, H, W)"""
    if not isinstance(x, Lanes) or not isinstance(weight, Lanes) or x.ndim != 4:
        return NotImplemented
    shift = _along_first(bias)
    found = F.conv2d(x.along(1), weight.along(0), shift, stride, padding, dilation, groups * x.count)
    return Lanes(found, x.count, 1)


def _batch_norm(
    func: Callable[..., Any],
    x: Lanes,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Batch norm of (B, C, ..) over count * C channels; the running statistics change in place."""
    mean, var = _along_first(running_mean), _along_first(running_var)
    scale, shift = _along_first(weight), _along_first(bias)
    found = F.batch_norm(x.along(1), mean, var, scale, shift, training, momentum, eps)
    return Lanes(found, x.count, 1)


def _group_norm(
    func: Callable[..., Any],
    x: Lanes,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    shifts = _along_first(weight), _along_first(bias)
    return Lanes(F.group_norm(x.along(1), num_groups * x.count, *shifts, eps), x.count, 1)


def _linear(func: Callable[..., Any], x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    """One batched product. x (B, count * F), weight (count * O, F) -> (B, count * O)"""
    if not isinstance(x, Lanes) or not isinstance(weight, Lanes) or x.ndim != 2:
        return NotImplemented
    count = x.count
    rows = torch.unflatten(x.along(1), 1, (count, -1)).transpose(0, 1)  # (count, B, F)
    kernel = torch.unflatten(weight.along(0), 0, (count, -1)).transpose(1, 2)  # (count, F, O)
    if bias is None:
        found = torch.bmm(rows, kernel)
    else:
        assert isinstance(bias, Lanes)
        found = torch.baddbmm(bias.along(0).view(count, 1, -1), rows, kernel)
    return Lanes(found.transpose(0, 1).flatten(1), count, 1)


def _along_first(numbers: Tensor | None) -> Tensor | None:
    return numbers.along(0) if isinstance(numbers, Lanes) else numbers


# What a wrapper that looks like one network's tensor knows by itself, and what the packed tensor knows.
OF_ONE = frozenset({"shape", "ndim", "size", "dim", "numel", "len", "dtype", "device"})
OF_ALL = frozenset({"requires_grad", "is_cuda", "is_meta", "is_contiguous", "is_floating_point", "layout"})

_ARITHMETIC = ("add", "sub", "mul", "div", "truediv")
_ALONE = (
    "neg",
    "abs",
    "square",
    "sqrt",
    "exp",
    "sigmoid",
    "tanh",
    "softplus",
    "clamp",
    "clamp_min",
    "dropout",
)
_ACTIVATIONS = ("relu", "relu6", "leaky_relu", "silu", "gelu", "elu", "selu", "mish", "hardtanh", "hardswish")
_COPIES = ("clone", "contiguous", "to", "float", "double", "zeros_like", "ones_like")
_ELEMENTWISE = (
    *[side + word for word in _ARITHMETIC for side in ("", "i", "r")],  # also in place, and from the right
    *_ALONE,
    *_ACTIVATIONS,
    *_COPIES,
)

RULES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(("foreach_add", "foreach_copy"), _each),
    **dict.fromkeys(("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"), _spatial),
    **dict.fromkeys(("mean", "sum", "amax"), _reduced),
    "pad": _padded,
    "flatten": _flattened,
    "getitem": _item,
    "narrow": _narrowed,
    "cat": _concatenated,
    "conv2d": _conv2d,
    "batch_norm": _batch_norm,
    "group_norm": _group_norm,
    "linear": _linear,
}
