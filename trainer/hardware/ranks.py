"""Ranks: several processes that train one network, each on its share of every batch."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Ranks(NamedTuple):
    """The rank of this process and the number of processes; a single process does not communicate."""

    rank: int = 0
    size: int = 1  # number of processes

    @property
    def is_first(self) -> bool:
        """Whether this process writes the checkpoint and reports."""
        return self.rank == 0

    def average_gradients(self, weights: Iterable[Tensor]) -> None:
        """Replace each gradient by its mean over the ranks, all in one message.

        Every rank draws the same drop-path, so that all ranks lack the same gradients.
        """
        if self.size > 1:
            self._average([weight.grad for weight in weights if weight.grad is not None])

    def average_buffers(self, module: nn.Module) -> None:
        """Replace the running statistics of norms by their means over the ranks."""
        if self.size > 1:
            self._average([buffer for buffer in module.buffers() if buffer.is_floating_point()])

    def mean(self, number: Tensor) -> Tensor:
        """Return the mean of a number over the ranks."""
        if self.size > 1:
            self._average([number])
        return number

    def agree(self, stop: bool) -> bool:
        """Whether `stop` is true on any rank, so that all ranks stop at the same step. Waits for all ranks."""
        if self.size == 1:
            return stop
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        votes = torch.tensor(float(stop), device=device)
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
    """Join the process group if torchrun started this process; otherwise yield a single rank."""
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
