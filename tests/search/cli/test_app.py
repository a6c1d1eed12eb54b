"""The command as a person types it: what it prints, where, and with which status."""

import json
import platform
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from search.cli.version import environment_text
from tests.search.conftest import ONE, Said
from tests.test_imports import HEAVY

ROOT = Path(__file__).parents[3]
HELP = f"""
import atexit, sys
from search.cli.app import main
atexit.register(lambda: print(sorted(sys.modules.keys() & set({HEAVY!r})), file=sys.stderr))
main()
"""
GENOME = """genome: small
input: [1, 8, 8]
classes: 10
nodes:
  stem: {op: conv, in: [image], kernel: 3, width: 8}
  deep: {op: stack, in: [stem], depth: 2, body: {op: conv, kernel: 3}, width: 8}
  out: {op: exit, in: [deep]}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(GENOME)
    return path


def test_help_answers_at_once_with_an_example_of_each_verb() -> None:
    done = subprocess.run([sys.executable, "-c", HELP, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "[]\n"), "nothing that is slow to load was loaded"
    for verb in ("search", "check", "show", "zoo", "best", "export"):
        assert f"genome {verb} " in done.stdout


def test_every_verb_has_its_example(command: Callable[..., Said]) -> None:
    for verb in ("search", "check", "show", "zoo", "best", "export"):
        said = command(verb, "--help")
        assert said.status == 0 and f"Example: genome {verb}" in said.out


def test_version_names_the_software_and_the_device(command: Callable[..., Said]) -> None:
    import optuna
    import torch

    found = json.loads(command("--version", "--json").out)
    assert found["torch"] == torch.__version__.partition("+")[0] or found["torch"] == torch.__version__
    assert (found["optuna"], found["python"]) == (optuna.__version__, platform.python_version())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert found["genome"] in (project["version"], None), "the version stands in one place"
    assert found["cpu"]["name"] and found["cpu"]["cores"] >= 1
    assert len(found["gpus"]) == torch.cuda.device_count()
    said = command("--version")
    assert said.status == 0 and said.out.startswith(f"genome {found['genome'] or 'not installed'}, Python ")
    assert said.out.splitlines()[1].startswith("device: ")
    wrong = command("--json", "zoo")
    assert wrong.status == 2 and "--version" in wrong.err


@pytest.mark.parametrize(
    ("names", "device"),
    [([], "A CPU, 4 cores"), (["A100", "A100", "H100"], "2 x A100, 1 x H100")],
)
def test_version_counts_the_gpus(names: list[str], device: str) -> None:
    cpu = {"name": "A CPU", "cores": 4}
    found = {"genome": None, "python": "3", "torch": "2", "optuna": "5", "cpu": cpu, "gpus": names}
    assert environment_text(found) == f"genome not installed, Python 3, torch 2, optuna 5\ndevice: {device}"


def test_a_study_from_the_command_line(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    said = command("search", written(space=ONE, trials=3))
    assert said.status == 0 and said.err == ""
    assert "all 3 trials were made; 3 trials: " in said.out
    assert "the best network is in runs/tiny/best" in said.out

    listed = command("best", "tiny", "--json")
    told = json.loads(listed.out)
    front, budget = told["trials"], told["budget"]
    assert budget["spent_seconds"] > 0 and (budget["left_seconds"], budget["reserved_seconds"]) == (None, 0)
    assert {(one["phase"], one["device"]) for one in budget["by"]} == {("search", "cpu")}
    assert front[0]["outcome"] == "done" and front[0]["values"][0] == front[0]["metrics"]["accuracy"]
    assert len(json.loads(command("best", "tiny", "--all", "--json").out)["trials"]) == 3
    table = command("best", "tiny.yaml").out
    assert table.startswith("trial  accuracy") and "of device time spent" in table

    number = front[0]["number"]
    shown = json.loads(command("show", f"tiny#{number}", "--json").out)
    assert (shown["params"], shown["macs"]) == (front[0]["params"], front[0]["macs"])
    assert shown["input"] == [1, 8, 8] and ["image", "stem"] in shown["edges"]

    assert command("export", f"tiny#{number}", "--to", "mine").out == f"trial {number} is in mine\n"
    assert json.loads((tmp_path / "mine" / "report.json").read_text())["trial"] == number
    assert command("export", "tiny", "--to", "mine").status == 0, "an earlier export is replaced"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years of work")
    refused = command("export", "tiny", "--to", "other")
    assert refused.status == 2 and refused.err.startswith("other holds other things; name a folder")
    assert (tmp_path / "other" / "thesis.tex").read_text() == "years of work"

    assert command("show", "tiny#99").err == "study tiny has no trial 99; see `genome best tiny --all`\n"
    assert command("show", "tiny#x").err.startswith("'tiny#x' names no trial; write tiny#NUMBER")


def test_the_finale_from_the_command_line(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    said = command("search", written(space=ONE, trials=3, finale={"top": 2, "seeds": 2}))
    assert said.status == 0 and said.err == ""
    assert "\nfinale: from scratch, trials " in said.out and ", seed 1  acc 0." in said.out
    assert "all 3 trials were made; the finale is over; 3 trials: " in said.out
    table = command("best", "tiny").out
    assert table.startswith("trial  accuracy over seeds  accuracy")
    first, *_ = json.loads(command("best", "tiny", "--json").out)["trials"]
    assert set(first["finale"]["seeds"]) == {"1", "2"}
    by_seed = {int(seed): one["accuracy"] for seed, one in first["finale"]["seeds"].items()}
    every = [first["finale"]["search"]["accuracy"], *by_seed.values()]
    mean, deviation = first["finale"]["accuracy"]["mean"], first["finale"]["accuracy"]["deviation"]
    spread = f"{mean:.4f} ± {deviation:.4f} (3)"
    assert mean == pytest.approx(sum(every) / 3) and spread in table
    info = json.loads((tmp_path / "runs" / "tiny" / "best" / "report.json").read_text())
    assert (info["trial"], info["accuracy"]["valid"]) == (first["number"], max(every))
    assert info["over_seeds"] == first["finale"]
    is_of_finale = every[0] < max(by_seed.values())
    taken = f"with seed {info['seeds']['train']} of its finale" if is_of_finale else "in the search"
    taken = f"trained {taken}; accuracy over seeds {spread}"
    assert f"the best network is in runs/tiny/best, {taken}\n" in said.out
    exported = command("export", "tiny", "--to", "mine").out
    assert exported == f"trial {first['number']} is in mine, {taken}\n"
    mine = json.loads((tmp_path / "mine" / "report.json").read_text())
    assert mine["files"] == info["files"], "export and best hand out the same"
    of = f"tiny#{first['number']}"
    for weights, accuracy in (("search", every[0]), ("finale", max(by_seed.values()))):
        assert command("export", of, "--to", weights, "--weights", weights).status == 0
        report = json.loads((tmp_path / weights / "report.json").read_text())
        assert report["accuracy"]["valid"] == accuracy
    said = command("export", of, "--to", "other", "--weights", "last")
    assert said.status == 2 and "'last'" in said.err and "finale" in said.err
    listed = json.loads(command("best", "tiny", "--all", "--json").out)["trials"]
    other = next(record["number"] for record in listed if record["finale"] is None)
    said = command("export", f"tiny#{other}", "--to", "other", "--weights", "finale")
    assert said.status == 2 and f"the finale has no weights of trial {other}" in said.err


def test_show_adds_up(command: Callable[..., Said], small: Path) -> None:
    said = command("show", small)
    rows = [line.split() for line in said.out.split("\n\n")[0].splitlines()[1:]]
    params = [int(row[-2].replace(",", "")) for row in rows]
    whole = json.loads(command("show", small, "--json").out)
    assert [row[0] for row in rows] == ["stem", "deep", "out"]
    assert sum(params) == whole["params"]
    expanded = json.loads(command("show", small, "--expand", "--json").out)
    assert len(expanded["nodes"]) > len(whole["nodes"])
    assert expanded["digest"] == whole["digest"] and expanded["params"] == whole["params"]


def test_show_writes_text_and_picture(command: Callable[..., Said], small: Path, tmp_path: Path) -> None:
    text = command("show", small, "--yaml").out
    (tmp_path / "again.yaml").write_text(text)
    assert command("show", "again.yaml", "--yaml").out == text
    assert command("show", small, "--svg", "small.svg").status == 0
    assert (tmp_path / "small.svg").read_text().lstrip().startswith("<")


def test_zoo_lists(command: Callable[..., Said]) -> None:
    listed = {one["name"]: one for one in json.loads(command("zoo", "--json").out)}
    assert listed["pyramidnet-110-a48"]["error"] == "CIFAR-10 4.62 %, CIFAR-100 23.31 %"
    assert listed["pnn-resnet18-nf64"]["fixed"] == 34_304
    assert (
        json.loads(command("show", "zoo:nin-mnist", "--json").out)["params"] == listed["nin-mnist"]["params"]
    )
    table = command("zoo").out.splitlines()
    assert table[0].split()[:7] == ["name", "input", "classes", "params", "fixed", "macs", "reported"]
    assert {line.split()[0] for line in table if line} >= set(listed)
    assert max(map(len, table)) <= 120
    assert "disputed. CIFAR-10 accuracy, %: 90.53 -> 85.91" in " ".join(table)


def test_check_says_every_files_mistakes(
    command: Callable[..., Said], written: Callable[..., Path], small: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "other.yaml").write_text("a: 1\n")
    (tmp_path / "binary.yaml").write_bytes(b"\x00\x01")
    (tmp_path / "bad.yaml").write_text(
        GENOME.replace("op: conv, in: [image]", "op: convolution, in: [image]")
    )
    good = command("check", written(), small)
    assert good.status == 0 and good.err == ""
    assert good.out.splitlines()[0].endswith("tiny.yaml  study tiny: 3 holes, on digits")
    assert "genome small: " in good.out.splitlines()[1]
    said = command("check", "empty.yaml", "other.yaml", "binary.yaml", "bad.yaml", "absent.yaml", small)
    assert said.status == 2
    assert len(said.out.splitlines()) == 1, "the good file is still said to be good"
    lines = said.err.splitlines()
    starts = ["empty.yaml:1  ", "other.yaml:1  ", "binary.yaml:1  ", "bad.yaml:5  ", "absent.yaml  "]
    assert len(lines) == len(starts)
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search", "absent.yaml"], "absent.yaml  there is no such file"),
        (["search", "."], "a folder"),
        (["best", "nothing"], "no study nothing in runs; name its folder with --runs"),
        (["show", "nothing#3"], "no study nothing in runs; name its folder with --runs"),
        (["export", "nothing", "--to", "x"], "no study nothing in runs; name its folder with --runs"),
        (["export", "../../etc#1", "--to", "x"], "no study ../../etc in runs; name its folder with --runs"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(
    command: Callable[..., Said], small: Path, words: list[str], said: str
) -> None:
    result = command(*words)
    assert result.status == 2 and result.out == ""
    assert said in result.err and len(result.err.splitlines()) == 1


def test_data_that_is_missing_says_how_to_get_it(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    said = command("search", written(data={"path": "./nowhere.npz"}))
    assert said.status == 2 and "Traceback" not in said.err
    assert "nowhere.npz" in said.err and "tiny.yaml:" in said.err


def test_a_broken_storage_is_a_sentence(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "runs" / "tiny"
    folder.mkdir(parents=True)
    (folder / "study.db").write_bytes(b"not a database" * 100)
    said = command("search", written())
    assert said.status == 2 and len(said.err.splitlines()) == 1
    assert "what is stored of study tiny cannot be read" in said.err
    said = command("search", written(storage="nonsense://x"))
    assert said.status == 2 and "storage is a database of another kind" in said.err
