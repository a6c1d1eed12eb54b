"""pour: weights from elsewhere into a network, in the order of its plan."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from genome.network import Network

COUNTERS = ("num_batches_tracked", "steps")  # which count training steps and hold no weights
LAYOUTS = ((3, 2, 0, 1), (2, 3, 0, 1))  # from TensorFlow's kernels, and its depthwise ones, to torch's


class Poured(NamedTuple):
    """Where one array went."""

    array: str  # its key, or its position from 0
    node: str
    turn: int  # the pass of its loop
    tensor: str  # such as `conv.weight`
    source: str  # the input whose kernel it is, empty for a whole tensor
    shape: tuple[int, ...]

    def __str__(self) -> str:
        turn = f", pass {self.turn}" if self.turn else ""
        source = f", from {self.source}" if self.source else ""
        return f"{self.array} -> {self.node}{turn}: {self.tensor}{source} {self.shape}"


class Slot(NamedTuple):
    """A tensor of a network that takes one array, or one array for each of its inputs."""

    node: str
    turn: int
    name: str
    tensor: Tensor
    pieces: Mapping[str, Tensor]  # views of the kernels of several inputs, by their names

    def poured(self, array: str, source: str, tensor: Tensor) -> Poured:
        return Poured(array, self.node, self.turn, self.name, source, tuple(tensor.shape))

    def __str__(self) -> str:
        return f"{self.name} of {self.node}" + (f" in pass {self.turn}" if self.turn else "")


def pour(
    net: Network, arrays: Mapping[str, Any] | Iterable[Any], leave: Collection[str] = ()
) -> tuple[Poured, ...]:
    """Copy arrays into the parameters and buffers of a network, in the order of its plan; return what went where.

    A node takes its tensors in the order of its layers, a norm its scale, shift, mean and variance. A kernel over
    several inputs takes one array, or one for each input in the order of `in`. Shapes are torch's; axes of length 1
    may be missing or added. Nothing is copied if an array does not fit.

    arrays: tensors or numpy arrays; a state dict, whose keys then stand in the report. Counters of training steps
        (`num_batches_tracked`, whole numbers without axes) are left out.
    leave: nodes that keep their weights and take no arrays, such as a classifier of other classes.

    Raises:
        ValueError: an array of another shape, too few or too many of them, a value that is no array, or an unknown
            node in `leave`.
    """
    leave = {leave} if isinstance(leave, str) else set(leave)
    if unknown := leave - set(net.names()):
        raise ValueError(f"leave: the network has no node {', '.join(sorted(unknown))}")
    slots = [slot for slot in net.slots() if slot.node not in leave]
    given = iter(_named(arrays))
    copies: list[tuple[Poured, Tensor, Tensor]] = []
    for slot in slots:
        copies += _fill(slot, given, len(copies))
    if rest := [name for name, _ in given]:
        count = "1 array is" if len(rest) == 1 else f"{len(rest)} arrays are"
        more = ", .." if len(rest) > 5 else ""
        raise ValueError(f"{count} left after the last tensor of the network: {', '.join(rest[:5])}{more}")
    own = {_memory(slot.tensor) for slot in slots}
    kept = [array.clone() if _memory(array) in own else array for _, _, array in copies]
    for (_, tensor, _), array in zip(copies, kept, strict=True):
        tensor.copy_(array)
    return tuple([row for row, _, _ in copies])


def _named(arrays: Mapping[str, Any] | Iterable[Any]) -> Iterator[tuple[str, Any]]:
    pairs = arrays.items() if isinstance(arrays, Mapping) else enumerate(arrays)
    for name, array in pairs:
        if not hasattr(array, "shape"):
            wanted = "pour takes tensors and numpy arrays, such as those of a state dict"
            raise ValueError(f"{name} is a {type(array).__name__}; {wanted}")
        if str(name).rpartition(".")[2] not in COUNTERS and not _counts(array):
            yield str(name), array


def _counts(array: Any) -> bool:
    """Whether this is a whole number, as a counter without its name is."""
    return not array.shape and "int" in str(array.dtype)


def _fill(
    slot: Slot, given: Iterator[tuple[str, Any]], count: int
) -> Iterator[tuple[Poured, Tensor, Tensor]]:
    """Match one tensor with the next array, or its pieces with the next arrays."""
    name, array = _next(slot, given, count)
    if slot.pieces and not _fits(array, slot.tensor) and _fits(array, next(iter(slot.pieces.values()))):
        for i, (source, piece) in enumerate(slot.pieces.items()):
            name, array = (name, array) if i == 0 else _next(slot, given, count + i)
            yield (
                slot.poured(name, source, piece),
                piece,
                _checked(f"{slot} from {source}", name, array, piece),
            )
    else:
        yield slot.poured(name, "", slot.tensor), slot.tensor, _checked(str(slot), name, array, slot.tensor)


def _next(slot: Slot, given: Iterator[tuple[str, Any]], count: int) -> tuple[str, Any]:
    found = next(given, None)
    if found is None:
        raise ValueError(
            f"the arrays end after {count}; the next tensor is the {slot}, {tuple(slot.tensor.shape)}"
        )
    return found


def _checked(place: str, name: str, array: Any, tensor: Tensor) -> Tensor:
    """The array in the shape and the format of a tensor."""
    if not _fits(array, tensor):
        wanted, found = tuple(tensor.shape), tuple(array.shape)
        raise ValueError(f"array {name} is {found} and the {place} is {wanted}{_hint(found, wanted)}")
    try:
        # a copy, since torch reads no array with negative strides
        made: Tensor = array.detach() if hasattr(array, "detach") else tensor.new_tensor(array.copy())
        if made.is_complex() or made.is_meta:
            raise TypeError("it has no real numbers")
        return made.reshape(tensor.shape).to(tensor.device, tensor.dtype)
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        kind = f"{array.dtype}, {type(array).__name__}"
        said = str(error).splitlines()[0]
        raise ValueError(
            f"array {name} ({kind}) cannot be copied into the {place}: {said}; pour dense arrays of real numbers"
        ) from error


def _memory(tensor: Tensor) -> int:
    """Where its numbers lie: a tensor of the network itself is read before it is written."""
    return tensor.untyped_storage().data_ptr()


def _fits(array: Any, tensor: Tensor) -> bool:
    return _lengths(array.shape) == _lengths(tensor.shape)


def _lengths(shape: Sequence[int]) -> list[int]:
    return [length for length in shape if length != 1]


def _hint(found: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """The mend, if there is one that is likely: with axes of equal length several orders would fit."""
    orders = permutations(range(len(found))) if len(found) == len(wanted) else ()
    fitting = [axes for axes in orders if tuple([found[axis] for axis in axes]) == wanted]
    if likely := [axes for axes in LAYOUTS if axes in fitting] or fitting:
        return f"; it fits after permute{likely[0]}"
    if found[:1] == wanted[:1] and prod(found) == prod(wanted):
        return f"; it fits after reshape{wanted} if its numbers are in the order of these axes"
    return ""
