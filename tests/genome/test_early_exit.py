"""genome.EarlyExit: costs, refusals, modes and types; the laws are in tests/laws/test_exits.py."""

from __future__ import annotations

import copy
from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genome
from genome.exits.rules import Patience, Threshold, chosen, rule_of
from genome.exits.scores import SCORES, score_of_one, scores
from genome.exits.segments import costs, segments
from tests.exits import drawn_network, drawn_rule, noise, outputs
from tests.genome.plain.test_plain import stirred

TWO = """\
genome: g
input: [3, 8, 8]
classes: 4
nodes:
  a: {op: conv, in: [image], width: 4}
  first: {op: exit, in: [a]}
  again: {op: exit, in: [a], pool: flatten}
  b: {op: conv, in: [a, c], width: 4}
  c: {op: conv, in: [a, b], width: 4}
  d: {op: conv, in: [b, c], width: 4}
  inside: {op: exit, in: [c]}
  last: {op: exit, in: [d]}
loops:
  l: {order: [b, c, d], passes: 1}
"""


def network(text: str = TWO) -> Any:
    return stirred(genome.resolve(genome.loads(text)), 1)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("branchy-lenet", (220_150, 1_247_720)),
        ("branchy-alexnet", (17_339_392, 21_321_984, 30_465_536)),
        ("branchy-resnet-110", (48_600_000, 127_540_800, 284_914_368)),
    ],
)
def test_the_costs_of_the_published_networks_count_their_branches(name: str, wanted: tuple[int, ...]) -> None:
    """Counted by hand from the authors' code: 0.220 and 1.248 M; 17.34, 21.32, 30.47 M; 48.6, 127.5, 284.9 M."""
    plan = genome.resolve(genome.zoo.get(name))
    assert costs(segments(plan.steps, plan.exits)) == wanted and wanted[-1] == plan.macs


def test_segments_of_exits_on_one_node_and_inside_a_loop() -> None:
    plan = genome.resolve(genome.loads(TWO))
    parts = segments(plan.steps, plan.exits)
    names = [[(plan.steps[i].node.name, plan.steps[i].turn) for i in part.steps] for part in parts]
    assert names == [
        [("a", 0), ("first", 0)],
        [("again", 0)],
        [("b", 0), ("c", 0), ("b", 1), ("c", 1), ("inside", 0)],
        [("d", 1), ("last", 0)],
    ]
    # the first pass of d is read by nothing; the whole network computes it
    assert costs(parts)[-1] == plan.macs - next(s.info.cost.macs for s in plan.steps if s.node.name == "d")


def test_values_that_nothing_reads_again_are_dropped() -> None:
    """Peak memory matters where batches are large: the value of a node goes with its last reader."""
    plan = genome.resolve(genome.loads(TWO))
    parts = segments(plan.steps, plan.exits)
    dropped = [source for part in parts for drops in part.drops for source in drops]
    read = {s for part in parts for i in part.steps for s in plan.steps[i].sources if s is not None}
    assert Counter(dropped) == Counter(read)


def test_a_batch_splits_over_all_exits() -> None:
    """The drawn rules of the laws do split batches: over 30 networks at least half of the batches use two exits."""
    split = 0
    for seed in range(30):
        net, plan = drawn_network(seed)
        whole = outputs(net, noise(plan, 9))
        split += len(set(chosen(drawn_rule(whole, Random(seed)), whole).tolist())) > 1
    assert split >= 15


def test_float32_batches_agree_to_rounding() -> None:
    net = stirred(genome.resolve(genome.zoo.get("branchy-alexnet")), 1)
    x = torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    whole = outputs(net, x)
    cuts = [np.sort(scores("entropy", one))[[20, 21]].mean() for one in whole[:-1]]
    rule = Threshold("entropy", tuple(map(float, cuts)))
    with torch.inference_mode():
        found = genome.EarlyExit(net, rule)(x)
    taken = chosen(rule, whole)
    assert found.exits.tolist() == taken.tolist() and len(set(taken)) == 3
    wanted = np.stack([whole[exit][i] for i, exit in enumerate(taken)])
    assert np.abs(found.logits.numpy() - wanted).max() <= 1e-6 * np.abs(wanted).max()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_number_formats(dtype: torch.dtype) -> None:
    net = network().to(dtype)
    with torch.inference_mode():
        found = genome.EarlyExit(net, Threshold("confidence", (0.3, 0.3, 0.3)))(
            torch.randn(5, 3, 8, 8, dtype=dtype)
        )
    assert found.logits.dtype == dtype and len(found.macs) == 5


@pytest.mark.parametrize("word", SCORES)
def test_scores_of_one_image_are_those_of_a_batch(word: str) -> None:
    logits = np.random.default_rng(0).normal(scale=20, size=(200, 7)).astype(np.float32)
    logits[:2] = [[0.0], [1e30]]
    logits[2:5, 3] = np.nan, np.inf, -np.inf
    for temperature in (1.0, 0.3):
        alone = [score_of_one(word, one.tolist(), temperature) for one in logits]
        np.testing.assert_allclose(alone, scores(word, logits, temperature), rtol=1e-12, atol=1e-15)


def test_scores_by_their_definitions() -> None:
    p = np.array([[0.7, 0.2, 0.1], [1.0, 1e-300, 1e-300]])
    z = np.log(p)
    np.testing.assert_allclose(scores("entropy", z)[0], -(p[0] * z[0]).sum())
    np.testing.assert_allclose(scores("confidence", z)[0], 0.7)
    np.testing.assert_allclose(scores("margin", z)[0], 0.5)
    assert scores("entropy", z)[1] >= 0.0 and scores("margin", z)[1] == 1.0
    for word, score in SCORES.items():
        rule = Threshold(word, (score.nobody,)), Threshold(word, (score.everybody,))
        assert [chosen(one, [z, z]).tolist() for one in rule] == [[1, 1], [0, 0]], word


def test_the_entropy_is_strictly_below_the_threshold() -> None:
    z = np.zeros((1, 2))
    limit = float(scores("entropy", z)[0])
    assert chosen(Threshold("entropy", (limit,)), [z, z]).tolist() == [1]
    assert chosen(Threshold("entropy", (np.nextafter(limit, 1.0).item(),)), [z, z]).tolist() == [0]


def test_patience_counts_exits_in_a_row() -> None:
    logits = [np.eye(3)[list(row)] for row in ((0, 0, 1, 0), (1, 0, 1, 0), (1, 1, 1, 2), (2, 1, 0, 0))]
    assert chosen(Patience(2), logits).tolist() == [2, 1, 1, 1]
    assert chosen(Patience(3), logits).tolist() == [3, 3, 2, 3]
    assert chosen(Patience(1), logits).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Threshold("entropy", (0.1,)), "the rule has 1 thresholds; a network of 4 exits needs 3"),
        (
            Threshold("entropy", (0.1,) * 3, (1.0,)),
            "the rule has 1 temperatures; a network of 4 exits needs 4",
        ),
    ],
)
def test_a_rule_for_other_exits_is_refused(rule: Threshold, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        genome.EarlyExit(network(), rule)


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        {},
        {"rule": "entropy"},
        {"rule": ["entropy"]},
        {"rule": "luck", "thresholds": [0.1], "temperatures": []},
        {"rule": "entropy", "thresholds": 0.1, "temperatures": []},
        {"rule": "entropy", "thresholds": ["0.1"], "temperatures": []},
        {"rule": "entropy", "thresholds": [True], "temperatures": []},
        {"rule": "entropy", "thresholds": [float("nan")], "temperatures": []},
        {"rule": "entropy", "thresholds": [0.1], "temperatures": [0.0]},
        {"rule": "patience"},
        {"rule": "patience", "agree": 0},
        {"rule": "patience", "agree": 1.5},
    ],
)
def test_what_is_no_rule_is_refused(plain: Any) -> None:
    with pytest.raises(ValueError) as found:
        rule_of(plain)
    assert "\n" not in str(found.value)


def test_refusals() -> None:
    early = genome.EarlyExit(network(), Patience(2))
    with pytest.raises(
        ValueError, match=r"the images are \(1, 3, 9, 9\); the network takes \(batch, 3, 8, 8\)"
    ):
        early(torch.zeros(1, 3, 9, 9))
    with pytest.raises(ValueError, match="the images are"):
        early(torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match=r"for inference; call eval\(\) first"):
        early.train()(torch.zeros(1, 3, 8, 8))
    early.eval()(torch.zeros(1, 3, 8, 8))
    with pytest.raises(TypeError, match=r"genome\.build gives, not Linear"):
        genome.EarlyExit(nn.Linear(2, 2), Patience(2))  # type: ignore[arg-type]
    one = genome.build(genome.zoo.get("resnet-20"))
    with pytest.raises(ValueError, match="has one exit; stopping early needs two or more"):
        genome.EarlyExit(one, Patience(2))


def test_paths_chosen_by_keeping_are_refused() -> None:
    net = network()
    early = genome.EarlyExit(net, Patience(2))
    with net.keeping({}), pytest.raises(ValueError, match=r"leave Network\.keeping first"):
        early(torch.zeros(1, 3, 8, 8))


def test_an_empty_batch_and_a_copy() -> None:
    early = genome.EarlyExit(network(), Threshold("entropy", (0.5, 0.5, 0.5)))
    found = early(torch.zeros(0, 3, 8, 8))
    assert found.logits.shape == (0, 4) and len(found.exits) == len(found.macs) == 0
    x = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    other = copy.deepcopy(early)
    assert (
        torch.equal(other(x).logits, early(x).logits)
        and other.state_dict().keys() == early.state_dict().keys()
    )
    with torch.no_grad():
        [one.zero_() for one in early.parameters()]
    assert not torch.equal(other(x).logits, early(x).logits), "the copy has weights of its own"


def test_an_image_that_a_group_norm_would_refuse_alone() -> None:
    """torch refuses one image where a group is a single number; a batch may shrink to one image all the same."""
    text = TWO.replace(
        "d: {op: conv, in: [b, c], width: 4}", "d: {op: conv, in: [b, c], width: 4, norm: group}"
    )
    net = network(text.replace("[3, 8, 8]", "[3, 1, 1]"))
    x = torch.randn(3, 3, 1, 1, generator=torch.Generator().manual_seed(0))
    whole = outputs(net, x)
    first = np.sort(scores("confidence", whole[0]))
    rule = Threshold("confidence", (float(first[:2].mean()), 1.0, 1.0))
    with torch.inference_mode():
        found = genome.EarlyExit(net, rule)(x)
    assert sorted(found.exits.tolist()) == [0, 0, 3] == sorted(chosen(rule, whole).tolist())
    wanted = [whole[exit][i] for i, exit in enumerate(chosen(rule, whole))]
    np.testing.assert_allclose(found.logits.numpy(), wanted, rtol=1e-5, atol=1e-6)
