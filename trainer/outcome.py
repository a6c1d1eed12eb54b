"""Outcome: how a trial ended. An error inside a trial is an outcome, never an exception."""

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
    "invalid buffer size",  # the number of bytes exceeds an integer
    "storage size calculation overflowed",
    "bad_alloc",
)
# The whole messages of oneDNN without memory; longer messages with these words have other causes.
_MEMORY_SENTENCES = (
    "could not create a primitive",
    "could not execute a primitive",
    "could not create a memory object",
)


class Outcome(NamedTuple):
    """How a trial ended."""

    outcome: Word
    kind: Kind | None  # of cut and failed trials
    reason: str  # one sentence


class NotFinite(Exception):
    """A loss that is not a finite number; the message names the step."""


class TooMuchMemory(Exception):
    """More bytes on the device than the budget allows; the message gives both numbers."""


def of_error(error: Exception) -> Outcome:
    """Return the outcome of an exception raised by training or evaluation."""
    message = " ".join(str(error).split())
    if isinstance(error, NotFinite):
        return Outcome("failed", "not-finite", message)
    if isinstance(error, TooMuchMemory):
        return Outcome("failed", "out-of-memory", message)
    if is_memory(error):
        return Outcome("failed", "out-of-memory", f"the device ran out of memory: {_short(message)}")
    if isinstance(error, ValueError) and "more than 1 value per channel" in message:
        return Outcome(
            "failed", "batch-too-small", f"the batch is too small for batch norm: {_short(message)}"
        )
    if isinstance(error, torch.AcceleratorError):
        # A CUDA error persists in the process: the caller must start a new one.
        return Outcome("failed", "device", f"the device failed: {_short(message)}")
    if isinstance(error, ModuleError):
        return Outcome("failed", "error", message)
    return Outcome("failed", "error", f"the network raised {type(error).__name__}: {_short(message)}")


def is_memory(error: Exception) -> bool:
    """Whether the exception means that the device ran out of memory, or exceeded the budget of memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError | TooMuchMemory):
        return True
    message = str(error).lower()
    has_words = message in _MEMORY_SENTENCES or any(words in message for words in _MEMORY_WORDS)
    return isinstance(error, RuntimeError) and has_words


def with_memory(reason: str, peak_bytes: int | None, predicted_bytes: int | None) -> str:
    """Return the sentence of a trial that ran out of memory, with the bytes that were seen and predicted."""
    known = [(peak_bytes, "seen at most"), (predicted_bytes, "predicted")]
    counts = ", ".join(f"{count:,} bytes {word}" for count, word in known if count is not None)
    return f"{reason} ({counts})" if counts else reason


def _short(message: str) -> str:
    text = message or "no message"
    return text if len(text) <= 200 else text[:197] + "..."
