"""The peak of the memory of a training and of an evaluation, by following every tensor of a plan; no tensors."""

from genome.memory.peak import Peak, peak
from genome.memory.weights import matrices, stored

__all__ = ["Peak", "matrices", "peak", "stored"]
