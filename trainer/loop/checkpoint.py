"""Checkpoint: a training as a file, from which it goes on."""

import io
import time
from pathlib import Path
from typing import Any

import torch

from trainer import files

FORMAT = 1
EVERY_SECONDS = 15.0  # what a kill costs at most
_MAGIC = b"genome checkpoint "


class CheckpointError(ValueError):
    """A checkpoint that cannot be gone on from; the message is one sentence."""


class Checkpoint:
    """A file that is written whole every few seconds of a training; `state` is plain values and tensors."""

    def __init__(self, path: Path, every_seconds: float = EVERY_SECONDS) -> None:
        self.path, self._every, self._last = path, every_seconds, time.monotonic()

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._last >= self._every

    def save(self, state: dict[str, Any]) -> None:
        """Write the state in place of an earlier one; whoever is killed in between leaves the earlier one."""
        self._last = time.monotonic()  # also where it fails, which is not to be tried at every step
        content = io.BytesIO()
        torch.save({**state, "format": FORMAT}, content)
        payload = content.getvalue()
        files.write(self.path, _MAGIC + files.sha256(payload).encode() + b"\n" + payload)
        self._last = time.monotonic()

    def load_of(self, origin: dict[str, Any]) -> dict[str, Any] | None:
        """The state of the training that began with `origin`. Raises CheckpointError also where it is another's."""
        state = self.load()
        for key, value in origin.items():
            if state is not None and state[key] != value:
                raise CheckpointError(f"{self.path} was made with another {key}; delete it to begin afresh")
        return state

    def load(self) -> dict[str, Any] | None:
        """The state, on the CPU; None where nothing was saved. Runs no code of the file.

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
        self.path.unlink(missing_ok=True)
