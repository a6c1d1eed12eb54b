"""The deadline predicts a step and the closing evaluation."""

from trainer import Budget
from trainer.loop.deadline import Deadline


def test_no_limit_is_never_near() -> None:
    deadline = Deadline(Budget(), 1.0)
    deadline.step_took(1e9)
    assert not deadline.is_near(1e9)


def test_before_the_first_step_only_the_limit_counts() -> None:
    deadline = Deadline(Budget(per_trial=10), 3.0)
    assert not deadline.is_near(9.9) and deadline.is_near(10.0)


def test_a_step_and_a_guessed_evaluation_must_fit() -> None:
    deadline = Deadline(Budget(per_trial=10), valid_batches=6.0)
    deadline.step_took(1.0)  # so the deadline expects 6 * 1/3 = 2 s for the evaluation
    assert not deadline.is_near(6.9) and deadline.is_near(7.0)


def test_a_timed_evaluation_replaces_the_guess() -> None:
    deadline = Deadline(Budget(per_trial=10), valid_batches=6.0)
    deadline.step_took(1.0)
    deadline.evaluation_took(0.5)
    assert not deadline.is_near(8.4) and deadline.is_near(8.5)


def test_a_slow_first_step_is_forgotten_and_one_hiccup_does_not_end_a_trial() -> None:
    deadline = Deadline(Budget(per_trial=10), valid_batches=0.0)
    deadline.step_took(5.0)
    for _ in range(20):
        deadline.step_took(0.1)
    assert not deadline.is_near(9.8)
    deadline.step_took(60.0)
    assert not deadline.is_near(9.5)
