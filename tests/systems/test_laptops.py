"""macOS and Windows as far as a Linux can show them: every verb works without what those systems lack.

`lacking/sitecustomize.py` takes it away, in the command and in its workers.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

import search
from tests.command import ROOT, Command, commands, until
from tests.search.conftest import trials_in

STUDY = """
study: tiny
data: digits
workers: 1
budget: {device_time: 3s, per_trial: 2s, memory: 2GiB}
train: {optimizer: sgd, lr: 0.1, batch: 64, epochs: 100_000}
references: none
finale: none
space:
  nodes:
    stem: {op: conv, in: [image], width: 4, kernel: {one_of: [1, 3]}}
    out: {op: exit, in: [stem]}
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="takes from a Linux what other systems lack")


def lacking(system: str) -> dict[str, str]:
    """Return what the environment of a command on a system has."""
    paths = [str(Path(__file__).parent / "lacking"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"GENOME_TEST_SYSTEM": system, "PYTHONPATH": os.pathsep.join(paths)}


def enter(system: str, patch: pytest.MonkeyPatch) -> None:
    """Let the commands that are started from now on run on a system."""
    for name, value in lacking(system).items():
        patch.setenv(name, value)


def printed(system: str, *words: object) -> str:
    """Run Python with these words on a system, and return what it prints."""
    command = [sys.executable, "-W", "error", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | lacking(system), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ran(system: str, code: str) -> str:
    return printed(system, "-c", textwrap.dedent(code))


def commanded(system: str, *lines: Sequence[object]) -> str:
    """Run the command with each of these lines of words, all in one process, and return what they print."""
    code = f"""
    import sys
    from search.cli.app import main
    for words in {[[*map(str, words)] for words in lines]!r}:
        sys.argv = ["genome", *words]
        try:
            main()
        except SystemExit as end:
            assert not end.code, (words, end.code)
    """
    return ran(system, code)


@pytest.fixture(scope="module", params=["macos", "windows"])
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("study") / "tiny.yaml"
    file.write_text(STUDY, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def finished(system: str, study: Path) -> Path:
    """The folder of the runs of a study whose first run was killed in the middle of a trial."""
    runs = study.parent / system
    with pytest.MonkeyPatch.context() as patch, commands(False) as start:
        enter(system, patch)
        first = start("search", study, "--runs", runs, "--plain")
        until(lambda: [one for one in trials_in(runs) if one.outcome == "running" and one.seconds > 0], first)
        assert any("spawn_main" in line for line in lines_of_children(first))
        first.kill()
        first.wait()
    said = printed(system, "-m", "search", "search", study, "--runs", runs, "--plain")
    assert "1 interrupted trial(s)" in said and "this system limits no training" in said
    return runs


def lines_of_children(command: Command) -> list[str]:
    return [" ".join(child.cmdline()) for child in psutil.Process(command.pid).children(recursive=True)]


def test_every_module_can_be_imported(system: str) -> None:
    code = """
    import importlib, pkgutil
    for package in ("genome", "trainer", "search"):
        for module in pkgutil.walk_packages([package], package + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
                print(module.name)
    """
    assert "search.workers.worker" in ran(system, code)


def test_something_is_taken_away() -> None:
    inner = textwrap.dedent("""
        import os, sys
        try:
            import fcntl
        except ImportError:
            print("no fcntl")
        print(hasattr(os, "sched_getaffinity"), hasattr(os, "pread"), sys.platform)
        try:
            open("/proc/self/stat")
        except FileNotFoundError:
            print("no /proc")
        """)
    code = f"exec({inner!r}, {{'__name__': 'trainer.system.any'}})"
    assert ran("windows", code).splitlines() == ["no fcntl", "False False linux", "no /proc"]
    assert ran("macos", code).splitlines() == ["False True darwin", "no /proc"]


def test_networks_are_listed_and_studies_checked(system: str, study: Path) -> None:
    said = commanded(system, ["zoo"], ["check", study], ["--version"])
    assert "resnet-20" in said and "tiny" in said
    assert re.search(r"\d+ cores", said)


def test_a_killed_search_is_resumed_and_its_best_network_exported(system: str, finished: Path) -> None:
    runs = finished
    to = runs / "mine"
    said = commanded(system, ["best", "tiny", "--runs", runs], ["export", "tiny", "--to", to, "--runs", runs])
    assert "accuracy" in said and str(to) in said
    search.load_export(to)


def test_the_dashboard_shows_a_study(system: str, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(system, monkeypatch)
    with commands(False) as start:
        shown = start("dashboard", "tiny", "--runs", finished, "--port", 0, code=UNBUFFERED)
        assert shown.stdout is not None
        address = shown.stdout.readline().split()[-1]
        with urllib.request.urlopen(address, timeout=60) as page:
            assert b"tiny" in page.read()
        trial = max(finished.glob("tiny/trials/*/weights.safetensors")).parent.name
        with urllib.request.urlopen(f"{address}/trial/{trial}/trained/weights.safetensors") as file:
            assert file.read() == (finished / "tiny/trials" / trial / "weights.safetensors").read_bytes()


UNBUFFERED = (
    "import sys; sys.stdout.reconfigure(line_buffering=True); from search.cli.app import main; main()"
)


def test_one_process_at_a_time_has_a_lock(system: str, tmp_path: Path) -> None:
    code = f"""
    from pathlib import Path
    import subprocess, sys
    from search.errors import StudyError
    from search.storage.lock import hold, holder, is_held
    path = Path({str(tmp_path)!r}, "lock")
    OTHER = "from pathlib import Path; import sys; from search.storage.lock import hold\\n"
    OTHER += "with hold(Path(sys.argv[1]), 'study x'): print('held', flush=True); sys.stdin.read()"
    other = subprocess.Popen([sys.executable, "-c", OTHER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    other.stdout.readline()
    assert is_held(path) and is_held(path)
    assert holder(path).description.startswith(f"process {{other.pid}} on ")
    try:
        with hold(path, "study x"):
            print("held twice")
    except StudyError as error:
        assert f"process {{other.pid}}" in str(error)
    other.kill()
    other.wait()
    assert not is_held(path)
    for _ in range(2):
        with hold(path, "study x"):
            assert is_held(path)
    other.stdin.close(), other.stdout.close()
    print("done")
    """
    assert ran(system, code) == "done\n"


def test_memory_is_measured_as_far_as_the_system_tells(system: str) -> None:
    code = """
    import torch
    from search.workers.memory_limit import memory_limit
    from trainer.data.residence import free_bytes
    from trainer.hardware.peak_memory import Peak
    from trainer.system import memory
    device = torch.device("cpu")
    assert free_bytes(device) > 2**20 and not memory.limits_growth()
    with memory_limit(2**20):
        peak = Peak(device)
        held = torch.ones(50 << 20)
        peak.sample()
        del held
    print(round(peak.bytes / 2**20, -2))
    """
    assert float(ran(system, code)) == 200


def files_with_links(folder: Path) -> None:
    (folder / "trials" / "0").mkdir(parents=True)
    (folder / "trials" / "0" / "plain").write_bytes(b"\r\n\x1a")
    (folder / "trials" / "0" / "link").symlink_to("plain")
    (folder / "trials" / "1").symlink_to("0")
    os.mkfifo(folder / "trials" / "0" / "pipe")


def test_links_and_pipes_are_not_opened(tmp_path: Path, system: str) -> None:
    files_with_links(tmp_path)
    code = f"""
    from pathlib import Path
    from trainer.system.folders import open_regular
    with open_regular(Path({str(tmp_path)!r}), ("trials", "0", "plain")) as file:
        print(file.read())
    for path in ("trials/0/link", "trials/1/plain", "trials/0/pipe", "trials/0", "trials/0/none"):
        try:
            open_regular(Path({str(tmp_path)!r}), tuple(path.split("/")))
        except OSError:
            print("refused")
        else:
            print(path)
    """
    assert ran(system, code).splitlines() == [repr(b"\r\n\x1a"), *["refused"] * 5]


def test_windows_waits_for_a_reader_before_it_replaces_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainer import files
    from trainer.system import folders

    real, calls = os.replace, list[int]()

    def refusing(times: int) -> Callable[..., None]:
        def replace(*names: Path) -> None:
            calls.append(1)
            if len(calls) <= times:
                error = PermissionError(13, "Access is denied")
                error.winerror = 5  # type: ignore[attr-defined]
                raise error
            real(*names)

        return replace

    monkeypatch.setattr(os, "replace", refusing(3))
    files.write(tmp_path / "one", b"1")
    assert (tmp_path / "one").read_bytes() == b"1" and len(calls) == 4
    monkeypatch.setattr(folders, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(os, "replace", refusing(10**6))
    with pytest.raises(PermissionError):
        files.write(tmp_path / "one", b"2")
    assert [file.name for file in tmp_path.iterdir()] == ["one"]


def test_linux_does_not_wait_where_a_file_may_not_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainer.system import folders

    def replace(*names: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(folders, "AGAIN_SECONDS", 10**6)
    with pytest.raises(PermissionError):
        folders.replace(tmp_path / "a", tmp_path / "b")
