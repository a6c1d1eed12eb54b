"""Deadline: when a trial must stop training so that its last evaluation still fits into the budget."""

from trainer.budget import Budget

# Cost of a forward pass in training steps; used until the first evaluation is timed.
FORWARD_SHARE = 1 / 3


class Deadline:
    """Predicts the seconds of the next step and the last evaluation from earlier ones."""

    def __init__(self, budget: Budget, valid_batches: float) -> None:
        self._limit = budget.limit()
        self._valid_batches = valid_batches  # valid images in units of a training batch
        self._step_seconds = 0.0
        self._evaluation_seconds: float | None = None

    def step_took(self, seconds: float) -> None:
        """Record the seconds of a training step; later steps weigh more, because the first is slow."""
        known = self._step_seconds
        self._step_seconds = seconds if known == 0.0 else 0.7 * known + 0.3 * min(seconds, 4 * known)

    def evaluation_took(self, seconds: float) -> None:
        """Record the seconds of an evaluation."""
        self._evaluation_seconds = seconds

    def is_near(self, spent: float) -> bool:
        """Whether another step and an evaluation would exceed the limit, given the seconds spent."""
        if self._limit is None:
            return False
        closing = self._evaluation_seconds
        if closing is None:
            closing = self._valid_batches * self._step_seconds * FORWARD_SHARE
        return spent + self._step_seconds + closing >= self._limit[0]

    def sentence(self, epochs: int, of: int) -> str:
        """Return why the trial was cut."""
        if self._limit is None:
            raise RuntimeError("a trial without a limit cannot be cut")
        seconds, name = self._limit
        return f"{name} of {seconds:.3g} s was used up after {epochs} of {of} epochs"
