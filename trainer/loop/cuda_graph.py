"""A step as one CUDA graph: for small networks the host needs longer to launch a step than the device to do it."""

import torch
from torch import Tensor, nn

from trainer.data.batches import Batch
from trainer.hardware.time_by_part import Parts
from trainer.loop.step import Step


class Graphed:
    """A step captured once and replayed for every batch of the same shape; other batches go the plain way.

    Must be made and called on the stream on which the steps before it ran, which is not the default one.
    """

    def __init__(self, step: Step, batch: Batch, parts: Parts) -> None:
        self._step, self._parts = step, parts
        x, y, other, share = (None if tensor is None else tensor.clone() for tensor in batch)
        assert x is not None and y is not None
        self._batch = Batch(x, y, other, share)
        self._graph = torch.cuda.CUDAGraph()
        step.set_rate()
        with parts.paused(), torch.cuda.graph(self._graph, stream=torch.cuda.current_stream()):
            self._loss = step.update(self._batch)

    def __call__(self, batch: Batch) -> Tensor:
        """Do the step; the loss is overwritten by the next one."""
        if batch.x.shape != self._batch.x.shape:
            return self._step(batch)
        for own, given in zip(self._batch, batch, strict=True):
            if own is not None and given is not None:
                own.copy_(given)
        self._step.set_rate()
        self._graph.replay()
        self._parts.mark("step")  # forward and backward with it
        self._step.taken += 1
        return self._loss


def can_be_graphed(module: nn.Module, step: Step, device: torch.device) -> bool:
    """Whether each step is the same operations: no paths drawn on the host, no average, no parts, one process."""
    redraws = bool(getattr(module, "joins", None))
    return device.type == "cuda" and not redraws and step.is_uniform
