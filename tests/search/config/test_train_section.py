"""Holes of `train:`: how they are read, what is wrong with them, and the text that a study stores."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genome.domain import Float, Int, OneOf
from genome.yaml.source import SourceError, parse
from search.config.candidate import candidate, measured
from search.config.changes import check_same
from search.config.read import check_study, load_space, parse_study
from search.config.study import StudyConfig
from search.config.train_section import KEYS, ONE_VALUE, check_together
from search.errors import StudyError
from search.space.holes import Hole
from search.space.point import Point
from search.space.recipe_space import RecipeSpace
from trainer import Recipe

HEAD = "study: tiny\ndata: digits\ntrials: 3\n"
SPACE = """space:
  nodes:
    stem: {op: conv, in: [image], kernel: 3, width: {int: [4, 16]}}
    out: {op: exit, in: [stem]}
"""
SEARCHED = (
    "{epochs: 2, optimizer: {one_of: [sgd, adamw]}, lr: {float: [0.01, 0.3, log]}, batch: {int: [32, 96, 32]}, "
    "momentum: {float: [0.5, 0.9]}, nesterov: {one_of: [true, false]}}"
)


def checked(train: str, more: str = "", text: str = HEAD) -> StudyConfig:
    return check_study(parse(f"{text}train: {train}\n{more}{SPACE}", "s.yaml"))


def test_holes_of_the_recipe_are_holes_of_the_space() -> None:
    study = checked(SEARCHED)
    assert study.space.holes == {
        "stem.width": Int(4, 16),
        "train.optimizer": OneOf("sgd", "adamw"),
        "train.lr": Float(0.01, 0.3, log=True),
        "train.momentum": Float(0.5, 0.9),
        "train.nesterov": OneOf(True, False),
        "train.batch": Int(32, 96, 32),
    }
    assert study.recipe == Recipe(optimizer="sgd", epochs=2, lr=0.01, batch=32, momentum=0.5)


def test_the_defaults_of_a_searched_optimizer_are_its_own() -> None:
    study = checked("{optimizer: {one_of: [sgd, adamw]}}")
    assert [study.train.recipe({"optimizer": word}).lr for word in ("sgd", "adamw")] == [0.1, 0.003]
    again = parse_study(study.text(), "stored")
    assert again.train.recipe({"optimizer": "adamw"}) == Recipe(optimizer="adamw")


@pytest.mark.parametrize(
    "train",
    [SEARCHED, "{lr: {one_of: [1, 0.1]}}", "{lr: {int: [1, 3]}, weight_decay: 0.1}", "{lr: 0.2}", "{}"],
)
def test_the_stored_text_reads_back_as_the_same_study(train: str) -> None:
    study = checked(train)
    again = parse_study(study.text(), "stored")
    assert again.plain() == study.plain() and again.text() == study.text()
    assert again.space.holes == study.space.holes
    for seed in range(20):
        drawn = study.space.draw(Random(seed))
        assert again.space.draw(Random(seed)).searched == drawn.searched
        assert again.train.recipe(drawn.searched) == study.train.recipe(drawn.searched)


def test_one_choice_is_no_choice() -> None:
    study = checked("{lr: {one_of: [0.2]}, batch: {int: [8, 8]}, warmup: {float: [0, 0]}}")
    assert not study.train.holes and study.recipe == Recipe(lr=0.2, batch=8, warmup=0.0)


def test_whole_numbers_of_a_real_key_are_real() -> None:
    study = checked("{lr: {int: [1, 2]}, weight_decay: {one_of: [1, 0.5]}}")
    drawn = study.space.draw(Random(0)).searched
    assert all(type(value) is float for value in drawn.values())
    assert study.train.encode(drawn).keys() == {"train.lr", "train.weight_decay"}


WRONG = {
    "lr: {float: [0, 0.3]}": "train.lr is 0.0; it must be a number above 0",
    "lr: {float: [0.1, 0.01]}": "train.lr: float [0.1, 0.01] holds no value",
    "lr: {flot: [0.1, 1]}": "train.lr is {flot: [0.1, 1]}; a range is {one_of: [..]}, {int: [low, high]} or",
    "optimizer: {one_of: [sgd, adam]}": "train.optimizer is 'adam'; it must be one of sgd, adamw",
    "batch: {float: [16, 64]}": "train.batch is 16.0; it must be a whole number",
    "batch: {int: [0, 64]}": "train.batch is 0; it must be a whole number",
    "momentum: {float: [0.5, 1]}": "train.momentum is 1.0; it must be a number above 0 and below 1",
    "nesterov: {one_of: ['yes', true]}": "train.nesterov is 'yes'; it must be true or false",
    "clip: {one_of: [1, null]}": "train.clip: one_of [1, null] holds something other than words and numbers",
    "weight_decay: {one_of: [1, 1.0]}": "train.weight_decay: one_of [1.0, 1.0] is empty or names a choice twice",
    "epochs: {int: [1, 3]}": "train.epochs is {int: [1, 3]}; it must be one value: trials are compared at equal",
    "patience: {int: [1, 3]}": "train.patience is {int: [1, 3]}; it must be one value: trials are compared",
    "seed: {int: [1, 3]}": "train.seed is {int: [1, 3]}; it must be one value: a seed is luck",
    "lrr: {float: [0.1, 1]}": "train has no key lrr; did you mean lr?",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_hole_is_said_with_its_place(line: str) -> None:
    with pytest.raises(StudyError) as wrong:
        checked(f"\n  label_smoothing: 0.1\n  {line}")
    assert str(wrong.value).startswith(f"s.yaml:6  {WRONG[line]}")
    assert "\n" not in str(wrong.value)


def test_mistakes_of_holes_are_told_with_the_others() -> None:
    with pytest.raises(StudyError) as wrong:
        checked("\n  batch: 0\n  lr: {float: [0, 1]}", text=HEAD.replace("trials: 3", "trials: 0"))
    assert [line.split()[0] for line in str(wrong.value).splitlines()] == ["s.yaml:3", "s.yaml:5", "s.yaml:6"]


def test_a_stored_study_with_a_wrong_hole_is_refused() -> None:
    text = checked(SEARCHED).text().replace("- 0.5", "- -1")
    with pytest.raises(StudyError, match=r"stored:\d+  train\.momentum is -1\.0"):
        parse_study(text, "stored")


def test_combinations_of_holes_are_checked() -> None:
    """A recipe has no rule between two keys today; holes that were not checked alone stand in for one."""
    source = parse("train: {}\n", "s.yaml")
    fine = Hole("train.lr", Float(0.1, 0.2), real=True)
    check_together(source, RecipeSpace({}, {"lr": fine}))
    with pytest.raises(SourceError, match=r"s.yaml:1  train.momentum is 2; it must be"):
        check_together(
            source, RecipeSpace({}, {"lr": fine, "momentum": Hole("train.momentum", OneOf(0.5, 2))})
        )


def test_every_key_of_a_recipe_is_a_hole_or_says_why_not() -> None:
    assert set(ONE_VALUE) < set(KEYS)
    usual = {"optimizer": "adamw", "schedule": "cosine", "average": "ema", "precision": "fp32"}
    usual |= {
        "layout": "contiguous",
        "compile": "never",
        "balance": "weights",
        "nesterov": "false",
        "flip": "false",
    }
    for key in set(KEYS) - set(ONE_VALUE):
        first = usual.get(key, "0.5")
        if key in ("batch", "accumulate", "crop", "cutout"):
            first = "7"
        default = {"clip": 5.0, "crop": 1}.get(key, getattr(Recipe(), key))
        study = checked(f"{{{key}: {{one_of: [{first}, {str(default).lower()}]}}}}")
        assert [*study.train.holes] == [key]


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32))
def test_every_draw_is_a_recipe_and_answers_lead_back(seed: int) -> None:
    study = checked(SEARCHED)
    drawn = study.space.draw(Random(seed))
    recipe = study.train.recipe(drawn.searched)
    assert ("momentum" in drawn.searched) == ("nesterov" in drawn.searched) == (recipe.optimizer == "sgd")
    answers = study.space.answers(drawn)
    assert study.space.point(lambda name, _: answers[name]) == drawn


def test_a_searched_recipe_may_not_change_under_a_study() -> None:
    begun = checked(SEARCHED)
    check_same(begun, checked(SEARCHED.replace("epochs: 2", "epochs: 4")))
    for change in ("[0.01, 0.2, log]", "[0.02, 0.3, log]", "[0.01, 0.3]"):
        with pytest.raises(StudyError, match=r"train\.lr\.float: \[0\.01, 0\.3, log\] -> "):
            check_same(begun, checked(SEARCHED.replace("[0.01, 0.3, log]", change)))


def test_memory_is_predicted_by_the_recipe_of_the_trial() -> None:
    study = checked(SEARCHED, "budget: {memory: 1MiB}\n")
    written = study.space.sample(Random(0))
    small, large, adamw = (
        candidate(Point(written, {"optimizer": word, "lr": 0.1, "batch": batch}), study.train)
        for word, batch in (("sgd", 32), ("sgd", 96), ("adamw", 32))
    )
    assert adamw.train_memory_bytes - small.train_memory_bytes == 4 * small.params
    assert large.train_memory_bytes > 2 * small.train_memory_bytes
    over = [one.over for one in measured(large, study) if one.limit == "budget.memory"]
    assert over == [large.train_memory_bytes / 2**20 - 1]


def test_a_loaded_space_holds_networks_alone(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"{HEAD}train: {SEARCHED}\n{SPACE}")
    assert set(load_space(file).holes) == {"stem.width"}


def test_cmaes_may_count_the_holes_of_the_recipe() -> None:
    with pytest.raises(StudyError, match="cmaes, for two int or float holes"):
        checked("{epochs: 1}", "sampler: cmaes\n")
    assert checked("{lr: {float: [0.1, 0.2]}}", "sampler: cmaes\n").asks_all
    with pytest.raises(StudyError) as wrong:
        checked("{lr: {float: [0, 0.2]}}", "sampler: cmaes\n")
    assert "cmaes" not in str(wrong.value), "the rule needs all holes"
