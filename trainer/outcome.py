"""Outcome: how a trial ended, in words. What goes wrong inside one is an outcome, never an exception."""

from typing import Literal, NamedTuple

import torch

from trainer.errors import ModuleError

Word = Literal["done", "pruned", "cut", "interrupted", "failed"]
Kind = Literal["not-finite", "out-of-memory", "batch-too-small", "timeout", "device", "error"]

_MEMORY_WORDS = (
    "out of memory",
    "can't allocate memory",
    "defaultcpuallocator",
    "alloc_failed",  # cuDNN's and cuBLAS's status
    "invalid buffer size",  # more bytes than an integer holds
    "storage size calculation overflowed",
    "bad_alloc",
)
# All that oneDNN says where it gets no memory; longer sentences with these words are of other things.
_MEMORY_SENTENCES = (
    "could not create a primitive",
    "could not execute a primitive",
    "could not create a memory object",
)


class Outcome(NamedTuple):
    """outcome: done, pruned, cut, interrupted or failed.  kind: of cut and failed ones.  reason: one sentence."""

    outcome: Word
    kind: Kind | None
    reason: str


class NotFinite(Exception):
    """A loss that is not a finite number; the message says which and when."""


class TooMuchMemory(Exception):
    """More bytes on the device than the budget allows; the message says how many."""


def of_error(error: Exception) -> Outcome:
    """The outcome of an exception that came out of training or evaluation."""
    said = " ".join(str(error).split())
    if isinstance(error, NotFinite):
        return Outcome("failed", "not-finite", said)
    if isinstance(error, TooMuchMemory):
        return Outcome("failed", "out-of-memory", said)
    if is_memory(error):
        return Outcome("failed", "out-of-memory", f"the device ran out of memory: {_short(said)}")
    if isinstance(error, ValueError) and "more than 1 value per channel" in said:
        return Outcome("failed", "batch-too-small", f"the batch is too small for batch norm: {_short(said)}")
    if isinstance(error, torch.AcceleratorError):
        # A CUDA error stays with the process: whoever called must start a fresh one.
        return Outcome("failed", "device", f"the device failed: {_short(said)}")
    if isinstance(error, ModuleError):
        return Outcome("failed", "error", said)
    return Outcome("failed", "error", f"the network raised {type(error).__name__}: {_short(said)}")


def is_memory(error: Exception) -> bool:
    """Whether an exception says that memory was short, on the device or of the budget."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError | TooMuchMemory):
        return True
    said = str(error).lower()
    has_words = said in _MEMORY_SENTENCES or any(words in said for words in _MEMORY_WORDS)
    return isinstance(error, RuntimeError) and has_words


def with_memory(reason: str, peak_bytes: int | None, predicted_bytes: int | None) -> str:
    """Return the sentence of a trial that ran out of memory, with the bytes that were seen and predicted."""
    known = [(peak_bytes, "seen at most"), (predicted_bytes, "predicted")]
    counts = ", ".join(f"{count:,} bytes {word}" for count, word in known if count is not None)
    return f"{reason} ({counts})" if counts else reason


def _short(said: str) -> str:
    text = said or "no message"
    return text if len(text) <= 200 else text[:197] + "..."
