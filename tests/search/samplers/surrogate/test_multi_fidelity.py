"""Brief trainings in the model of whole trainings."""

import numpy as np
import pytest

from search.samplers.surrogate import gp, multi_fidelity
from search.samplers.surrogate.multi_fidelity import Observations

BRIEFLY = 40  # points that are trained only briefly; every fourth point is also trained to the end


def part(a: np.ndarray, b: np.ndarray, scale: float) -> np.ndarray:
    return np.exp(-(((a[:, None] - b) / scale) ** 2))[None]


def parts(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.concatenate([part(a, b, 0.5), part(a, b, 3.0)])


def final(x: np.ndarray) -> np.ndarray:
    return np.sin(3.0 * x)


def test_who_learns_fast_at_first_is_not_taken_for_who_learns_most() -> None:
    """The true values are a wave; brief trainings show the wave on a steep slope."""
    rng = np.random.default_rng(0)
    known, new = np.sort(rng.uniform(0, 4, BRIEFLY)), np.linspace(0.2, 3.8, 60)
    whole = np.arange(0, BRIEFLY, 4)
    points = np.concatenate([np.arange(BRIEFLY), whole])
    scores = np.concatenate([final(known) + 1.5 * (known - 2), final(known[whole])])
    are_brief = np.arange(len(points)) < BRIEFLY

    def error(told: np.ndarray) -> float:
        seen = Observations(points, told, np.full(len(points), 0.1), scores)
        among = multi_fidelity.among(parts(known, known), seen)
        posterior = gp.condition(gp.weigh(among, scores, seen.noise), among, scores, seen.noise)
        mean, deviation = posterior.predict(
            multi_fidelity.between(parts(new, known), seen), multi_fidelity.at(np.ones((2, len(new))), seen)
        )
        assert np.isfinite(deviation).all() and (deviation > 0).all()
        return float(np.abs(mean - final(new)).mean())

    assert error(are_brief) < 0.5 * error(np.zeros(len(points), dtype=bool))


def test_without_brief_trainings_nothing_is_added() -> None:
    known = np.linspace(0, 1, 5)
    seen = Observations(np.arange(5), np.zeros(5, dtype=bool), np.ones(5), known)
    assert multi_fidelity.among(parts(known, known), seen) == pytest.approx(parts(known, known))
    assert (
        len(multi_fidelity.between(parts(known, known), seen))
        == len(multi_fidelity.at(np.ones((2, 5)), seen))
        == 2
    )


def test_what_is_added_is_a_kernel() -> None:
    known = np.linspace(0, 1, 6)
    points, are_brief = np.array([0, 1, 2, 3, 4, 5, 0, 2]), np.array([1, 1, 0, 1, 0, 0, 0, 1], dtype=bool)
    seen = Observations(points, are_brief, np.ones(8), points * 1.0)
    added = multi_fidelity.among(parts(known, known), seen)[-1]
    assert np.linalg.eigvalsh(added).min() > -1e-9
    assert (added[~are_brief] == 0).all() and (np.diag(added)[are_brief] > 0).all()


def test_what_runs_is_believed_to_be_trained_to_the_end() -> None:
    seen = Observations(np.array([0, 1, 1]), np.array([True, True, False]), np.ones(3), np.zeros(3))
    more = seen.believing(np.array([0.5, -0.5]))
    assert more.points.tolist() == [0, 1, 1, 2, 3]
    assert more.are_brief.tolist() == [True, True, False, False, False]
    assert more.scores.tolist() == [0, 0, 0, 0.5, -0.5]
