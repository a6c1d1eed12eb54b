"""`genome train`: one genome in full, killed and resumed, over several seeds, in several processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import search
from search.cli import app
from search.train.progress import bars
from trainer.recipe.recipe import EARLIER

ROOT = Path(__file__).parents[3]
TEXT = """genome: small
input: [3, 32, 32]
classes: 7
nodes:
  stem: {op: conv, in: [image], width: 8}
  body: {op: separable, in: [stem], width: 12}
  out: {op: exit, in: [body]}
"""
SIGNALLED = """
import os, sys
from search.cli.app import main

write = sys.stdout.write

def told(text):
    done = write(text)
    if text.startswith("  epoch {epoch}"):
        sys.stdout.flush()
        os.kill(os.getpid(), {number:d})
    return done

sys.stdout.write = told
main()
"""
QUICK = ("--data", "digits", "--set", "batch=128", "--set", "precision=fp32", "--set", "layout=contiguous")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(TEXT)
    return path


def genome(*words: object, code: str | None = None, **options: Any) -> subprocess.Popen[str]:
    """Start the command as a separate process with one thread. code: what Python runs instead."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *(["-c", code] if code else ["-m", "search"]), *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True, **options
    )


def said(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """A function that runs the command in this process."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["genome", *map(str, words)])
        with pytest.raises(SystemExit) as ending:
            app.main()
        out, err = capsys.readouterr()
        code = ending.value.code
        return (code if isinstance(code, int) else 0), out, err

    return run


def test_seeds_give_a_mean_a_spread_and_an_export_each(
    command: Callable[..., tuple[int, str, str]], small: Path, tmp_path: Path
) -> None:
    status, out, err = command("train", small, *QUICK, "--epochs", 2, "--seeds", 2)
    assert status == 0 and err == ""
    assert "small (" in out and "1x8x8" in out and "epoch 2/2" in out
    folder = tmp_path / "runs/train/small-digits"
    summary = json.loads((folder / "summary.json").read_text())
    values = summary["test_accuracy"]["values"]
    assert len(values) == 2 and summary["test_accuracy"]["mean"] == pytest.approx(sum(values) / 2)
    assert summary["test_accuracy"]["deviation"] == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    for seed, accuracy in enumerate(values):
        module, info = search.load_export(folder / f"seed-{seed}")
        assert info["accuracy"]["test"] == accuracy and info["seeds"]["train"] == seed
        assert info["input"] == [1, 8, 8] and len(info["classes"]) == 10 and not module.training
        assert info["training"]["parts"]["forward"] > 0
    assert not [path for path in folder.iterdir() if "checkpoint" in path.name]
    assert f"test accuracy {summary['test_accuracy']['mean']:.4f} ± " in out

    status, out, _ = command("train", small, *QUICK, "--epochs", 2, "--seeds", 3)
    assert status == 0 and "seed 2" in out and "\nseed 1" not in out  # a finished training is not repeated
    assert len(json.loads((folder / "summary.json").read_text())["seeds"]) == 3


def test_a_training_begun_with_earlier_defaults_keeps_them(
    command: Callable[..., tuple[int, str, str]], small: Path, tmp_path: Path
) -> None:
    earlier = [word for key, value in EARLIER.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    assert command("train", small, *QUICK, "--epochs", 1, *earlier, "--to", "here")[0] == 0
    status, out, _ = command("train", small, *QUICK, "--epochs", 1, "--to", "here", "--seeds", 2)
    assert status == 0 and "seed 1" in out
    reports = [search.load_export(tmp_path / f"here/seed-{seed}")[1]["training"] for seed in (0, 1)]
    assert reports[0]["recipe"] == {**reports[1]["recipe"], "seed": 0}
    assert EARLIER.items() <= reports[1]["recipe"].items()


def test_another_training_in_the_folder_is_refused(
    command: Callable[..., tuple[int, str, str]], small: Path, tmp_path: Path
) -> None:
    assert command("train", small, *QUICK, "--epochs", 1, "--to", "here")[0] == 0
    status, _, err = command("train", small, *QUICK, "--epochs", 2, "--to", "here")
    assert (status, err) == (
        2,
        "here holds a training with another recipe; give --to another folder, or delete this one\n",
    )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("all of it")
    status, _, err = command("train", small, *QUICK, "--to", "mine")
    assert (status, err) == (2, "mine holds other things; give --to a new or empty folder\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["zoo:lenet"], "zoo:lenet has no default data set; add `--data NAME`, such as --data digits"),
        (
            ["zoo:lenet", "--data", "digits"],
            "lenet is made for images of 1x28x28 and does not fit those of digits",
        ),
        (["zoo:lenet", "--data", "nothing"], "nothing"),
        (["zoo:nothing", "--data", "digits"], "nothing"),
        (
            ["small.yaml", "--data", "digits", "--set", "lr"],
            "--set lr: write KEY=VALUE, such as --set lr=0.2",
        ),
        (["small.yaml", "--data", "digits", "--set", "lr=fast"], "lr is 'fast'; it must be a number above 0"),
        (["small.yaml", "--data", "digits", "--set", "color=1"], "a recipe has no 'color'"),
        (["small.yaml", "--data", "digits", "--set", "seed=1"], "give their count with --seeds"),
        (
            ["small.yaml", "--data", "digits", "--device", "tpu"],
            "device is 'tpu'; it must be cpu, cuda or cuda:N",
        ),
        (["small.yaml", "--data", "digits", "--ddp", "--device", "cuda:1"], "--ddp runs on all GPUs"),
    ],
)
def test_wrong_words_are_one_sentence(
    command: Callable[..., tuple[int, str, str]], small: Path, words: list[str], message: str
) -> None:
    status, _, err = command("train", *words)
    assert status == 2 and message in err and err.count("\n") == 1


def test_a_network_that_breaks_says_why(command: Callable[..., tuple[int, str, str]], small: Path) -> None:
    status, _, err = command(
        "train", small, *QUICK, "--set", "lr=1e30", "--set", "clip=null", "--set", "warmup=0"
    )
    assert status == 2 and err.startswith("seed 0 failed: the training loss was not finite at step ")


def report_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "seed-0/report.json").read_text()))


def weights_of(folder: Path) -> bytes:
    return (folder / "seed-0/weights.safetensors").read_bytes()


@pytest.mark.slow
def test_killed_and_gone_on_with_to_the_bit(small: Path, tmp_path: Path) -> None:
    small.write_text(TEXT.replace("width: 8}", "width: 8, dropout: 0.2}"))
    words = ("train", small, *QUICK, "--epochs", 20, "--set", "average=ema", "--to")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert said(genome(*words, whole))[0] == 0
    status, _, err = said(genome(*words, killed, code=SIGNALLED.format(epoch=5, number=signal.SIGINT)))
    assert status == 130 and err == "stopped; the same command resumes the training\n"
    status, *_ = said(genome(*words, killed, code=SIGNALLED.format(epoch=10, number=signal.SIGKILL)))
    assert status == -signal.SIGKILL
    status, out, _ = said(genome(*words, killed))
    assert status == 0 and "seed 0 (resuming from its checkpoint)" in out and "epoch 1/20" not in out
    assert weights_of(killed) == weights_of(whole)
    ours, theirs = report_of(killed), report_of(whole)
    assert ours["accuracy"] == theirs["accuracy"]
    for a, b in zip(ours["training"]["curve"], theirs["training"]["curve"], strict=True):
        assert (a["train_loss"], a["valid_loss"]) == (b["train_loss"], b["valid_loss"])


@pytest.mark.slow
def test_two_processes_train_one_network(small: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    # norms use the statistics of each process's share; without norms both runs compute the same
    nodes = [
        "stem: {op: conv, in: [image], width: 8, order: conv}",
        "out: {op: exit, in: [stem], pool: flatten}",
    ]
    small.write_text("\n  ".join([TEXT.partition("\n  stem")[0], *nodes]))
    words = ("train", small, *QUICK, "--epochs", 3, "--device", "cpu")
    assert said(genome(*words, "--to", one))[0] == 0
    refused, _, err = said(genome(*words[:-4], "--epochs", 4, "--to", one, "--ddp", "--device", "cpu"))
    assert refused == 2 and err.count("\n") == 1 and "another recipe" in err
    status, out, err = said(genome(*words, "--to", two, "--ddp", "--processes", 2))
    assert status == 0, err
    assert out.count("epoch 3/3") == 1  # only one process prints
    for a, b in zip(report_of(one)["training"]["curve"], report_of(two)["training"]["curve"], strict=True):
        assert a["valid_loss"] == pytest.approx(b["valid_loss"], rel=1e-3)
    assert report_of(two)["training"]["curve"][-1]["valid_loss"] < 2.2


def test_bars_show_the_shape_of_a_curve() -> None:
    assert bars([0.0, 0.5, None, 1.0]) == "▁▅ █"
    assert bars([0.3]) == "▁" and bars([]) == ""
    many = bars([float(number) for number in range(1000)])
    assert len(many) == 60 and many[-1] == "█" and list(many) == sorted(many)
