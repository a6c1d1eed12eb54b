"""EarlyExit: a network that runs each image only up to the exit that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genome.exits.rules import Rule
from genome.exits.segments import Segment, costs, segments
from genome.network import Network
from genome.op import Shape
from genome.step import SOURCE, Step

# by step; None stands for an input that a pass of a loop does not read
Values: TypeAlias = dict[int | None, Tensor | None]


class Answers(NamedTuple):
    """What a network that stops early says of a batch. The logits stand last, as those of a network's last exit do."""

    exits: Tensor  # int64 (B,): the place of the exit that each image took, from 0
    costs: tuple[int, ...]  # multiply-adds of an image that leaves at each exit
    logits: Tensor  # (B, classes): those of the exit that each image took

    @property
    def macs(self) -> Tensor:
        """The multiply-adds that each image cost, with those of the exits before its own. int64 (B,)"""
        return torch.tensor(self.costs, device=self.exits.device)[self.exits]


class EarlyExit(nn.Module):
    """A network that stops: each image leaves at the first exit that is certain of it. (B, C, H, W) -> Answers

    The exits are asked in written order, and the last always answers. Between two exits only the images that are still
    undecided run, in a smaller batch. It is for inference, in eval mode.
    """

    network: Network
    rule: Rule
    costs: tuple[int, ...]
    """Multiply-adds of an image that leaves at each exit."""

    def __init__(self, module: Network, rule: Rule) -> None:
        """Raises TypeError for a module that is no network, ValueError for one exit or a rule for other exits."""
        super().__init__()
        if not isinstance(module, Network):
            raise TypeError(f"EarlyExit takes what genome.build gives, not {type(module).__name__}")
        steps, exits = module.plan_steps, module.exits
        if len(exits) < 2:
            raise ValueError("the network has one exit; stopping early needs two or more")
        rule.check(len(exits))
        self.network, self.rule = module, rule
        parts = segments(steps, exits)
        self.costs = costs(parts)
        self._input = torch.Size(_input(steps))
        self._fewest = 2 if any(map(_refuses_one, module.modules())) else 1  # images that run together
        self._runs = [_Run(module, part) for part in parts]
        self.training = module.training

    def forward(self, image: Tensor) -> Answers:
        """Run the batch until every image has left.

        Raises:
            ValueError: images of another size, training mode, or paths that `Network.keeping` chose.
        """
        self._check(image)
        return self._one(image) if len(image) == 1 else self._batch(image)

    def _one(self, image: Tensor) -> Answers:
        """Run one image. It is judged apart, because arrays of one number take longer than all else here."""
        values, memory = _begun(image), None
        for exit, run in enumerate(self._runs[:-1]):
            logits = run(values)
            leaves, memory = self.rule.judged_one(exit, logits.tolist()[0], memory)
            if leaves:
                return self._alike(exit, logits)
        return self._alike(len(self._runs) - 1, self._runs[-1](values))

    def _batch(self, image: Tensor) -> Answers:
        values, memory = _begun(image), None
        left: Tensor | None = (
            None  # the places of the undecided images in the batch; None while these are all of it
        )
        answers: list[tuple[int, Tensor, Tensor]] = []
        for exit, run in enumerate(self._runs[:-1]):
            logits = _first(run(values), left)
            leaves, memory = self.rule.judged(exit, _on_host(logits), memory)
            count = np.count_nonzero(leaves)
            if count == len(leaves):
                break
            if count:
                go, stay = (_places(one, image) for one in (leaves, ~leaves))
                answers.append((exit, go if left is None else left[go], logits[go]))
                left = stay if left is None else left[stay]
                stay = stay.repeat(2) if len(stay) < self._fewest else stay
                values.update({place: value[stay] for place, value in values.items() if value is not None})
                memory = None if memory is None else memory[~leaves]
        else:
            exit, logits = len(self._runs) - 1, _first(self._runs[-1](values), left)
        return self._alike(exit, logits) if left is None else self._gathered([*answers, (exit, left, logits)])

    def _check(self, image: Tensor) -> None:
        if image.shape[1:] != self._input:
            raise ValueError(
                f"the images are {tuple(image.shape)}; the network takes (batch, {', '.join(map(str, self._input))})"
            )
        if self.training:
            raise ValueError("EarlyExit is for inference; call eval() first")
        if self.network.is_keeping:
            raise ValueError("EarlyExit reads all paths; leave Network.keeping first")

    def _alike(self, exit: int, logits: Tensor) -> Answers:
        """The answers of a batch all of which leaves at one exit."""
        return Answers(torch.full((len(logits),), exit, device=logits.device), self.costs, logits)

    def _gathered(self, answers: list[tuple[int, Tensor, Tensor]]) -> Answers:
        """The answers of several exits, each with the places of its images in the batch."""
        places = torch.cat([places for _, places, _ in answers])
        counts = torch.tensor([len(one) for _, one, _ in answers], device=places.device)
        exits = torch.tensor([exit for exit, _, _ in answers], device=places.device).repeat_interleave(counts)
        order = places.argsort()
        return Answers(exits[order], self.costs, torch.cat([logits for _, _, logits in answers])[order])


class _Run:
    """The modules of a segment with the values that each reads."""

    def __init__(self, network: Network, part: Segment) -> None:
        modules = [*network.nodes.values()]
        pairs = zip(part.steps, part.drops, strict=True)
        self._lines = [(i, modules[i], network.plan_steps[i].sources, drops) for i, drops in pairs]

    def __call__(self, values: Values) -> Tensor:
        """Compute what the exit needs, and return its logits. values: by step, those that later steps read remain."""
        for i, module, sources, drops in self._lines:
            values[i] = (
                module(values[sources[0]]) if len(sources) == 1 else module(*[values[s] for s in sources])
            )
            for source in drops:
                del values[source]
        return values.pop(i)  # type: ignore[return-value]  # it was computed just now


def _input(steps: Sequence[Step]) -> Shape:
    """The shape of an image."""
    pairs = [pair for step in steps for pair in zip(step.sources, step.ins, strict=True)]
    return next(shape for source, shape in pairs if source == SOURCE and shape is not None)


def _refuses_one(module: nn.Module) -> bool:
    """Whether a module may refuse a single image: torch's group norm does where a group is a single number."""
    return isinstance(module, nn.GroupNorm) and module.num_groups == module.num_channels


def _begun(image: Tensor) -> Values:
    return {None: None, SOURCE: image}


def _first(logits: Tensor, left: Tensor | None) -> Tensor:
    """The logits of the undecided images, without those of a copy that ran beside a single one."""
    return logits if left is None else logits[: len(left)]


def _on_host(logits: Tensor) -> NDArray[Any]:
    """The logits as an array, in float32 where numpy lacks their type."""
    plain = logits.detach()
    return (plain.float() if plain.dtype == torch.bfloat16 else plain).cpu().numpy()


def _places(chosen: NDArray[np.bool_], like: Tensor) -> Tensor:
    return torch.from_numpy(np.flatnonzero(chosen)).to(like.device)
