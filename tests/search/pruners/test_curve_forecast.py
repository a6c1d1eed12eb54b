"""Whether a curve may still beat the best: on curves of a known law, and on curves of real trainings."""

import math
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.pruners.curve_forecast import chance_to_beat, is_hopeless
from search.pruners.rules import Climb

EPOCHS = 20


def curve(level: float, epochs: int = EPOCHS) -> Climb:
    """Return an error that falls as a power of the epochs, times `level`."""
    return Climb({epoch: 1 - level * epoch**-0.5 for epoch in range(1, epochs + 1)})


def test_a_curve_beside_that_of_the_best_goes_on_and_a_far_one_ends() -> None:
    others = [curve(level) for level in (0.4, 0.45, 0.5, 0.55, 0.6)]
    assert not is_hopeless(4, EPOCHS, curve(0.41, 4), others, 1.0)
    assert is_hopeless(4, EPOCHS, curve(0.5, 4), others, 1.0)


def test_nothing_is_said_of_few_or_of_dearer_peers() -> None:
    others = [curve(level) for level in (0.1, 0.1, 0.1, 0.1)]
    assert not is_hopeless(4, EPOCHS, curve(0.9, 4), others, 1.0)
    assert not is_hopeless(4, EPOCHS, curve(0.9, 4), [*others, curve(0.1, 19)], 1.0), "one has not ended"
    dear = [Climb(other.scores, (100.0,)) for other in (*others, curve(0.1))]
    mine = curve(0.9, 4)
    assert not is_hopeless(4, EPOCHS, Climb(mine.scores, (10.0,)), dear, 1.0)
    assert is_hopeless(4, EPOCHS, Climb(mine.scores, (100.0,)), dear, 1.0)


def test_a_late_fall_of_the_learning_rate_is_foreseen() -> None:
    """All errors halve in the last quarter, so that twice the best error is no reason to stop before it."""

    def stepped(level: float, epochs: int) -> Climb:
        return Climb({e: -level * (1.0 if e < 15 else 0.5) for e in range(1, epochs + 1)})

    others = [stepped(level, EPOCHS) for level in (0.30, 0.32, 0.34, 0.36, 0.38)]
    assert not is_hopeless(10, EPOCHS, stepped(0.31, 10), others, 0.0)
    assert is_hopeless(10, EPOCHS, stepped(0.40, 10), others, 0.0)


def test_a_perfect_score_is_no_error_in_the_sums() -> None:
    perfect = [Climb({4: 1.0, EPOCHS: 1.0})] * 5
    assert is_hopeless(4, EPOCHS, Climb({4: 0.5}), perfect, 1.0)
    assert not is_hopeless(4, EPOCHS, Climb({4: 1.0}), perfect, 1.0)


@given(
    st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)), min_size=5, max_size=20), st.floats(0.01, 1)
)
def test_the_chance_falls_with_what_is_lacking(pairs: list[tuple[float, float]], mine: float) -> None:
    now, end = zip(*pairs, strict=True)
    less, more = (chance_to_beat(min(end), lack, now, end) for lack in (mine, 2 * mine))
    assert 0 <= more <= less <= 1


def test_the_chance_is_right_for_log_normal_gains() -> None:
    chance = random.Random(0)
    met, said = 0, 0.0
    for _ in range(2000):
        gains = [math.exp(chance.gauss(-1, 0.5)) for _ in range(20)]
        said += chance_to_beat(0.3, 1.0, [1.0] * 20, gains)
        met += math.exp(chance.gauss(-1, 0.5)) < 0.3
    assert said / 2000 == pytest.approx(met / 2000, abs=0.03)


def test_on_real_curves_the_best_is_kept_and_half_of_the_epochs_are_saved() -> None:
    trained = [Climb(dict(zip(range(2, 20, 2), scores, strict=True))) for scores in real_curves()]
    top = max(climb.scores[18] for climb in trained)
    spared = []
    for seed in range(20):
        ended: list[Climb] = []
        for me in random.Random(seed).sample(trained, len(trained)):
            stop = next((e for e in me.scores if e < 18 and is_hopeless(e, 18, me, ended, 1.0)), None)
            spared.append(1 - stop / 18 if stop else 0.0)
            ended += [] if stop else [me]
        assert max(climb.scores[18] for climb in ended) == top
    assert 0.4 < sum(spared) / len(spared) < 0.7


def real_curves() -> list[list[float]]:
    """Return the validation accuracy after 2, 4, ... 18 epochs of random networks of studies/digits.yaml."""
    lines = Path(__file__).with_name("digits-curves.csv").read_text().splitlines()
    return [[float(value) for value in line.split(",")] for line in lines]
