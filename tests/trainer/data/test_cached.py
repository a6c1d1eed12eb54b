"""Decoded images in a folder: read once, mapped by every process, never half written, never out of date."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from PIL import Image

from tests.trainer.data.made import images_of, pixels, put, refusal
from trainer import Data, load
from trainer.data import cached, decode, store
from trainer.data.augment import Draws
from trainer.data.fingerprint import fingerprint
from trainer.data.residence import Padded, Streamed, images


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return put(tmp_path / "pets")


def entries(cache: Path) -> list[Path]:
    return sorted(facts.parent for facts in cache.glob(f"*/{store.FACTS_FILE}"))


def same(one: Data, other: Data) -> bool:
    splits = zip((one.train, one.valid, one.test), (other.train, other.valid, other.test), strict=True)
    alike = all(torch.equal(a.x, b.x) and torch.equal(a.y, b.y) for a, b in splits)
    facts = ("name", "input", "classes", "mean", "std", "mirror", "reading", "seen")
    return alike and all(getattr(one, fact) == getattr(other, fact) for fact in facts)


def test_it_is_what_is_read_without_a_cache(pets: Path, tmp_path: Path) -> None:
    (pets / "cat" / "notes.txt").write_text("not an image")
    for answers in ({"size": 4}, {"size": 4, "mirror": True}):
        plain = load(pets, **answers)
        for _ in range(2):
            kept = load(pets, cache=tmp_path / "cache", **answers)
            assert same(kept, plain) and kept.digest() == plain.digest()
            assert kept.train.mapped and kept.place is not None
            assert Data.digest(kept.same(place=None)) == Data.digest(plain)
    (entry,) = entries(tmp_path / "cache")
    assert {file.suffix for file in entry.iterdir()} == {".bin", ".json"}


def test_files_are_decoded_once(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(pets, cache=tmp_path / "cache")
    monkeypatch.setattr(decode, "_decode", None)
    load(pets, cache=tmp_path / "cache")
    with pytest.raises(TypeError):
        load(pets, size=4, cache=tmp_path / "cache")


@pytest.mark.parametrize("said", [{}, {"group": r"(\d)\."}, {"size": 5, "fit": "crop"}])
def test_folds_are_decoded_once_too(
    said: dict[str, Any], pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = {folds: load(pets, folds=folds, **said) for folds in (2, 3)}
    load(pets, folds=2, cache=tmp_path / "cache", **said)
    monkeypatch.setattr(decode, "_decode", None)
    for folds, wanted in plain.items():
        kept = load(pets, folds=folds, cache=tmp_path / "cache", **said)
        assert kept.digest() == wanted.digest() and kept.reading == wanted.reading
        assert all(same(*pair) for pair in zip(kept.folds, wanted.folds, strict=True))
        assert len({fold.test.x.data_ptr() for fold in kept.folds}) == 1, "one copy of what no fold divides"
    assert len(entries(tmp_path / "cache")) == 1


def changed(pets: Path) -> None:
    Image.fromarray(pixels(77)).save(pets / "cat" / "0.png")


def added(pets: Path) -> None:
    Image.fromarray(pixels(78)).save(pets / "cat" / "new.png")


def removed(pets: Path) -> None:
    (pets / "cat" / "0.png").unlink()


def moved(pets: Path) -> None:
    (pets / "cat" / "0.png").rename(pets / "dog" / "one more.png")


@pytest.mark.parametrize("change", [changed, added, removed, moved])
def test_a_change_of_the_files_is_seen(change: Any, pets: Path, tmp_path: Path) -> None:
    before = load(pets, cache=tmp_path / "cache")
    seen = images_of(before)
    change(pets)
    after = load(pets, cache=tmp_path / "cache")
    assert after.digest() != before.digest() and same(after, load(pets))
    assert images_of(before) == seen, "the earlier images stay mapped"


def test_a_table_changes_with_the_images_that_lie_beside_it(pets: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    rows = [f"pets/{name}/{number}.png,{name}" for name in ("cat", "dog") for number in range(5)]
    table.write_text("\n".join(["file,label", *rows]))
    before = fingerprint(table, {})
    changed(pets)
    assert fingerprint(table, {}) != before


def test_a_link_to_a_folder_above_ends(pets: Path) -> None:
    (pets / "cat" / "up").symlink_to(pets, target_is_directory=True)
    assert fingerprint(pets, {}) != fingerprint(pets, {"size": 4})


@pytest.mark.parametrize("name", ["train_x.bin", "test_y.bin", "facts.json"])
def test_damage_on_the_disk_is_found_and_mended(name: str, pets: Path, tmp_path: Path) -> None:
    whole = load(pets, cache=tmp_path / "cache")
    (entry,) = entries(tmp_path / "cache")
    content = bytearray((entry / name).read_bytes())
    content[len(content) // 2] ^= 1
    (entry / name).write_bytes(content)
    assert store.opened(entry) is None
    mended = load(pets, cache=tmp_path / "cache")
    assert mended.digest() == whole.digest() and same(mended, load(pets))
    assert store.opened(entry) is not None


def test_a_file_that_is_cut_short_is_not_mapped(pets: Path, tmp_path: Path) -> None:
    load(pets, cache=tmp_path / "cache")
    (entry,) = entries(tmp_path / "cache")
    os.truncate(entry / "train_x.bin", 100)
    assert store.opened(entry, is_checked=True) is None


SLOWLY = """
import sys, time
from pathlib import Path
import numpy as np
from trainer.data import store

def blocks():
    for _ in range(10_000):
        yield np.zeros((1, 8), np.uint8)
        time.sleep(0.01)

with store.alone(Path(sys.argv[1])):
    column = store.Column(blocks(), (10_000, 8), np.dtype(np.uint8))
    store.write(Path(sys.argv[1]), "", {"train_x": column}, dict)
"""


def test_a_writer_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "cache" / "entry"
    writer = subprocess.Popen([sys.executable, "-c", SLOWLY, str(place)])
    while not list(place.parent.glob(".entry.*/train_x.bin")):
        assert writer.poll() is None
        time.sleep(0.01)
    writer.kill()
    writer.wait()
    assert store.opened(place) is None and list(place.parent.glob(".entry.*"))
    with store.alone(place):
        assert not list(place.parent.glob(".entry.*")), "the next writer removes what is left"


def test_a_folder_that_cannot_be_written_costs_memory_alone(
    pets: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    data = load(pets, cache=tmp_path / "file" / "cache")
    assert same(data, load(pets)) and data.place is None and not data.train.mapped
    assert "cannot keep decoded images" in caplog.text


def test_what_nobody_opens_for_a_month_is_removed(pets: Path, tmp_path: Path) -> None:
    for size in (4, 5):
        load(pets, size=size, cache=tmp_path / "cache")
    old = entries(tmp_path / "cache")[0]
    os.utime(old / store.FACTS_FILE, (0, 0))
    load(pets, size=6, cache=tmp_path / "cache")
    assert old not in entries(tmp_path / "cache") and len(entries(tmp_path / "cache")) == 2


def test_batches_of_mapped_images_are_those_of_images_in_memory(pets: Path, tmp_path: Path) -> None:
    plain, kept = load(pets), load(pets, cache=tmp_path / "cache")
    of_memory, of_file = (images(data.train, 2, torch.device("cpu")) for data in (plain, kept))
    assert isinstance(of_memory, Padded) and isinstance(of_file, Streamed)
    chosen, top = torch.tensor([3, 0, 2]), torch.tensor([0, 4, 1])
    draws = Draws(top, top.flip(0), None, None, None)
    for one, other in zip(of_memory.take(chosen, draws), of_file.take(chosen, draws), strict=True):
        assert torch.equal(one, other)


def test_a_large_data_set_with_a_name_is_shared_too(
    digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load("digits", cache=tmp_path).place is None, "it is too small"
    monkeypatch.setattr(cached, "WORTH_BYTES", 1)
    for _ in range(2):
        kept = load("digits", cache=tmp_path)
        assert same(kept, digits) and kept.train.mapped and kept.digest() == digits.digest()


def test_several_processes_decode_what_one_does(
    pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pets / "dog" / "3.png").write_bytes(b"\x89PNG no")
    one = load(pets, size=4, damaged=0.2)
    monkeypatch.setattr(decode, "MANY", 1)
    monkeypatch.setattr(decode, "usable_cores", lambda: 2)
    assert same(load(pets, size=4, damaged=0.2), one)
    assert same(load(pets, size=4, damaged=0.2, cache=tmp_path / "cache"), one)
    assert {file.suffix for file in (tmp_path / "cache").iterdir()} == {"", ".lock"}
    assert not list((tmp_path / "cache").glob(".*"))
    assert [(skipped.why, skipped.files) for skipped in one.seen.skipped] == [("damaged", 1)]
    assert one.seen.notes == (f"damaged: {pets}/dog/3.png",)


def test_a_question_of_a_file_comes_from_another_process(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGBA", (9, 7)).save(pets / "cat" / "0.png")
    alone = refusal(pets)
    monkeypatch.setattr(decode, "MANY", 1)
    monkeypatch.setattr(decode, "usable_cores", lambda: 2)
    assert refusal(pets) == alone and "say alpha: white or alpha: black" in alone


KILLED = """
import sys
from pathlib import Path
from trainer.data import decode
from trainer.data.reading import Reading
from trainer.data.spool import spooled
decode.MANY, decode.CHUNK, decode.usable_cores = 1, 1, lambda: 2
place = Path(sys.argv[1])
with spooled(place):
    decode.decoded(sorted(place.parent.rglob("?.png")) * 9, Reading(), (8, 8))
"""


def test_processes_that_decode_end_with_the_one_that_is_killed(tmp_path: Path) -> None:
    Image.new("L", (4_000, 4_000)).save(tmp_path / "0.png")
    place = tmp_path / "entry"
    reader = psutil.Popen([sys.executable, "-c", KILLED, str(place)])
    while not list(tmp_path.glob(".entry.*/*.images")):
        assert reader.poll() is None
        time.sleep(0.01)
    below = reader.children(recursive=True)
    reader.kill()
    reader.wait()
    _, left = psutil.wait_procs(below, timeout=30)
    assert below and not left
    with store.alone(place):
        assert not list(tmp_path.glob(".entry.*")), "the next writer removes what is left"


def test_facts_of_a_folder_are_plain(pets: Path, tmp_path: Path) -> None:
    load(pets, cache=tmp_path / "cache")
    (entry,) = entries(tmp_path / "cache")
    assert json.loads((entry / store.FACTS_FILE).read_text())["facts"]["classes"] == ["cat", "dog"]
    assert multiprocessing.active_children() == []


def test_studies_beside_the_images_are_none_of_them(pets: Path) -> None:
    """A table, or class folders, where `genome search` is called: what it writes there is not read."""
    cache = pets / "runs" / ".images"
    first = load(pets, cache=cache)
    made = pets / "runs" / "mine" / "best"
    made.mkdir(parents=True)
    (made / "architecture.svg").write_text("<svg/>")
    Image.fromarray(pixels(0)).save(made / "example.png")
    again = load(pets, cache=cache)
    assert again.digest() == first.digest() and again.place == first.place
    afresh = load(pets)
    assert afresh.digest() == first.digest()
    assert ("a folder of studies", 1, "runs") in afresh.seen.skipped
