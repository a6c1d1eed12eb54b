"""The report and the model card of an export: accuracy by class, lineage, pictures; what stays of an earlier export."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import genome
import search
import trainer
from search.errors import StudyError
from search.objective import Objective
from search.results.card.card import card
from search.results.card.markdown import plain, table
from search.results.card.results import MOST_CONFUSED, MOST_ROWS
from search.results.exported import read_report
from search.results.lineage import MOST, lineage
from search.results.packing import finite, written_json
from search.results.scores import MOST_CLASSES, class_scores
from search.samplers.base import Origin
from search.storage.record import Record
from tests.search.conftest import Said
from tests.test_formats import FORMATS
from trainer.data.data import Split
from trainer.loop.evaluation import Scores

ACCURACY = Objective("accuracy", "maximize")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="session")
def best(finished: Path) -> Path:
    return finished / "tiny" / "best"


@pytest.fixture(scope="session")
def report(best: Path) -> dict[str, Any]:
    return read_report(best)


def predictions(best: Path, split: Split, report: dict[str, Any]) -> list[int]:
    module, _ = search.load_export(best)
    mean, std = (torch.tensor(report[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        return module((split.x / 255 - mean) / std)[-1].argmax(1).tolist()


def test_every_class_is_counted_as_the_network_predicts(best: Path, report: dict[str, Any]) -> None:
    data = trainer.load("digits")
    for part, split in (("test", data.test), ("valid", data.valid)):
        labels, found = split.y.tolist(), predictions(best, split, report)
        cells = [[0] * 10 for _ in range(10)]
        for wanted, predicted in zip(labels, found, strict=True):
            cells[wanted][predicted] += 1
        told = report["per_class"][part]
        assert told["images"] == [sum(row) for row in cells]
        assert told["accuracy"] == [row[i] / sum(row) for i, row in enumerate(cells)]
        hits = sum(cells[i][i] for i in range(10))
        assert report["accuracy"][part] == pytest.approx(hits / len(labels), abs=1e-9)
        if part == "test":
            assert report["confusion"]["test"] == cells


def test_test_images_are_scored_once(
    finished: Path, command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    scored, evaluate = list[int](), trainer.evaluate

    def watched(module: Any, split: Split, *given: Any, **named: Any) -> Scores:
        scored.append(len(split))
        return evaluate(module, split, *given, **named)

    monkeypatch.setattr(trainer, "evaluate", watched)
    assert command("export", "tiny", "--to", "mine", "--runs", finished, "--hub").status == 0
    data = trainer.load("digits")
    assert sorted(scored) == sorted([len(data.test), len(data.valid)])


@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1))
def test_class_scores_are_the_counts_of_pairs(classes: int, pairs: list[tuple[int, int]]) -> None:
    wanted, found = zip(*((a % classes, b % classes) for a, b in pairs), strict=True)
    split = Split(torch.zeros(len(pairs), 1, 1, 1), torch.tensor(wanted))
    told = class_scores(Scores(0.0, 0.0, (), torch.tensor(found)), split, classes)
    assert told.confusion is not None and sum(map(sum, told.confusion)) == len(pairs)
    for i in range(classes):
        assert told.images[i] == wanted.count(i) == sum(told.confusion[i])
        assert told.hits[i] == told.confusion[i][i]
        assert told.accuracy[i] == (told.hits[i] / told.images[i] if told.images[i] else None)


def test_of_very_many_classes_there_is_no_matrix() -> None:
    labels = torch.arange(MOST_CLASSES + 1)
    scores = Scores(1.0, 0.0, (), labels)
    told = class_scores(scores, Split(torch.zeros(len(labels), 1, 1, 1), labels), len(labels))
    assert told.confusion is None and told.accuracy == [1.0] * len(labels)


def test_the_budget_and_the_lineage_are_told(report: dict[str, Any], finished: Path) -> None:
    from search.storage.study import open_to_read

    records = open_to_read("tiny", finished).records()
    assert report["budget"]["seconds"] == pytest.approx(sum(one.seconds for one in records))
    assert report["budget"]["trials"] == len(records) == 4
    (first,) = report["lineage"]
    assert first["trial"] == report["trial"] and first["by"] == "random"


@given(st.lists(st.lists(st.integers(0, 30), max_size=3), min_size=1, max_size=30), st.data())
def test_a_lineage_is_every_ancestor_once(parents: list[list[int]], data: st.DataObject) -> None:
    """Also where the numbers of a damaged study form a circle, or name trials that are not there."""
    records = [Record(i, "done", origin=Origin("evolve", tuple(of))) for i, of in enumerate(parents)]
    start = data.draw(st.sampled_from(records))
    told = lineage(start, records, ACCURACY)
    wanted, ahead = set[int](), [start.number]
    while ahead:
        one = ahead.pop()
        if one < len(parents) and one not in wanted:
            wanted.add(one)
            ahead += parents[one]
    numbers = [one["trial"] for one in told]
    assert numbers[0] == start.number and len(numbers) == len(set(numbers)) and set(numbers) == wanted


def test_a_lineage_has_an_end() -> None:
    records = [Record(i, "done", origin=Origin("evolve", (i - 1,) if i else ())) for i in range(2 * MOST)]
    told = lineage(records[-1], records, ACCURACY)
    assert [one["trial"] for one in told] == [*range(2 * MOST - 1, MOST - 1, -1)]


@given(JSON)
def test_a_report_is_json_whatever_it_holds(value: Any) -> None:
    def refused(word: str) -> float:
        raise AssertionError(word)

    text = written_json(finite(value))
    assert json.loads(text, parse_constant=refused) == finite(value)


def test_numbers_that_json_has_not_become_null() -> None:
    found = finite({"a": [1.5, float("inf"), (float("nan"), 2)]})
    assert found == {"a": [1.5, None, [None, 2]]}
    assert written_json(
        [[1, -2.5e-7, None], ["a"]]
    ) == b'[\n  [1, -2.5e-7, null],\n  [\n    "a"\n  ]\n]'.replace(b"-2.5e-7", b"-2.5e-07")


def test_the_picture_is_what_show_draws_and_the_example_what_the_network_sees(best: Path) -> None:
    assert (best / "architecture.svg").read_text() == genome.draw(genome.load(best / "genome.yaml"))
    pixels = np.asarray(Image.open(best / "example.png"))
    assert np.array_equal(pixels, trainer.load("digits").test.x[0, 0].numpy())


def test_without_the_extra_for_pictures_the_export_goes_on(
    finished: Path, command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    said = command("export", "tiny", "--to", "mine", "--runs", finished)
    assert said.status == 0 and said.err.count("\n") == 1
    assert said.err.startswith("architecture.svg is not written: ") and "genome-nas[draw]" in said.err
    assert "architecture.svg" not in Path("mine/README.md").read_text()


def tables(text: str) -> Iterator[list[str]]:
    for block in text.split("\n\n"):
        if block.startswith("|"):
            yield block.splitlines()


def test_the_card_tells_what_the_report_has(best: Path, report: dict[str, Any]) -> None:
    text = (best / "README.md").read_text()
    assert text.startswith(f"# tiny, trial {report['trial']}\n")
    titles = re.findall("^## (.*)$", text, re.MULTILINE)
    assert titles == [
        *("Use", "Images", "Accuracy", "Accuracy by class", "Confusion matrix", "Cost"),
        *("Training", "Lineage", "Versions"),
    ]
    assert f"| accuracy | {report['accuracy']['test']:.4f} | {report['accuracy']['valid']:.4f} |" in text
    for i, row in enumerate(report["confusion"]["test"]):
        assert f"| **{i}** | {' | '.join(map(str, row))} |" in text
    assert f"| params | {report['params']:,} |" in text and "| `optimizer` | muon |" in text
    for linked in re.findall(r'\]\(([\w./-]+)\)|src="([\w./-]+)"', text):
        assert (best / "".join(linked)).is_file()


def test_the_python_of_the_card_runs(best: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (best / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(best)
    monkeypatch.syspath_prepend(str(best))
    monkeypatch.delitem(sys.modules, "model", raising=False)
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    sys.modules.pop("model")
    assert capsys.readouterr().out.strip() in {str(i) for i in range(10)}


@settings(max_examples=30)
@given(st.lists(st.text(min_size=1), min_size=10, max_size=10, unique=True), st.text(min_size=1))
def test_names_of_people_break_no_table(report: dict[str, Any], words: list[str], name: str) -> None:
    changed = {**report, "classes": words, "data": name, "study": name}
    text = card(changed, name, ["model.py", "architecture.svg"])
    seen = 0
    for lines in tables(text):
        widths = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines}
        assert len(widths) == 1, lines
        seen += 1
    assert seen == 7 and "\x1b" not in text


def test_what_markdown_acts_on_is_escaped() -> None:
    assert plain("<b>|`a`\n[b](c) *d*\x1b") == r"\<b\>\|\`a\` \[b\](c) \*d\*"


def test_of_many_classes_the_worst_are_listed(report: dict[str, Any]) -> None:
    count = MOST_ROWS + 10
    accuracies = [i / count for i in range(count)]
    changed = {
        **report,
        "classes": [f"c{i}" for i in range(count)],
        "per_class": {"test": {"images": [9] * count, "accuracy": accuracies[::-1]}, "valid": None},
        "confusion": {"test": [[0] * count] * count},
    }
    text = card(changed, "many", [])
    listed = re.findall(r"^\| (c\d+) \|", text, re.MULTILINE)
    assert listed == [f"c{i}" for i in range(count - 1, count - 1 - MOST_ROWS, -1)]
    assert count > MOST_CONFUSED and "Confusion matrix" not in text


def test_several_exits_seeds_and_ancestors_are_told(report: dict[str, Any]) -> None:
    over = {"accuracy": {"mean": 0.9, "deviation": 0.0125, "seeds": 3}}
    parent = {"trial": 1, "by": "evolve", "parents": [], "moves": ["wider"], "accuracy": None}
    child = {**parent, "trial": 2, "parents": [1], "moves": ["deeper", "a|b"], "accuracy": 0.75}
    exits = {"test": [0.1, 0.2], "valid": [0.3, 0.4]}
    changed = {**report, "exits": exits, "over_seeds": over, "lineage": [child, parent] * 20}
    changed["exit_names"] = ["early", "a_b"]
    text = card(changed, "n", [])
    assert "| accuracy of exit early | 0.1000 | 0.3000 |" in text and r"of exit a\_b | 0.2000 |" in text
    assert "`genome exits` was not run for this export" in text and r"network, and a\_b answers it" in text
    changed.pop("exit_names")  # as a report of an earlier version
    assert "| accuracy of exit 1 | 0.2000 | 0.4000 |" in card(changed, "n", [])
    assert "Over 3 seeds, the accuracy on the validation images is 0.9000 ± 0.0125." in text
    assert r"| 2 | evolve | 1 | deeper; a\|b | 0.7500 |" in text and "| 1 | evolve | - | wider | - |" in text
    assert "10 more are in `report.json`." in text
    assert "accuracy of exit" not in card(report, "n", []) and "genome exits" not in card(report, "n", [])


def test_a_table_has_numbers_on_the_right() -> None:
    assert table(("a", "b"), [("x", "1.5"), ("2", "-")]).splitlines()[1] == "| :-- | --: |"


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        ("Infinity", "Infinity is no number of JSON"),
        ("NaN", "NaN is no number of JSON"),
        ("1e999", "1e999 is beyond the largest number"),
    ],
)
def test_a_report_with_other_numbers_than_json_has_is_refused(
    best: Path, tmp_path: Path, number: str, sentence: str
) -> None:
    shutil.copytree(best, tmp_path / "mine")
    path = tmp_path / "mine" / "report.json"
    path.write_text(re.sub(r'"macs": \d+', f'"macs": {number}', path.read_text(), count=1))
    with pytest.raises(StudyError, match=re.escape(sentence)) as found:
        search.load_export(tmp_path / "mine")
    assert "\n" not in str(found.value)


def test_an_export_of_a_newer_version_is_told_apart(best: Path, tmp_path: Path) -> None:
    shutil.copytree(best, tmp_path / "mine")
    path = tmp_path / "mine" / "report.json"
    path.write_text(path.read_text().replace('"export": 1', '"export": 2'))
    with pytest.raises(StudyError, match="has format 2 of a newer version, and this version reads format 1"):
        search.load_export(tmp_path / "mine")


@pytest.mark.parametrize("length", [0, 5, 200, -1])
def test_weights_that_are_cut_or_a_pickle_are_one_sentence(best: Path, tmp_path: Path, length: int) -> None:
    """Also where the sha256 in the report is that of the damaged file."""
    shutil.copytree(best, tmp_path / "mine")
    weights, path = tmp_path / "mine" / "weights.safetensors", tmp_path / "mine" / "report.json"
    before = json.loads(path.read_text())["files"]["weights.safetensors"]
    if length < 0:
        torch.save({"a": torch.zeros(1)}, weights)
    else:
        weights.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(StudyError, match=r"was changed since it was exported \(sha256\)"):
        search.load_export(tmp_path / "mine")
    from trainer import files

    path.write_text(path.read_text().replace(before, files.sha256(weights.read_bytes())))
    wanted = "of which nothing was read" if length < 0 else "does not hold the weights of its genome"
    with pytest.raises(StudyError, match=wanted) as found:
        search.load_export(tmp_path / "mine")
    assert "\n" not in str(found.value)


def test_what_an_earlier_version_wrote_is_replaced_and_a_persons_card_stays(
    finished: Path, command: Callable[..., Said], tmp_path: Path
) -> None:
    shutil.copytree(FORMATS / "finished" / "best", tmp_path / "mine")
    (tmp_path / "mine" / "README.md").write_text("# of a person")
    said = command("export", "tiny", "--to", "mine", "--runs", finished)
    assert said.status == 0 and not Path("mine/USAGE.md").exists()
    assert said.err == "README.md in mine was changed by hand; it is kept as README.md.before\n"
    assert Path("mine/README.md.before").read_text() == "# of a person"
    Path("mine/README.md").write_text("# edited")
    Path("mine/model.py").write_bytes(Path("mine/model.py").read_bytes() + b"# tuned\n")
    assert command("export", "tiny", "--to", "mine", "--runs", finished).status == 0
    assert Path("mine/README.md.before").read_text() == "# of a person"
    assert Path("mine/README.md.before2").read_text() == "# edited"
    assert Path("mine/model.py.before").read_text().endswith("# tuned\n")
    assert command("export", "tiny", "--to", "mine", "--runs", finished).err == ""
    search.load_export("mine")


def test_a_loss_that_is_no_number_is_null(best: Path) -> None:
    """A network whose logits overflow: its report is JSON all the same."""
    import safetensors.torch

    from search.results.packing import Trained, packed
    from search.storage.data_facts import DataFacts

    text = (best / "genome.yaml").read_text()
    weights = safetensors.torch.load((best / "weights.safetensors").read_bytes())
    weights = {name: tensor * 1e38 if "linear.weight" in name else tensor for name, tensor in weights.items()}
    data = trainer.load("digits")
    trained = Trained(
        "big",
        text,
        safetensors.torch.save(weights),
        DataFacts.of(data),
        data,
        {},
        read_report(best)["training"],
    )
    info = json.loads(packed(trained)["report.json"])
    assert info["loss"]["test"] is None and not math.isnan(info["accuracy"]["test"])
