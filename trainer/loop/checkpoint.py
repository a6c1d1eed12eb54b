"""Checkpoint: the file from which a training resumes."""

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from trainer import files

FORMAT = 1
EVERY_SECONDS = 15.0  # most seconds of training that a kill loses
_MAGIC = b"genome checkpoint "


class CheckpointError(ValueError):
    """A checkpoint from which the training cannot resume; the message is one sentence."""


class Checkpoint:
    """A file that is replaced every few seconds of a training; the state is plain values and tensors."""

    def __init__(
        self, path: Path, every_seconds: float = EVERY_SECONDS, on_save: Callable[[float], None] | None = None
    ) -> None:
        """on_save(seconds): called when a state was written, with the seconds of the training so far."""
        self.path, self._every, self._last, self.on_save = path, every_seconds, time.monotonic(), on_save

    @property
    def is_due(self) -> bool:
        """Whether the last write is long enough ago."""
        return time.monotonic() - self._last >= self._every

    def save(self, state: dict[str, Any]) -> None:
        """Replace the stored state; a kill while writing leaves the earlier state."""
        self._last = time.monotonic()  # also if writing fails, so that it is not tried again at every step
        content = io.BytesIO()
        torch.save({**state, "format": FORMAT}, content)
        payload = content.getvalue()
        files.write(self.path, _MAGIC + files.sha256(payload).encode() + b"\n" + payload)
        if self.on_save is not None:
            self.on_save(float(state["seconds"]))
        self._last = time.monotonic()

    def load_of(
        self, identity: dict[str, Any], current: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> dict[str, Any] | None:
        """Return the stored state, or None. Raises CheckpointError also if its identity is another training's.

        current: brings a state that an earlier version stored into today's form.
        """
        state = self.load()
        state = None if state is None else current(state)
        for key, value in identity.items():
            if state is not None and state[key] != value:
                raise CheckpointError(f"{self.path} was made with another {key}; delete it to begin afresh")
        return state

    def load(self) -> dict[str, Any] | None:
        """Return the stored state, on the CPU; None if there is none. Runs no code from the file.

        Raises CheckpointError for a file that is damaged or of another kind.
        """
        try:
            head, _, payload = self.path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        if head != _MAGIC + files.sha256(payload).encode():
            raise CheckpointError(f"{self.path} is damaged, or no checkpoint; delete it to begin afresh")
        state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        if state.get("format") != FORMAT:
            raise CheckpointError(f"{self.path} is of another version; delete it to begin afresh")
        return state

    def remove(self) -> None:
        """Delete the file if it exists."""
        self.path.unlink(missing_ok=True)
