"""A step as one CUDA graph: the host launches a small network more slowly than the device runs it."""

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.hardware.time_by_part import TimeByPart
from trainer.loop.step import Step


class CapturedStep:
    """A step captured once and replayed for every batch of the same shape; other batches run uncaptured.

    Must be made and called on the stream of the earlier steps, which must not be the default stream.
    """

    def __init__(self, step: Step, batch: Batch, parts: TimeByPart) -> None:
        self._step, self._parts = step, parts
        x, y, other, share = (None if tensor is None else tensor.clone() for tensor in batch)
        assert x is not None and y is not None
        self._batch = Batch(x, y, other, share)
        self._graph = torch.cuda.CUDAGraph()
        step.set_rate()
        with parts.paused(), torch.cuda.graph(self._graph, stream=torch.cuda.current_stream()):
            self._loss = step.update(self._batch)

    def __call__(self, batch: Batch) -> Tensor:
        """Do the step and return the loss, which the next step overwrites."""
        if batch.x.shape != self._batch.x.shape:
            return self._step(batch)
        for own, given in zip(self._batch, batch, strict=True):
            if own is not None and given is not None:
                own.copy_(given)
        self._step.set_rate()
        self._graph.replay()
        self._parts.mark("step")  # includes forward and backward
        self._step.taken += 1
        return self._loss


def can_be_captured(module: nn.Module, step: Step, device: torch.device) -> bool:
    """Whether every step is the same: no drop-path drawn on the host, no average, no parts, one process."""
    redraws = bool(getattr(module, "joins", None))
    return device.type == "cuda" and not redraws and step.is_uniform
