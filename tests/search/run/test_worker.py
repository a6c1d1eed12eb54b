"""`genome worker`: one more process on a shared study, which it joins and never begins."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.run.launch import LAUNCH
from search.storage.study import TEXT_ATTR, open_to_read
from tests.command import MAIN, PATIENCE_SECONDS, Command, commands
from tests.postgres import PASSWORD, Server
from tests.search.conftest import Said, study_of
from tests.search.dashboard.kept import begin
from tests.search.run.test_postgres import WAITS, until_line

Started = Callable[..., Command]


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes the file of a tiny study as it lies on a machine."""

    def write(machine: str, **changes: Any) -> Path:
        path = tmp_path / machine / "tiny.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(study_of(**changes), sort_keys=False))
        return path

    return write


@pytest.fixture
def started(file_of: Callable[..., Path]) -> Iterator[Started]:
    """A function that starts a verb on a tiny study as on a machine of its own."""
    with commands() as launch:

        def start(verb: str, machine: str, *words: object, code: str = MAIN, **changes: Any) -> Command:
            path = file_of(machine, **changes)
            return launch(verb, path, "--runs", path.parent / "runs", *words, code=code, stderr=None)

        yield start


def test_a_worker_trains_for_a_study_and_leaves_it_as_it_is(
    postgres: Server,
    tmp_path: Path,
    started: Started,
    file_of: Callable[..., Path],
    command: Callable[..., Said],
) -> None:
    url, go = postgres.fresh(), tmp_path / "go"
    study = {"storage": url, "trials": 4, "workers": 1}
    first = started("search", "first", code=WAITS.format(go=str(go)), **study)
    until_line(first, "waits")
    with closing(open_to_read("tiny", tmp_path, url)) as store:
        before = dict(store.study.user_attrs)
    # an older copy of the file, and other workers here
    second = started("worker", "second", "--workers", 2, **{**study, "trials": 2})
    until_line(second, "trial ")
    until_line(second, "trial ")
    go.touch()
    for process in (first, second):
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0 and "all 4 trials were made" in said, said
        assert PASSWORD not in said
    with closing(open_to_read("tiny", tmp_path, url)) as store:
        records, attrs = store.records(), store.study.user_attrs
        owners = [trial.user_attrs["owner"].split(":")[1] for trial in store.study.trials]
    assert {record.outcome for record in records} == {"done"} and len(records) == 4
    assert owners[0] == str(first.pid) and owners.count(str(second.pid)) >= 2
    assert [attrs[key] for key in (TEXT_ATTR, LAUNCH)] == [before[key] for key in (TEXT_ATTR, LAUNCH)]
    late = command("worker", file_of("third", **study))  # the study has ended
    assert late.status == 0 and "all 4 trials were made" in late.out, late.err
    assert "export where it was trained" in late.out


def test_a_worker_begins_no_study(
    postgres: Server, tmp_path: Path, file_of: Callable[..., Path], command: Callable[..., Said]
) -> None:
    url = postgres.fresh()
    path = file_of("here", storage=url)
    for words in ((), ("--wait", "200ms")):
        said = command("worker", path, *words)
        assert said.status == 2 and said.err.count("\n") == 1 and "the study's storage" in said.err
    begin(tmp_path, name="other", url=url).close()
    said = command("worker", path)
    assert said.status == 2 and "holds no study tiny; start it with `genome search`" in said.err
    assert not (tmp_path / "runs").exists()


def test_a_worker_of_another_study_is_refused(
    postgres: Server, tmp_path: Path, file_of: Callable[..., Path], command: Callable[..., Said]
) -> None:
    url = postgres.fresh()
    begin(tmp_path, url=url).close()
    said = command("worker", file_of("here", storage=url, sampler={"name": "random", "seed": 5}))
    assert said.status == 2 and "sampler.seed: 0 -> 5" in said.err


@pytest.mark.parametrize(
    ("changes", "words", "why"),
    [
        (
            {},
            (),
            "study tiny is stored in a file, which one process on one machine writes; give it `storage:",
        ),
        ({"storage": "sqlite:///all.db"}, (), "is stored in a file"),
        ({}, ("--device", "gpu"), "--device is 'gpu'; it may be auto, cpu, cuda or cuda:N"),
        ({}, ("--wait", "soon"), "--wait is 'soon'; it must be a time such as 20s"),
        ({}, ("--grace", "-1"), "--grace is '-1'; it must be a time such as 20s"),
    ],
)
def test_what_a_worker_cannot_do_is_one_sentence(
    file_of: Callable[..., Path],
    command: Callable[..., Said],
    changes: dict[str, Any],
    words: tuple[str, ...],
    why: str,
) -> None:
    said = command("worker", file_of("here", **changes), *words)
    assert said.status == 2 and said.err.count("\n") == 1 and why in said.err, said.err
