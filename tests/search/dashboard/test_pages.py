"""Every page of a study that was really run, and its JSON twin."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from starlette.testclient import TestClient

import search
import trainer
from search.results.evaluation.file import EVALUATION_FILE
from search.run.progress import Silent
from search.storage.study import claim
from search.study import Result, Study
from tests.search.conftest import Said, study_of
from tests.search.dashboard.kept import Page, add, begin, client
from trainer import files

TRIALS = 8


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("real")
    path = folder / "tiny.yaml"
    # one worker, so that the trials are the same in every run
    study = study_of(sampler={"name": "evolve", "seed": 0}, trials=TRIALS, limits={"params": 1500}, workers=1)
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return Study.load(path, folder / "runs").run(Silent())


@pytest.fixture(scope="module")
def web(result: Result) -> Iterator[TestClient]:
    yield client(result.folder.parent)


def test_the_studies(web: TestClient, result: Result) -> None:
    page, (row,) = Page(web.get("/").text), web.get("/.json").json()["studies"]
    assert row["name"] == "tiny" and row["state"] == "finished" and row["trials"] == TRIALS
    assert sum(row["outcomes"].values()) == TRIALS
    assert row["spent_seconds"] == pytest.approx(result.spent_seconds)
    assert row["best"]["number"] == result.best[0].number
    assert row["href"] in page.all("a", "href") and f"/study/tiny/trial/{result.best[0].number}" in page.all(
        "a", "href"
    )
    assert f"accuracy {row['best']['accuracy']:.4f}" in page.text
    assert page.is_harmless()


def test_the_study(web: TestClient, result: Result) -> None:
    page, twin = Page(web.get("/study/tiny").text), web.get("/study/tiny.json").json()
    assert [row["number"] for row in twin["front"]["rows"]] == [r.number for r in result.best]
    assert sorted(row["number"] for row in twin["table"]["rows"]) == list(range(TRIALS))
    assert twin["why"] in page.text and twin["why"] == f"all {TRIALS} trials were made"
    assert twin["objectives"] == {"accuracy": "maximize", "macs": "minimize"}
    links = page.all("a", "href")
    assert all(f"/study/tiny/trial/{number}" in links for number in range(TRIALS))
    assert twin["against"]["cost"] == "macs"
    assert {row["number"] for row in twin["against"]["rows"]} == {r.number for r in result.best}
    assert page.is_harmless()


def test_each_trial(web: TestClient, result: Result) -> None:
    for record in result.records:
        answer, twin = (
            web.get(f"/study/tiny/trial/{record.number}"),
            web.get(f"/study/tiny/trial/{record.number}.json"),
        )
        page, values = Page(answer.text), twin.json()
        assert answer.status_code == 200 and page.is_harmless()
        assert values["genome"] == record.genome and (record.genome or "").splitlines()[0] in page.text
        if record.values is None:
            assert record.reason in page.text
            continue
        kept = json.loads((result.folder / "trials" / str(record.number) / "report.json").read_text())
        assert values["curve"] == kept["curve"]
        assert values["report"]["valid_accuracy"] == kept["valid_accuracy"]
        assert sum(node["params"] for node in values["nodes"]) == record.params
        assert sum(node["macs"] for node in values["nodes"]) == record.macs


def test_the_lineage_goes_both_ways(web: TestClient, result: Result) -> None:
    twins = [web.get(f"/study/tiny/trial/{number}.json").json() for number in range(TRIALS)]
    down = {(one["number"], twin["number"]) for twin in twins for one in twin["children"]}
    up = {(twin["number"], one["number"]) for twin in twins for one in twin["parents"]}
    bred = {(parent, r.number) for r in result.records if r.origin for parent in r.origin.parents}
    assert down == {(old, young) for young, old in up} and bred <= down
    for twin in twins:
        page = Page(web.get(f"/study/tiny/trial/{twin['number']}").text)
        assert {one["href"] for one in twin["parents"] + twin["children"]} <= set(page.all("a", "href"))


def test_moves_stand_with_the_relatives(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store, origin={"by": "evolve"})
    add(
        store,
        origin={"by": "evolve", "parents": [0], "moves": ["wider stem"]},
        inherited={"from": 0, "share": 0.5},
    )
    add(store, outcome="done", reused=1)
    add(store, origin={"by": "evolve", "parents": [1, 0], "moves": ["crossover"]})
    web = client(tmp_path)
    twin = web.get("/study/tiny/trial/1.json").json()
    assert [(p["number"], p["how"]) for p in twin["parents"]] == [(0, "parent, gave weights")]
    assert [(c["number"], c["how"], c["moves"]) for c in twin["children"]] == [
        (2, "the same network", []),
        (3, "parent", ["crossover"]),
    ]
    assert [one["number"] for one in web.get("/study/tiny/trial/3.json").json()["line"]] == [1, 0]
    assert "50 % of the parameters" in Page(web.get("/study/tiny/trial/1").text).text


def test_parents_that_are_each_others_end(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store, origin={"by": "evolve", "parents": [1]})
    add(store, origin={"by": "evolve", "parents": [0]})
    line = client(tmp_path).get("/study/tiny/trial/0.json").json()["line"]
    assert [one["number"] for one in line] == [1]


def test_the_picture_is_drawn_and_runs_nothing(web: TestClient) -> None:
    pytest.importorskip("pygraphviz")
    answer = web.get("/study/tiny/trial/0/picture.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "sandbox" in answer.headers["content-security-policy"]
    drawn = ElementTree.fromstring(answer.text)
    assert any("stem" in (part.text or "") for part in drawn.iter())


def test_the_download_is_the_genome(web: TestClient, result: Result) -> None:
    answer = web.get("/study/tiny/trial/0/genome.yaml")
    assert answer.text == result.records[0].genome
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"] == 'attachment; filename="tiny-0.yaml"'


def test_what_failed_is_grouped_by_its_reason(tmp_path: Path) -> None:
    store = begin(tmp_path)
    for params in (501_000, 1_200_000, 777_777):
        add(store, "refused", None, kind="params", reason=f"it has {params:,} params, over 500,000")
    add(store, "failed", None, kind="not-finite", reason="the loss is not finite at step 3")
    add(store)
    web = client(tmp_path)
    groups = web.get("/study/tiny.json").json()["failures"]
    assert [(g["outcome"], g["kind"], g["size"], g["numbers"]) for g in groups] == [
        ("refused", "params", 3, [0, 1, 2]),
        ("failed", "not-finite", 1, [3]),
    ]
    assert "it has 501,000 params, over 500,000" in Page(web.get("/study/tiny").text).text


def test_the_budget_is_a_bar_and_says_when_it_is_spent(tmp_path: Path) -> None:
    store = begin(tmp_path, trials=None, budget={"device_time": 100})
    add(store, seconds=40.0)
    web = client(tmp_path)
    page = Page(web.get("/study/tiny").text)
    assert page.all("progress", "value") == ["40.0"] and page.all("progress", "max") == ["100.0"]
    assert web.get("/study/tiny.json").json()["state"] == "stopped"
    add(store, seconds=60.0)
    twin = web.get("/study/tiny.json").json()
    assert (twin["state"], twin["why"], twin["spent_seconds"]) == ("finished", "the budget is spent", 100.0)


def test_a_study_without_trials_has_a_page(tmp_path: Path) -> None:
    begin(tmp_path)
    page = Page(client(tmp_path).get("/study/tiny").text)
    assert "No trial is finished yet." in page.text and "0 of 0 trials" in page.text


def test_what_is_renewed_is_there_from_the_start(tmp_path: Path) -> None:
    """A section that appeared only later would never enter a page that is open."""
    store, web = begin(tmp_path), client(tmp_path)

    def renewed(address: str) -> list[str | None]:
        elements = Page(web.get(address).text).elements
        parts = [
            attrs for _, attrs in elements if (attrs.get("hx-trigger") or "").startswith(("every", "renewed"))
        ]
        return [attrs.get("id") for attrs in parts + [a for _, a in elements if "data-live" in a]]

    before = renewed("/study/tiny")
    assert len(before) >= 4 and None not in before and len(set(before)) == len(before)
    add(store, accuracy=None, outcome="failed", reason="it broke")
    add(store, plan={"digest": "d"})
    assert renewed("/study/tiny") == before
    bare = renewed("/study/tiny/trial/1")
    folder = store.trial_folder(1)
    folder.mkdir(parents=True)
    report = {"number": 1, "digest": "d", "device": "cpu", "curve": [{"epoch": 1, "valid_accuracy": 0.5}]}
    (folder / "report.json").write_text(json.dumps(report))
    assert "cpu" in Page(web.get("/study/tiny/trial/1").text).text
    assert renewed("/study/tiny/trial/1") == bare and len(set(bare)) == len(bare) >= 4


def test_a_folder_without_studies_has_a_page(tmp_path: Path) -> None:
    assert "There is no study yet" in Page(client(tmp_path / "none").get("/").text).text


def test_a_page_sees_what_came_since(tmp_path: Path) -> None:
    store, web = begin(tmp_path), client(tmp_path)
    for count in range(3):
        assert web.get("/study/tiny.json").json()["trials"] == count
        add(store, accuracy=0.5 + count / 10)
    trial = store.study.ask()
    with claim("tiny", tmp_path, None):
        assert web.get("/study/tiny.json").json()["outcomes"] == {"done": 3, "running": 1}
    store.study.tell(trial, [0.9, 10.0])
    assert web.get("/study/tiny.json").json()["best"]["number"] == 3


@pytest.mark.parametrize("name", ["a.json", "x y", "ünï", "a#b?c=d&e", "100%", "trial"])
def test_a_name_of_any_letters_has_its_address(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/all.db"
    add(begin(tmp_path, name, url))
    web = client(tmp_path, url)
    href = web.get("/.json").json()["studies"][0]["href"]
    assert web.get(href + ".json").json()["name"] == name
    page = Page(web.get(href).text)
    assert f"{href}/trial/0" in page.all("a", "href")
    assert web.get(f"{href}/trial/0.json").json()["study"] == name


def test_a_study_in_a_storage_that_is_shared_by_several(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/all.db"
    for name, accuracy in (("a", 0.3), ("b", 0.6)):
        add(begin(tmp_path, name, url), accuracy=accuracy)
    web = client(tmp_path, url)
    assert [row["best"]["accuracy"] for row in web.get("/.json").json()["studies"]] == [0.3, 0.6]
    assert web.get("/study/b/trial/0.json").json()["accuracy"] == 0.6


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/study/none", 404),
        ("/study/none.json", 404),
        ("/study/tiny/trial/99", 404),
        ("/study/tiny/trial/-1", 404),
        ("/study/tiny/trial/x", 404),
        ("/study/tiny/trial/1x.json", 404),
        ("/study/tiny/trial/٣", 404),
        ("/study/tiny/", 404),
        ("/nothing", 404),
        ("/static/none.css", 404),
        ("/?a=b", 400),
        ("/study/tiny/trial/0?a=b", 400),
    ],
)
def test_what_is_not_there_is_said(web: TestClient, address: str, status: int) -> None:
    answer = web.get(address)
    assert answer.status_code == status
    said = answer.json()["error"] if address.endswith(".json") else Page(answer.text).text
    assert said


def test_a_page_asks_for_nothing_from_elsewhere(web: TestClient) -> None:
    for address in ("/", "/study/tiny", "/study/tiny/trial/0"):
        page = Page(web.get(address).text)
        for asked in page.all("link", "href") + page.all("script", "src"):
            assert asked == "data:," or (web.get(asked).status_code == 200 and asked.startswith("/static/"))


def test_showing_imports_no_torch(result: Result) -> None:
    code = (
        "import sys; from pathlib import Path; from starlette.testclient import TestClient\n"
        "from search.dashboard.app import create_app\n"
        f"web = TestClient(create_app(Path({str(result.folder.parent)!r})), base_url='http://127.0.0.1')\n"
        "pages = ('/', '/study/tiny', '/study/tiny.json', '/study/tiny/trial/0', '/study/tiny/trial/0/picture.svg')\n"
        "print(*(web.get(page).status_code for page in pages))\n"
        "print(*sorted({'torch', 'torchvision', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.splitlines() == ["200 200 200 200 200", ""], done.stderr


def test_one_trial_and_one_network_are_called_so(tmp_path: Path) -> None:
    add(begin(tmp_path))
    page = Page(client(tmp_path).get("/study/tiny").text).text
    assert "Download this trial as CSV or JSON" in page and "where there are any: 1 network " in page


def test_an_export_has_its_evaluation_and_an_older_one_gets_it(
    web: TestClient, result: Result, command: Callable[..., Said]
) -> None:
    """The export was written with one; without it, as an earlier version wrote it, the command makes the same."""
    assert result.exported is not None
    number = json.loads((result.exported / "report.json").read_text())["trial"]
    told = web.get(f"/study/tiny/trial/{number}.json").json()["evaluation"]
    assert told["where"] == "best/evaluation.json" and told["found"]["images"] == 216
    shutil.copytree(result.exported, "mine")
    file, report = Path("mine", EVALUATION_FILE), Path("mine/report.json")
    written, info = file.read_bytes(), json.loads(report.read_text())
    assert info["files"].pop(EVALUATION_FILE) == files.sha256(written)
    assert told["found"]["accuracy"] == pytest.approx(info["accuracy"]["valid"])
    file.unlink()
    report.write_text(json.dumps(info))
    Path("mine/notes.txt").write_text("mine")
    said = command("evaluate", "mine")
    assert (said.status, said.err) == (0, "")
    assert (
        f"accuracy {info['accuracy']['valid']:.4f}" in said.out and "expected calibration error" in said.out
    )
    assert file.read_bytes() == written and Path("mine/notes.txt").read_text() == "mine"
    assert json.loads(report.read_text())["files"] == {
        **info["files"],
        EVALUATION_FILE: files.sha256(written),
    }
    search.load_export("mine")


def test_an_evaluation_of_other_images_is_refused(result: Result, command: Callable[..., Said]) -> None:
    """Which of them are validation images of the network is not known: some may be train images."""
    digits = trainer.load("digits")
    np.savez("few.npz", x=digits.train.x[:200, 0].numpy(), y=digits.train.y[:200].numpy())
    said = command("evaluate", result.exported, "--data", "few.npz")
    assert said.status == 2 and "differ from those that" in said.err and len(said.err.splitlines()) == 1
