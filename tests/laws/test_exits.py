"""Laws of networks that stop early, over drawn genomes of 2 to 4 exits and drawn rules."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from random import Random

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import genome
import search
from genome.exits.curve import Seen, outcome, outcomes
from genome.exits.module import _refuses_one
from genome.exits.rules import Patience, Threshold, chosen, rule_of
from genome.exits.scores import SCORES
from genome.exits.segments import costs, segments
from search.results.exits.write import write_exits
from search.results.packing import Trained, packed
from tests.exits import drawn_network, drawn_plan, drawn_rule, noise, outputs
from tests.search.test_format_files import facts
from trainer.files import sha256

SEEDS = st.integers(0, 2**32 - 1)
DRAWS = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@DRAWS
@given(SEEDS)
def test_one_image_gets_bit_for_bit_what_choosing_afterwards_gives(seed: int) -> None:
    network, plan = drawn_network(seed)
    assume(not any(map(_refuses_one, network.modules())))
    x = noise(plan, 5)
    alone = [outputs(network, one[None]) for one in x]
    rule = drawn_rule([np.concatenate(of_all) for of_all in zip(*alone, strict=True)], Random(seed))
    early = genome.EarlyExit(network, rule)
    for one, whole in zip(x, alone, strict=True):
        with torch.inference_mode():
            found = early(one[None])
        (taken,) = chosen(rule, whole)
        assert found.exits.tolist() == [taken]
        assert np.array_equal(found.logits.numpy(), whole[taken], equal_nan=True)
        assert found[-1] is found.logits


@DRAWS
@given(SEEDS)
def test_a_batch_gets_what_choosing_afterwards_gives(seed: int) -> None:
    """In float64, so that the rounding of another batch size decides nothing."""
    network, plan = drawn_network(seed)
    network, x = network.double(), noise(plan, 9).double()
    whole = outputs(network, x)
    rule = drawn_rule(whole, Random(seed))
    with torch.inference_mode():
        found = genome.EarlyExit(network, rule)(x)
    taken = chosen(rule, whole)
    assert found.exits.tolist() == taken.tolist()
    wanted = np.stack([whole[exit][i] for i, exit in enumerate(taken)])
    np.testing.assert_allclose(found.logits.numpy(), wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())
    by_hand = costs(segments(plan.steps, plan.exits))
    assert found.macs.tolist() == [by_hand[exit] for exit in taken]


@settings(DRAWS, max_examples=100)
@given(SEEDS)
def test_segments_compute_each_needed_step_once_and_never_more_than_the_whole(seed: int) -> None:
    plan = drawn_plan(seed)
    parts = segments(plan.steps, plan.exits)
    order = [i for part in parts for i in part.steps]
    assert len(order) == len(set(order))
    known = {-1, None}
    for i in order:
        assert known.issuperset(plan.steps[i].sources), "a step runs after all that it reads"
        known.add(i)
    assert [part.steps[-1] for part in parts] == [*plan.exits]
    prices = costs(parts)
    assert list(prices) == sorted(prices) and prices[-1] <= plan.macs
    assert prices[-1] == sum(plan.steps[i].info.cost.macs for i in order)


@DRAWS
@given(SEEDS)
def test_shares_sum_to_one_and_no_image_costs_more_than_the_whole(seed: int) -> None:
    network, plan = drawn_network(seed)
    network, x = network.double(), noise(plan, 11).double()
    logits = outputs(network, x)
    rule = drawn_rule(logits, Random(seed))
    labels = np.random.default_rng(seed).integers(plan.genome.classes, size=len(x))
    early = genome.EarlyExit(network, rule)
    told = outcome(rule, Seen(tuple(logits), labels), early.costs)
    with torch.inference_mode():
        found = early(x)
    assert math.fsum(told.shares) == pytest.approx(1.0, abs=1e-12)
    counts = found.exits.bincount(minlength=len(plan.exits))
    assert told.shares == tuple((counts.double() / len(x)).tolist())
    assert int(found.macs.max()) <= plan.macs and told.cost <= plan.macs
    assert told.cost == pytest.approx(found.macs.double().mean().item())
    hits = [a * n for a, n in zip(told.accuracies, counts.tolist(), strict=True) if a is not None]
    assert told.accuracy * len(x) == pytest.approx(sum(hits))


@DRAWS
@given(SEEDS)
def test_a_looser_threshold_makes_no_image_leave_later(seed: int) -> None:
    """At the exit of that threshold alone may more images leave, and the mean cost never rises."""
    rng, draw = np.random.default_rng(seed), Random(seed)
    network, plan = drawn_network(seed)
    logits = outputs(network, noise(plan, 12))
    rule = drawn_rule(logits, draw)
    while not isinstance(rule, Threshold):
        rule = drawn_rule(logits, draw)
    place, step = int(rng.integers(len(logits) - 1)), SCORES[rule.score].sign * rng.random()
    looser = tuple(t - step if i == place else t for i, t in enumerate(rule.thresholds))
    before, after = (chosen(one, logits) for one in (rule, Threshold(rule.score, looser, rule.temperatures)))
    assert (after <= before).all() and set(after[after != before]) <= {place}
    prices = np.array(costs(segments(plan.steps, plan.exits)))
    assert prices[after].mean() <= prices[before].mean()


@DRAWS
@given(SEEDS)
def test_more_patience_makes_no_image_leave_earlier(seed: int) -> None:
    network, plan = drawn_network(seed)
    logits = outputs(network, noise(plan, 12))
    taken = [chosen(Patience(agree), logits) for agree in range(1, len(logits) + 2)]
    assert all((one <= more).all() for one, more in pairwise(taken))


@DRAWS
@given(SEEDS)
def test_a_stored_rule_decides_as_it_did(seed: int) -> None:
    network, plan = drawn_network(seed)
    logits = outputs(network, noise(plan, 12))
    rule = drawn_rule(logits, Random(seed))
    again = rule_of(json.loads(json.dumps(rule.to_json())))
    assert again == rule and chosen(again, logits).tolist() == chosen(rule, logits).tolist()


@settings(DRAWS, max_examples=8)
@given(SEEDS)
def test_an_export_decides_as_its_network_did(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Bit for bit: weights, norms and thresholds go through the files of the export."""
    network, plan = drawn_network(seed)
    x = noise(plan, 9)
    rule = drawn_rule(outputs(network, x), Random(seed))
    folder = tmp_path_factory.mktemp("export")
    weights = safetensors.torch.save({name: t.clone() for name, t in network.state_dict().items()})
    made = Trained("drawn", genome.dump(plan.genome), weights, facts(plan), None, {}, None)
    for name, content in packed(made).items():
        (folder / name).write_bytes(content)
    (folder / "README.md").write_text("a card of one's own")
    write_exits(folder, {"rule": rule.to_json(), "weights": sha256(weights)}, {})
    early, _ = search.load_export(folder)
    assert isinstance(early, genome.EarlyExit) and early.rule == rule
    with torch.inference_mode():
        found, wanted = early(x), genome.EarlyExit(network, rule)(x)
    assert found.exits.tolist() == wanted.exits.tolist() and torch.equal(found.macs, wanted.macs)
    assert np.array_equal(found.logits.numpy(), wanted.logits.numpy(), equal_nan=True)


@DRAWS
@given(SEEDS)
def test_a_nan_never_leaves_early(seed: int) -> None:
    rng, draw = np.random.default_rng(seed), Random(seed)
    logits = [rng.normal(scale=3, size=(20, 5)) for _ in range(3)]
    rule = drawn_rule(logits, draw)
    for one in logits[:-1]:
        one[::2, int(rng.integers(5))] = draw.choice([np.nan, np.inf])
    taken = chosen(rule, logits)
    if isinstance(rule, Threshold):
        assert (taken[::2] == 2).all()
    for i in range(20):
        memory, at = None, 0
        for at in range(2):
            leaves, memory = rule.judged_one(at, logits[at][i].tolist(), memory)
            if leaves:
                break
        assert (at if leaves else 2) == taken[i], "one image is judged as a batch is"


@DRAWS
@given(SEEDS)
def test_several_rules_come_to_what_each_of_them_does(seed: int) -> None:
    rng, draw = np.random.default_rng(seed), Random(seed)
    logits = [rng.normal(scale=3, size=(40, 5)) for _ in range(int(rng.integers(2, 5)))]
    logits[0][::9, 0] = np.nan
    seen, prices = Seen(tuple(logits), rng.integers(5, size=40)), range(1, len(logits) + 1)
    rules = [drawn_rule([np.nan_to_num(one) for one in logits], draw) for _ in range(6)]
    assert outcomes(rules, seen, prices) == [outcome(rule, seen, prices) for rule in rules]
