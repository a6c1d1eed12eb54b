"""The command where a stream is closed, its reader has gone, it holds few characters, or the user has no home."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import MAIN, PATIENCE_SECONDS, ROOT, commands

NO_HOME = "import pwd\ndef unknown(uid):\n    raise KeyError(uid)\npwd.getpwuid = unknown\n" + MAIN
SPACE = "space:\n  nodes: {out: {op: exit, in: [image]}}\n"
TINY = "study: tiny\ndata: digits\nworkers: 1\ndevice: cpu\nbudget: {device_time: 3s}\nfinale: none\n"
TINY += "train: {epochs: 1}\n" + SPACE

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


def shell(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell in which $genome is the command."""
    line = f"genome() {{ '{sys.executable}' -m search \"$@\"; }}\n{line}"
    return subprocess.run(
        ["bash", "-c", line], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("words", "closed"), [("zoo", ">&-"), ("--version", "2>&-"), ("show zoo:resnet-20", ">&- 2>&- <&-")]
)
def test_closed_streams_are_no_error(words: str, closed: str) -> None:
    done = shell(f"genome {words} {closed}")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_error_is_an_error_where_nobody_reads_it() -> None:
    assert shell("genome show nothing.yaml >&- 2>&-").returncode == 2


@pytest.mark.parametrize("words", ["zoo --json", "--help"])
def test_a_reader_that_goes_away_sees_no_traceback(words: str) -> None:
    done = shell(f"genome {words} | head -n 1 | wc -l")
    assert (done.stdout.strip(), done.stderr) == ("1", "")
    assert shell(f"genome {words} | true").stderr == ""


def test_what_a_stream_cannot_encode_is_a_question_mark() -> None:
    done = shell("genome show nö.yaml", PYTHONIOENCODING="ascii")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    code = (
        "from search.cli.streams import prepare_streams; prepare_streams(); print(ascii('\\xb1'), '\u7f51')"
    )
    assert shell(f'"{sys.executable}" -c "{code}"', PYTHONIOENCODING="cp1252").stdout == "'\\xb1' ?\n"


HOME = ("HOME", "GENOME_DATA")
HOMELESS = {name: value for name, value in os.environ.items() if name not in HOME}


def test_a_search_needs_neither_streams_nor_a_home_and_stores_its_study(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(TINY, encoding="utf-8")
    command = [sys.executable, "-c", NO_HOME, "search", tmp_path / "s.yaml", "--runs", tmp_path / "r"]
    line = f"{shlex.join(map(str, command))} >&- 2>&- <&-"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, env=HOMELESS)
    assert done.returncode == 0 and (tmp_path / "r/tiny/best/genome.yaml").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--data", "cifar10"),
            "the folder of the data sets is ~/.cache/genome/data, and the system does not know",
        ),
        (("--data", "cifar10", "--data-root", "~/x"), "the folder of the data sets is ~/x, and"),
        (("--data", "~/x"), "data is '~/x'; it must be one of"),
    ],
)
def test_data_in_a_home_that_is_unknown_is_refused_in_a_sentence(
    words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in HOME:
        monkeypatch.delenv(name, raising=False)
    with commands() as start:
        command = start("train", "zoo:resnet-20", *words, code=NO_HOME)
        _, err = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 2 and err.startswith(said) and len(err.splitlines()) == 1


def test_a_study_of_data_in_an_unknown_home_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(TINY.replace("digits", "~nobody-at-all/x"), encoding="utf-8")
    done = shell(f"genome check {tmp_path}/s.yaml")
    assert done.returncode == 2 and "s.yaml:2  data is '~nobody-at-all/x'" in done.stderr + done.stdout
