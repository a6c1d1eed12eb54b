"""Study files: defaults, every kind of mistake in one line, and what may change under a study."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from genome.yaml.source import SourceError, parse
from search import formatting
from search.config.changes import check_same, resumed
from search.config.finale import Finale
from search.config.latency import RUNTIMES
from search.config.read import check_study, load_space, parse_study, read_study
from search.config.study import StudyConfig
from search.errors import StudyError
from search.samplers.base import Origin
from search.samplers.proxy_vote import Screen
from search.samplers.registry import proposing
from search.space.parse import space_of
from tests.search.conftest import study_of
from trainer import Recipe
from trainer.recipe.recipe import EARLIER
from trainer.system.cpu import usable_cores

SPACE = """space:
  nodes:
    stem: {op: conv, in: [image], kernel: 3, width: {int: [4, 16]}}
    out: {op: exit, in: [stem]}
"""
HEAD = "study: tiny\ndata: digits\n"


def checked(text: str) -> StudyConfig:
    return check_study(parse(text, "s.yaml"))


def test_three_keys_make_a_study() -> None:
    study = checked(HEAD + SPACE)
    assert study.objectives == (("accuracy", "maximize"),)
    assert study.budget.device_time == 600
    assert (study.sampler, study.seed, study.pruner, study.workers) == ("auto", 0, "none", None)
    assert set(study.space.holes) == {"stem.width"}


def test_the_example_of_the_design_reads() -> None:
    study = checked(
        HEAD
        + "objectives: {accuracy: maximize, macs: minimize}\n"
        + "budget: {device_time: 3m, per_trial: 20s, memory: 2GiB, rungs: [1, 3, 9]}\n"
        + "limits: {params: 500_000, macs: 20_000_000}\n"
        + "train: {optimizer: sgd, lr: 1e-1, batch: 128, epochs: 9}\n"
        + SPACE
    )
    assert (study.budget.device_time, study.budget.per_trial, study.budget.memory) == (180, 20, 2 * 2**30)
    assert study.limits == {"params": 500_000, "macs": 20_000_000}
    assert study.pruner == "median"
    assert study.recipe.lr == 0.1


def test_canonical_text_reads_back_as_the_same_study() -> None:
    study = checked(HEAD + "budget: {per_trial: 5, rungs: [1]}\ntrials: 9\ntrain: {clip: null}\n" + SPACE)
    again = parse_study(study.text(), "stored")
    assert again.plain() == study.plain()
    assert again.text() == study.text()


def test_rules_that_let_trials_pause_have_rungs_of_their_own() -> None:
    assert checked(HEAD + "pruner: asha\n" + SPACE).rungs == (3, 7)
    assert checked(HEAD + "pruner: hyperband\nbudget: {rungs: [2, 20]}\n" + SPACE).rungs == (2,)
    assert checked(HEAD + "pruner: none\n" + SPACE).rungs == ()
    curves = checked(HEAD + "pruner: {name: asha, curve: true}\ntrain: {epochs: 12}\n" + SPACE)
    assert curves.curve_points == (2, 4, 6, 8, 10, 12)
    assert parse_study(curves.text(), "stored").curve


def test_a_screen_is_off_unless_it_is_asked_for() -> None:
    assert checked(HEAD + SPACE).screen is None
    study = checked(HEAD + "sampler: random\nscreen: {}\n" + SPACE)
    assert study.screen == Screen(("params", "synflow", "jacob_cov", "snip"), 0.25)
    assert parse_study(study.text(), "stored").plain() == study.plain()
    assert list(study.plain()["screen"]) == ["proxies", "keep"]


def test_a_sampler_is_read_by_the_name_it_had_in_an_earlier_version() -> None:
    before, now = (checked(HEAD + f"sampler: {name}\n" + SPACE) for name in ("kernel", "bayes"))
    assert before.sampler == "bayes" and before.plain() == now.plain()
    assert parse_study(before.text().replace("bayes", "kernel"), "stored").plain() == now.plain()
    assert Origin.of_json({"by": "kernel", "parents": [], "moves": []}) == Origin("bayes")


def test_keys_of_an_earlier_version_are_ignored_in_a_stored_study_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    head = HEAD.replace("tiny", "from-before")
    text = head + "sampler: evolve\nscreen: {keep: 0.5, start: 6, features: true}\n" + SPACE
    with pytest.raises(StudyError) as error:
        checked(text)
    assert str(error.value).splitlines() == [
        f"s.yaml:4  screen.{key} was removed: it brought no gain; take the key out"
        for key in ("start", "features")
    ]
    for read in (parse_study, parse_study, parse_study):
        assert (
            read(text, "stored").plain()
            == checked(head + "sampler: evolve\nscreen: {keep: 0.5}\n" + SPACE).plain()
        )
    assert caplog.messages == [
        "study from-before: ignoring keys of an earlier version (of screen.start, screen.features)"
    ]


@pytest.mark.parametrize(
    ("lines", "finale"),
    [
        ("", Finale(0.2, 3, 3)),
        ("budget: {device_time: 1m}\ntrials: 9\n", Finale()),
        ("trials: 9\n", None),
        ("trials: 9\nfinale: {seeds: 5}\n", Finale(seeds=5)),
        ("finale: {share: 0.3, top: 1}\n", Finale(0.3, 1, 3)),
        ("finale: none\n", None),
    ],
)
def test_a_finale_is_held_where_there_is_time_to_keep_for_it(lines: str, finale: Finale | None) -> None:
    study = checked(HEAD + lines + SPACE)
    assert study.finale == finale
    assert parse_study(study.text(), "stored").finale == finale


def test_a_study_that_says_nothing_of_latency_is_stored_as_before() -> None:
    study = checked(HEAD + "objectives: [accuracy, latency]\n" + SPACE)
    assert study.latency == ("torch", 1, 1) and study.latency_limit is None and study.measures_latency
    assert "latency" not in study.plain() and not study.plain()["limits"]
    assert not checked(HEAD + SPACE).measures_latency


@pytest.mark.parametrize(
    ("written", "seconds"), [("2ms", 0.002), ("0.25", 0.25), ("0.25s", 0.25), ("1s500ms", 1.5)]
)
def test_a_limit_on_latency_is_kept_apart_from_those_of_a_plan(written: str, seconds: float) -> None:
    lines = f"limits: {{latency: {written}, params: 9000}}\nlatency: {{batch: 8, runtime: folded}}\n"
    study = checked(HEAD + lines + SPACE)
    assert study.latency == ("folded", 8, 1) and study.latency_limit == pytest.approx(seconds)
    assert study.limits == study.space.limits == {"params": 9000} and study.measures_latency
    again = parse_study(study.text(), "stored")
    assert again.plain() == study.plain()
    assert (again.latency, again.latency_limit) == (study.latency, study.latency_limit)


BAD = [
    (
        HEAD + "objectives: [accuracy, latency]\nlatency: {batch: 2,\n threads: 256}\n" + SPACE,
        f"s.yaml:5  latency.threads is 256; this process may use {formatting.some(usable_cores(), 'core')}, "
        "give so many or fewer",
    ),
    ("data: digits\n" + SPACE, "s.yaml:1  study is missing; begin with `study: NAME`"),
    ("study: tiny\n" + SPACE, "s.yaml:1  data is missing; add `data:`"),
    (HEAD, "s.yaml:1  space is missing; add `space:`"),
    (HEAD + "space: 3\n", "s.yaml:3  space is 3; it must be a mapping"),
    ("study: 7\ndata: digits\n" + SPACE, "s.yaml:1  study is 7; it must be text; quote it"),
    (
        HEAD + "budgets: {}\n" + SPACE,
        "s.yaml:3  budgets is not a key of a study; did you mean budget?",
    ),
    (
        HEAD + "bu[dget: {}\n" + SPACE,
        "s.yaml:3  bu[dget is not a key of a study; did you mean budget?",
    ),
    (
        "study: tiny\ndata: digit\n" + SPACE,
        "s.yaml:2  data is 'digit'; it may be digits, fashion-mnist, mnist, cifar10, cifar100, svhn or a path that"
        " exists, such as ./images",
    ),
    (
        "study: tiny\ndata: {name: digits, path: x}\n" + SPACE,
        "s.yaml:2  data needs one of `name:` (a known data set) and `path:` (a file or folder of images of yours)",
    ),
    (
        HEAD + "objectives: {accuracy: minimize}\n" + SPACE,
        "s.yaml:3  objectives would minimize accuracy and so look for the worst; write accuracy: maximize",
    ),
    (
        HEAD + "objectives: [speed]\n" + SPACE,
        "s.yaml:3  objectives names 'speed'; an objective may be accuracy, balanced_accuracy, macro_f1, auc, loss, "
        "params, macs, latency, expected_macs, expected_latency, memory",
    ),
    (
        HEAD + "objectives: [accuracy, expected_macs]\nexits: {drop: 0.5}\n" + SPACE,
        "s.yaml:4  exits.drop is 0.5; write points of accuracy such as 0.5%, from 0% to below 100%",
    ),
    (
        HEAD + "exits: {drop: 100%}\n" + SPACE,
        "s.yaml:3  exits.drop is '100%'; write points of accuracy such as 0.5%, from 0% to below 100%",
    ),
    (
        HEAD + "exits: {drop: -1%}\n" + SPACE,
        "s.yaml:3  exits.drop is '-1%'; write points of accuracy such as 0.5%, from 0% to below 100%",
    ),
    (
        HEAD + "exits: {rule: margin}\n" + SPACE,
        "s.yaml:3  exits has no key rule; allowed: drop",
    ),
    (
        HEAD + "objectives: [expected_macs]\n" + SPACE,
        "s.yaml:3  objectives is expected_macs; one of accuracy, balanced_accuracy, macro_f1, auc, loss must be "
        "among them",
    ),
    (
        HEAD + "objectives: {accuracy: maximize, expected_macs: maximize}\n" + SPACE,
        "s.yaml:3  objectives would maximize expected_macs and so look for the worst; write expected_macs: minimize",
    ),
    (
        HEAD + "exits: {drop: 1%}\n" + SPACE,
        "s.yaml:3  exits has no effect without the objective expected_macs or expected_latency; add one, or remove it",
    ),
    (
        HEAD + "objectives: [params]\n" + SPACE,
        "s.yaml:3  objectives is params; one of accuracy, balanced_accuracy, macro_f1, auc, loss must be among them",
    ),
    (
        HEAD + "limits: {latency: fast}\n" + SPACE,
        "s.yaml:3  limits.latency is 'fast'; it must be a time such as 2ms or 0.5s, or seconds above 0",
    ),
    (
        HEAD + "limits: {latency: 0ms}\n" + SPACE,
        "s.yaml:3  limits.latency is '0ms'; it must be a time such as 2ms or 0.5s, or seconds above 0",
    ),
    (
        HEAD + "latency: {batch: 2}\n" + SPACE,
        "s.yaml:3  latency says how to measure a latency, and neither objectives nor limits name one; add "
        "`limits: {latency: 5ms}` or an objective, or remove it",
    ),
    (
        HEAD + "latency: {batch: 1}\n" + SPACE,
        "s.yaml:3  latency says how to measure a latency, and neither objectives nor limits name one; add "
        "`limits: {latency: 5ms}` or an objective, or remove it",
    ),
    (
        HEAD + "limits: {latency: true}\n" + SPACE,
        "s.yaml:3  limits.latency is True; it must be a time such as 2ms or 0.5s, or seconds above 0",
    ),
    (
        HEAD + "latency: {runtime: onnx}\n" + SPACE,
        f"s.yaml:3  latency.runtime is 'onnx'; it may be {', '.join(RUNTIMES)}",
    ),
    (
        HEAD + "latency: {batch: 0}\n" + SPACE,
        "s.yaml:3  latency.batch is 0; it must be greater than or equal to 1",
    ),
    (
        HEAD + "latency:\n  threads: two\n" + SPACE,
        "s.yaml:4  latency.threads is 'two'; it must be a whole number",
    ),
    (
        HEAD + "latency: {images: 1}\n" + SPACE,
        "s.yaml:3  latency has no key images; allowed: runtime, batch, threads",
    ),
    (HEAD + "latency: onnxruntime\n" + SPACE, "s.yaml:3  latency is 'onnxruntime'; it must be a mapping"),
    (HEAD + "budget: 3m\n" + SPACE, "s.yaml:3  budget is '3m'; it must be a mapping"),
    (
        HEAD + "budget:\n  rungs: [3, 1]\n" + SPACE,
        "s.yaml:4  budget.rungs is [3, 1]; it must be a list of epochs from 1, rising, such as [1, 3, 9]",
    ),
    (
        HEAD + "budget: {rungs: [1, 99]}\n" + SPACE,
        "s.yaml:3  budget.rungs has epoch 99 and training ends at 20; give rungs of 1..20",
    ),
    (HEAD + "limits: {params: '5k'}\n" + SPACE, "s.yaml:3  limits.params is '5k'; it must be a whole number"),
    (
        HEAD + "limits: {params: 0}\n" + SPACE,
        "s.yaml:3  limits.params is 0; it must be greater than or equal to 1",
    ),
    (
        HEAD + "sampler: annealing\n" + SPACE,
        "s.yaml:3  sampler.name is 'annealing'; it may be auto, bayes, evolve, random, tpe, nsga2, gp, cmaes, qmc",
    ),
    (
        HEAD + "sampler: cmaes\nobjectives: [accuracy, macs]\n" + SPACE,
        "s.yaml:3  sampler is cmaes, for one objective only, and the study has 2; use nsga2, tpe or gp",
    ),
    (
        HEAD + "sampler: cmaes\n" + SPACE,
        "s.yaml:3  sampler is cmaes, for two int or float holes and more, and the space has 1; use tpe",
    ),
    (
        HEAD + "pruner: successive\n" + SPACE,
        "s.yaml:3  pruner.name is 'successive'; it may be none, median, halving, asha, hyperband, forecast",
    ),
    (
        HEAD + "pruner: asha\nbudget: {rungs: [1, 9]}\n" + SPACE,
        "s.yaml:4  budget.rungs has epoch 1, under a tenth of 20, where ranks say little of the end; "
        "give asha later ones, such as [3, 7], or none",
    ),
    (
        HEAD + "sampler: random\nscreen: {proxies: [luck]}\n" + SPACE,
        "s.yaml:4  screen.proxies is 'luck'; it may be params, macs, l2_norm, synflow, snip, grad_norm, jacob_cov, "
        "naswot, zen",
    ),
    (
        HEAD + "sampler: random\nscreen: {proxies: [snip, snip]}\n" + SPACE,
        "s.yaml:4  screen.proxies is ['snip', 'snip']; give one or more, each once: params, macs, l2_norm, synflow, "
        "snip, grad_norm, jacob_cov, naswot, zen",
    ),
    (
        HEAD + "sampler: random\nscreen: {keep: 2}\n" + SPACE,
        "s.yaml:4  screen.keep is 2; it must be less than or equal to 0.9",
    ),
    (
        HEAD + "sampler: random\nscreen: {keeps: 0.5}\n" + SPACE,
        "s.yaml:4  screen has no key keeps; did you mean keep?",
    ),
    (
        HEAD + "screen: {keep: 0.5}\nsampler: tpe\n" + SPACE,
        f"s.yaml:3  screen is for samplers that propose genomes: {', '.join(proposing())}; sampler is tpe",
    ),
    (HEAD + "train: {lr: fast}\n" + SPACE, "s.yaml:3  train.lr is 'fast'; it must be a number above 0"),
    (HEAD + "ask: some\n" + SPACE, "s.yaml:3  ask is some; it may be active or all"),
    (
        HEAD + "workers: many\n" + SPACE,
        "s.yaml:3  workers is 'many'; it may be auto or a whole number 1..256",
    ),
    (
        HEAD + "finale: some\n" + SPACE,
        "s.yaml:3  finale is 'some'; it may be none, or such as {share: 0.2, top: 3, seeds: 3}",
    ),
    (HEAD + "finale: {share: 1}\n" + SPACE, "s.yaml:3  finale.share is 1; it must be less than 1"),
    (
        HEAD + "finale: {seed: 1}\n" + SPACE,
        "s.yaml:3  finale has no key seed; did you mean seeds?",
    ),
    (HEAD + "device: tpu\n" + SPACE, "s.yaml:3  device is 'tpu'; it may be auto, cpu, cuda or cuda:N"),
    (
        HEAD + "storage: all.db\n" + SPACE,
        "s.yaml:3  storage is no database URL such as postgresql://user@host/name; correct it, or leave it out",
    ),
    (
        HEAD + "storage: sqlite://all.db\n" + SPACE,
        "s.yaml:3  storage names no file; the URL of an SQLite file has three slashes: sqlite:///study.db",
    ),
    (
        HEAD + "storage: 'sqlite:///:memory:'\n" + SPACE,
        "s.yaml:3  storage names no file; the URL of an SQLite file has three slashes: sqlite:///study.db",
    ),
]


@pytest.mark.parametrize(("text", "said"), BAD, ids=[said.split("  ")[1][:40] for _, said in BAD])
def test_a_mistake_is_one_line(text: str, said: str) -> None:
    with pytest.raises(ValueError) as error:
        checked(text)
    assert str(error.value) == said


def test_all_mistakes_are_said_at_once_in_the_order_of_the_file() -> None:
    text = HEAD + "workers: 0\ntrain: {lr: x, optimiser: sgd}\n" + SPACE.replace("op: conv", "op: convv")
    with pytest.raises(StudyError) as error:
        checked(text)
    lines = str(error.value).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["s.yaml:3", "s.yaml:4", "s.yaml:4", "s.yaml:7"]
    assert lines[2] == "s.yaml:4  train has no key optimiser; did you mean optimizer?"


def test_an_input_that_is_no_node_is_said_beside_other_mistakes_of_the_space() -> None:
    text = HEAD + SPACE.replace("op: conv", "op: convv").replace("in: [image]", "in: [imagge]")
    with pytest.raises(StudyError) as error:
        checked(text)
    assert "op is convv (conv?)" in str(error.value)
    assert "in names imagge, which is no node (image?)" in str(error.value)


def test_a_space_is_looked_at_beside_images_that_cannot_be_read(tmp_path: Path) -> None:
    text = f"study: mine\ndata: {{path: {tmp_path}, layout: foldrs}}\n" + SPACE.replace(
        "op: conv", "op: convv"
    )
    with pytest.raises(StudyError) as error:
        checked(text)
    images, node = str(error.value).splitlines()
    assert images.startswith("s.yaml:2  layout is 'foldrs'; it may be ")
    assert "op is convv (conv?)" in node


def test_rules_between_keys_are_looked_at_beside_other_mistakes() -> None:
    text = (
        HEAD
        + "workers: 0\nsampler: tpe\ninherit: true\nscreen: {}\nbudget: {rungs: [1, 99]}\npruner: asha\n"
        + SPACE.replace("op: conv", "op: convv").replace("op: exit", "op: exitt")
    )
    with pytest.raises(StudyError) as error:
        checked(text)
    lines = [line.split("  ")[1].split(";")[0] for line in str(error.value).splitlines()]
    assert lines == [
        "workers is 0",
        "inherit is true, and tpe makes no genome from those of trials",
        "screen is for samplers that propose genomes: auto, bayes, evolve, random",
        "budget.rungs has epoch 99 and training ends at 20",
        "budget.rungs has epoch 1, under a tenth of 20, where ranks say little of the end",
        "stem.op is convv (conv?)",
        "out.op is exitt (exit?)",
    ]


def test_a_rule_is_not_looked_at_where_a_key_that_it_reads_is_wrong() -> None:
    text = HEAD + "budget: {rungs: [1, 99]}\ntrain: {epochs: many}\nsampler: cmaes\n" + SPACE
    with pytest.raises(StudyError) as error:
        checked(text)
    assert [line.split("  ")[1].split()[0] for line in str(error.value).splitlines()] == [
        "train.epochs",
        "sampler",
    ]


def test_a_space_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []

    def counted(*given: Any) -> Any:
        parsed.append(given)
        return space_of(*given)

    monkeypatch.setattr("search.config.study.space_of", counted)
    study = checked(HEAD + SPACE)
    assert study.space is study.space and len(parsed) == 1
    assert parse_study(study.text(), "stored").plain() == study.plain()
    assert len(parsed) == 1, "the text of a stored study was checked when it was begun"


def test_a_space_is_read_from_a_study_or_from_a_file_of_its_own(tmp_path: Path) -> None:
    whole = tmp_path / "study.yaml"
    whole.write_text(HEAD + SPACE)
    alone = tmp_path / "space.yaml"
    nodes = SPACE.removeprefix("space:\n").replace("  nodes", "nodes")
    alone.write_text("space: tiny\ninput: [1, 8, 8]\nclasses: 10\n" + nodes)
    first, second = load_space(whole), load_space(alone)
    assert first.places == second.places and set(second.holes) == {"stem.width"}
    assert (second.name, second.input, second.classes) == (first.name, first.input, first.classes)
    alone.write_text("space: tiny\ninput: [1, 8, 8]\n" + nodes)
    with pytest.raises(SourceError, match=r"space.yaml:1  classes is missing"):
        load_space(alone)


@pytest.mark.parametrize(
    "name", ["../up", "a/b", "..", ".", "", ".hidden", "a" * 65, "tab\tbed", "nul\\0", "é"]
)
def test_a_name_that_could_be_a_path_is_refused(name: str) -> None:
    import yaml

    text = yaml.safe_dump(study_of(study=name))
    with pytest.raises(ValueError, match=r"study is .*(is no path|quote it)|character"):
        checked(text)


def test_own_images_may_lie_beside_the_study_file(tmp_path: Path, written: Callable[..., Path]) -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        f"{part}_{key}": value
        for part in ("train", "test")
        for key, value in (
            ("x", rng.integers(0, 256, (20, 6, 6), dtype=np.uint8)),
            ("y", np.arange(20, dtype=np.uint8) % 2),
        )
    }
    np.savez(tmp_path / "mine.npz", **arrays)
    study = read_study(written(data={"path": "mine.npz"}))
    assert study.data.name == str(tmp_path / "mine.npz")
    assert study.data.shape() == ((1, 6, 6), 2)


def grown(**changes: Any) -> StudyConfig:
    import yaml

    return checked(yaml.safe_dump(study_of(**changes)))


def test_what_may_grow_under_a_study() -> None:
    begun = grown(budget={"device_time": 60, "per_trial": 5})
    check_same(begun, grown(budget={"device_time": 61, "per_trial": "1m"}, workers=1, trials=60))
    check_same(begun, grown(budget={"device_time": 60}, trials=None, device="auto"))
    with pytest.raises(StudyError, match=r"artifacts, .* engine and start may change"):
        check_same(begun, grown(sampler="nsga2"))
    check_same(begun, grown(budget={"device_time": 60, "per_trial": 5}, finale={"seeds": 5}))
    check_same(begun, grown(budget={"device_time": 60, "per_trial": 5}, train={"epochs": 3, "batch": 256}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget": {"device_time": 59}}, r"budget.device_time of study tiny was 60.0 and is 59.0 now"),
        ({"trials": 5}, r"trials of study tiny was 6 and is 5 now"),
        ({"sampler": "nsga2"}, r"  sampler.name: random -> nsga2$"),
        ({"limits": {"macs": 5}}, r"  limits.macs: nothing -> 5$"),
        ({"train": {"epochs": 2, "batch": 128}}, r"  train.batch: 256 -> 128$"),
    ],
)
def test_what_makes_it_another_study(changes: dict[str, Any], said: str) -> None:
    begun = grown(budget={"device_time": 60})
    with pytest.raises(StudyError, match=said):
        check_same(begun, grown(**{"budget": {"device_time": 60}, **changes}))


def begun_by_0_1_0(train: dict[str, Any]) -> StudyConfig:
    """A study as version 0.1.0 stored it: every key of its recipe is written."""
    stored = Recipe(**{**EARLIER, **train}).to_dict()
    del stored["nesterov"]
    return grown(train=stored)


@pytest.mark.parametrize(
    "train", [{"epochs": 2}, {"epochs": 2, "lr": 0.3}, {"epochs": 2, "optimizer": "adamw"}]
)
def test_a_study_begun_with_earlier_defaults_keeps_them(train: dict[str, Any]) -> None:
    begun = begun_by_0_1_0(train)
    now = resumed(begun, grown(train={**train, "epochs": 4}))
    assert now.recipe == replace(begun.recipe, epochs=4) != grown(train={**train, "epochs": 4}).recipe
    assert resumed(now, grown(train={**train, "epochs": 4})).recipe == now.recipe, "and the time after that"


def test_a_study_begun_today_has_today_s_defaults() -> None:
    begun = grown(train={"epochs": 2})
    assert resumed(begun, grown(train={"epochs": 2})).recipe == begun.recipe == Recipe(epochs=2)


def test_a_key_that_was_taken_out_of_the_file_is_a_change() -> None:
    with pytest.raises(StudyError, match=r"  train.lr: 0.3 -> 0.1$"):
        resumed(begun_by_0_1_0({"epochs": 2, "lr": 0.3, **EARLIER}), grown(train={"epochs": 2, **EARLIER}))


def test_known_shapes_are_those_of_the_data() -> None:
    import trainer
    from search.config.dataset import SHAPES

    assert set(SHAPES) == set(trainer.NAMES)
    data = trainer.load("digits")
    assert SHAPES["digits"] == (data.input, len(data.classes))
