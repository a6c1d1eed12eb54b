"""A measurement of a machine is available to the next process, whatever happens to the file."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from trainer.hardware import cache
from trainer.hardware.cache import Facts, machine, recall, remember

WRITER = """
import sys
from trainer.hardware.cache import recall, remember
name = sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
for i in range(60):
    remember(f"{name} {i}", [name, i])
    assert recall(f"{name} {i - 1}") == ([name, i - 1] if i else None)
"""


def test_a_value_outlasts_its_process(tmp_path: Path) -> None:
    value = {"rate": 2.5, "shape": [1, None, True]}
    Facts(tmp_path / "new" / "folder").remember("a", value)
    later = Facts(tmp_path / "new" / "folder")
    assert later.recall("a") == value
    assert later.recall("b") is None


def test_what_another_process_adds_or_changes_is_seen(tmp_path: Path) -> None:
    mine, other = Facts(tmp_path), Facts(tmp_path)
    other.remember("a", 1)
    assert mine.recall("a") == 1
    other.remember("b", 2)
    mine.remember("c", 3)
    assert [Facts(tmp_path).recall(key) for key in "abc"] == [1, 2, 3]


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    environ = {**os.environ, "GENOME_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1"}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(i)],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(4)
    ]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    facts = Facts(tmp_path)
    assert all(facts.recall(f"{name} {i}") == [str(name), i] for name in range(4) for i in range(60))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["facts.json", "facts.lock"]


def test_the_newest_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_FACTS", 3)
    for key in "abcad":
        Facts(tmp_path).remember(key, key)
    assert list(json.loads((tmp_path / "facts.json").read_text())) == ["c", "a", "d"]


@pytest.mark.parametrize(
    "broken", [b"", b'{"a": 1, "b"', b"[1, 2]", b"\xff\x00", b"[" * 100_000], ids=lambda text: repr(text[:9])
)
def test_a_broken_file_is_an_empty_one(broken: bytes, tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_bytes(broken)
    facts = Facts(tmp_path)
    assert facts.recall("a") is None
    facts.remember("b", 2)
    assert Facts(tmp_path).recall("b") == 2


def _file_for_folder(folder: Path) -> None:
    folder.write_text("")


def _folder_for_file(folder: Path) -> None:
    (folder / "facts.json").mkdir(parents=True)


def _read_only(folder: Path) -> None:
    folder.mkdir(mode=0o555)


@pytest.mark.parametrize("spoil", [_file_for_folder, _folder_for_file, _read_only])
def test_where_nothing_can_be_written_facts_last_for_the_process(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    spoil(folder)
    facts = Facts(folder)
    assert facts.recall("a") is None
    facts.remember("a", 1)
    assert facts.recall("a") == 1
    if spoil is not _read_only or os.geteuid() != 0:  # root can write everywhere
        assert Facts(folder).recall("a") is None


def test_a_readable_file_in_a_read_only_folder_is_read(tmp_path: Path) -> None:
    Facts(tmp_path).remember("a", 1)
    (tmp_path / "facts.lock").unlink()
    tmp_path.chmod(0o555)
    assert Facts(tmp_path).recall("a") == 1
    tmp_path.chmod(0o755)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"GENOME_CACHE": "{0}/own", "XDG_CACHE_HOME": "{0}/xdg", "HOME": "{0}"}, "own"),
        ({"GENOME_CACHE": "", "XDG_CACHE_HOME": "{0}/xdg", "HOME": "{0}"}, "xdg/genome"),
        ({"HOME": "{0}"}, ".cache/genome"),
    ],
)
def test_the_folder(
    environ: dict[str, str], folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GENOME_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    remember("a", 1)
    assert recall("a") == 1
    assert Facts(tmp_path / folder).recall("a") == 1


def test_tests_leave_the_users_cache_alone() -> None:
    remember("here", True)
    assert Path(os.environ["GENOME_CACHE"], "facts.json").exists()


def test_a_machine_is_its_processor_torch_and_threads() -> None:
    here = machine(torch.device("cpu"))
    assert f"torch {torch.__version__}" in here
    assert here.endswith(f"threads {torch.get_num_threads()}")
    assert not here.startswith(",")
