"""The progress of `genome train`: one line for each epoch, or live learning curves."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TextIO

from search import formatting

if TYPE_CHECKING:
    from rich.live import Live

    from trainer import Row

BARS = "▁▂▃▄▅▆▇█"
COLUMNS = 60  # most bars of a curve


class TrainProgress(Protocol):
    """Receives the events of one training after another."""

    def __enter__(self) -> TrainProgress: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def said(self, line: str) -> None:
        """Print a line that stays."""

    def began(self, seed: int, epochs: int) -> None:
        """Note that the training of a seed starts."""

    def epoch(self, row: Row) -> None:
        """Show the end of an epoch."""


class PlainEpochs:
    """Prints a line for each epoch, for logs and pipes."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._epochs = 0

    def __enter__(self) -> PlainEpochs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def said(self, line: str) -> None:
        print(line, file=self._out, flush=True)

    def began(self, seed: int, epochs: int) -> None:
        self._epochs = epochs

    def epoch(self, row: Row) -> None:
        self.said(f"  {epoch_text(row, self._epochs)}")


class LiveCurves:
    """Draws the curves of validation loss and accuracy while they grow, and the last epoch in numbers."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._rows: list[Row] = []
        self._epochs, self._since = 0, 0.0

    def __enter__(self) -> LiveCurves:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def said(self, line: str) -> None:
        self._end()
        print(line, flush=True)

    def began(self, seed: int, epochs: int) -> None:
        from rich.live import Live

        self._end()
        self._rows, self._epochs, self._since = [], epochs, time.monotonic()
        self._live = Live(refresh_per_second=4)
        self._live.__enter__()

    def epoch(self, row: Row) -> None:
        from rich.text import Text

        self._rows.append(row)
        if self._live is not None:
            self._live.update(Text(curves_text(self._rows, self._epochs, self._left())))

    def _left(self) -> float:
        """Seconds until the last epoch, at the pace of this run."""
        return (time.monotonic() - self._since) / len(self._rows) * (self._epochs - self._rows[-1].epoch)

    def _end(self) -> None:
        if self._live is not None:
            self._live.__exit__(None, None, None)
            self._live = None


def curves_text(rows: Sequence[Row], epochs: int, left_seconds: float) -> str:
    """Return the curves of the epochs so far as text, with the time left."""
    accuracy = bars([row.valid_accuracy for row in rows])
    loss = bars([row.valid_loss for row in rows])
    left = f"  about {formatting.seconds(left_seconds)} left" if rows[-1].epoch < epochs else ""
    return f"  accuracy {accuracy}\n  loss     {loss}\n  {epoch_text(rows[-1], epochs)}{left}"


def epoch_text(row: Row, epochs: int) -> str:
    """Return an epoch as one line."""
    loss = "-" if row.valid_loss is None else f"{row.valid_loss:.4f}"
    train = "-" if row.train_loss is None else f"{row.train_loss:.4f}"
    return (
        f"epoch {row.epoch}/{epochs}  train loss {train}  valid loss {loss}  acc {row.valid_accuracy:.4f}  "
        f"{row.images_per_second:,.0f} images/s  {formatting.seconds(row.seconds)}"
    )


def bars(values: Sequence[float | None]) -> str:
    """Return values as a row of at most sixty bars; of more values, each bar shows the last of its stretch."""
    shown = (
        [values[-1 - i * len(values) // COLUMNS] for i in range(COLUMNS)][::-1]
        if len(values) > COLUMNS
        else values
    )
    known = [value for value in shown if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if value is None else BARS[round((value - low) * scale)] for value in shown)
