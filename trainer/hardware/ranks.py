"""Ranks: several processes that train one network together, each on its share of every batch."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Ranks(NamedTuple):
    """This process's number and how many there are; one alone communicates with nobody."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and tells."""
        return self.rank == 0

    def average_gradients(self, weights: Iterable[Tensor]) -> None:
        """Replace each gradient by its mean over the ranks, all in one message.

        Every rank draws the same paths, so a weight that one of them did not use was used by none.
        """
        if self.size > 1:
            self._average([weight.grad for weight in weights if weight.grad is not None])

    def average_buffers(self, module: nn.Module) -> None:
        """Replace the norms' running statistics by their means over the ranks."""
        if self.size > 1:
            self._average([buffer for buffer in module.buffers() if buffer.is_floating_point()])

    def mean(self, number: Tensor) -> Tensor:
        """The mean of a number over the ranks."""
        if self.size > 1:
            self._average([number])
        return number

    def agree(self, wish: bool) -> bool:
        """Whether any rank wishes it: what ends the steps must end them everywhere. Waits for all of them."""
        if self.size == 1:
            return wish
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        votes = torch.tensor(float(wish), device=device)
        dist.all_reduce(votes)
        return bool(votes.item() > 0)

    def _average(self, tensors: list[Tensor]) -> None:
        if not tensors:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors]).div_(self.size)
        dist.all_reduce(flat)
        for tensor, part in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that torchrun started; alone where it did not start this one."""
    if "LOCAL_RANK" not in os.environ:
        yield Ranks()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
