"""Images that were moved or unmounted after a study: its results are read without them, and it is resumed with them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

import search
from search.dashboard.app import create_app
from search.dashboard.studies.library import Library
from search.storage.data_facts import FACTS_ATTR
from search.storage.study import open_to_read, open_to_write
from tests.search.conftest import Said

COUNTS = {"train": 16, "valid": 2, "test": 4}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two classes, eleven images each."""
    folder = tmp_path / "photos"
    for shade, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for number in range(11):
            Image.new("RGB", (8, 8), (200 * shade, 10 * number, 20)).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def study(command: Callable[..., Said], written: Callable[..., Path], photos: Path) -> Path:
    """The file of a study of these images, which has run."""
    path = written(data={"path": "photos"}, trials=2, workers=1)
    assert command("search", path).status == 0
    return path


@pytest.mark.parametrize("named", ["tiny", "tiny.yaml"])
def test_results_are_read_without_the_images(
    command: Callable[..., Said], study: Path, photos: Path, tmp_path: Path, named: str
) -> None:
    before = [command("best", named).out, command("show", f"{named}#0").out]
    assert command("export", f"{named}#0", "--to", "with").err == ""
    shutil.rmtree(photos)
    assert [command("best", named).out, command("show", f"{named}#0").out] == before
    said = command("export", f"{named}#0", "--to", "without")
    assert said.status == 0 and said.err.endswith("the report of the export has no test accuracy\n")
    found = json.loads((tmp_path / "with" / "report.json").read_text())
    report = json.loads((tmp_path / "without" / "report.json").read_text())
    assert found["accuracy"].pop("test") is not None and report["accuracy"].pop("test") is None
    for key in ("loss", "auc", "exits", "confusion"):
        assert found[key].pop("test") is not None and report[key].pop("test") is None
    for key in ("per_class", "example", "files"):
        assert found.pop(key) is not None
    assert report.pop("per_class") == {"test": None, "valid": None} and set(report.pop("files"))
    assert "The test images were missing" in (tmp_path / "without" / "README.md").read_text()
    assert not (tmp_path / "without" / "example.png").exists()
    assert report == found and report["images"] == COUNTS and report["classes"] == ["cat", "dog"]
    search.load_export(tmp_path / "without")


def test_the_dashboard_needs_no_images(study: Path, photos: Path, tmp_path: Path) -> None:
    from search.dashboard.serve import target

    shutil.rmtree(photos)
    what = target(str(study), tmp_path / "runs")
    client = TestClient(create_app(what.runs, what.url, "127.0.0.1"), base_url="http://127.0.0.1:8080")
    assert client.get(what.page).status_code == 200
    assert client.get(f"{what.page}/genes").status_code == 200
    assert Library(what.runs).snapshot("tiny").config.space.classes == 2, (
        "as pages of genes and actions read it"
    )


def test_best_reads_no_image(
    command: Callable[..., Said], study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*given: Any, **named: Any) -> Any:
        raise AssertionError("an image was read")

    monkeypatch.setattr("trainer.data.decode.pictures", read)
    monkeypatch.setattr("search.config.dataset._shape_of", read)
    for named in ("tiny", study):
        assert command("best", named).status == 0


def test_changed_images_give_no_test_accuracy_and_do_not_resume(
    command: Callable[..., Said], study: Path, photos: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (8, 8), (1, 2, 3)).save(photos / "cat" / "0.png")
    said = command("export", "tiny#0", "--to", "mine")
    assert (
        said.status == 0 and "the images of photos differ from those that study tiny began with" in said.err
    )
    assert json.loads((tmp_path / "mine" / "report.json").read_text())["accuracy"]["test"] is None
    said = command("search", study)
    assert said.status == 2 and "the images of photos differ" in said.err


@pytest.mark.parametrize("unknown", [None, "soon", {"input": [1, 8]}, {"input": [3, 8, 8], "classes": []}])
def test_a_study_of_an_earlier_version_needs_its_images_for_an_export(
    command: Callable[..., Said], study: Path, photos: Path, tmp_path: Path, unknown: Any
) -> None:
    with open_to_write("tiny", tmp_path / "runs") as store:
        facts = store.study.user_attrs[FACTS_ATTR]
        store.study.set_user_attr(FACTS_ATTR, unknown)
    assert command("export", "tiny#0", "--to", "mine").status == 0
    photos.rename(tmp_path / "moved")
    said = command("export", "tiny#0", "--to", "other")
    assert (
        said.status == 2 and "stored nothing about its images" in said.err and len(said.err.splitlines()) == 1
    )
    assert command("best", "tiny").status == 0
    (tmp_path / "moved").rename(photos)
    assert command("search", study).status == 0
    assert open_to_read("tiny", tmp_path / "runs").study.user_attrs[FACTS_ATTR] == facts
