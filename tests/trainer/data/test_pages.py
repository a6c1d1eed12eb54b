"""Pages of one file are never in two splits, and TIFF's values are read as its tags say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pairwise import pairs
from tests.trainer.data.made import pixels, put, refusal
from trainer import Data, load


def splits_of(data: Data) -> list[set[int]]:
    """Return the numbers of the files in each split, which stand in the first pixel of each page."""
    return [{int(x[0, 0, 0]) for x in split.x} for split in (data.train, data.valid, data.test)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pages=st.lists(st.integers(1, 4), min_size=8, max_size=16), seed=st.integers(0, 99), own=st.booleans())
def test_pages_of_one_file_are_never_in_two_splits(
    pages: list[int], seed: int, own: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("paged")
    for number, count in enumerate(pages):
        folder = root / ("test" if own and number < 4 else "train") / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        stack = pixels(number, (count, 7, 9))
        stack[:, 0, 0] = number
        tifffile.imwrite(folder / f"{number}.tif", stack, photometric="minisblack")
    data = load(root if own else root / "train", seed=seed, pages="each")
    train, valid, test = splits_of(data)
    assert not (train & valid or train & test or valid & test)
    assert train | valid | test == set(range(len(pages)))
    assert sum(map(len, (data.train, data.valid, data.test))) == sum(pages)
    assert all(len(split.y.unique()) == 2 for split in (data.train, data.valid, data.test))
    if max(pages[4 if own else 0 :]) > 1:
        assert "in whole files of several pages" in data.seen.origins[1]


def test_too_few_files_of_pages_are_refused_with_the_class(tmp_path: Path) -> None:
    for place, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for number in range(5 if name == "cat" else 2):
            stack = pixels(10 * place + number, (4, 7, 9))
            tifffile.imwrite(tmp_path / name / f"{number}.tif", stack, photometric="minisblack")
    said = refusal(tmp_path, pages="each")
    assert "class dog stands in too few files of several pages" in said and "splits of your own" in said


def test_pages_each_of_files_of_one_page_draws_as_without_it(tmp_path: Path) -> None:
    put(tmp_path)
    assert load(tmp_path, pages="each").digest() == load(tmp_path).digest()


TOPS = {np.uint8: 255, np.uint16: 65535, np.uint32: 2**32 - 1}


def tiffs(root: Path, kind: Any, photometric: str, shape: tuple[int, ...] = (7, 9), **options: Any) -> Path:
    """Write the same shown pictures whether white is zero or not."""
    top = TOPS.get(kind, 1)
    for place, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for number in range(5):
            shown = (pixels(10 * place + number, shape) / 255 * top).astype(kind)
            stored = (top - shown).astype(kind) if photometric == "miniswhite" else shown
            tifffile.imwrite(root / name / f"{number}.tif", stored, photometric=photometric, **options)
    return root


@pytest.mark.parametrize(("kind", "bands", "byteorder"), pairs(list(TOPS), [0, 2, 5], ["<", ">"]))
def test_white_is_zero_shows_the_same_pictures(kind: Any, bands: int, byteorder: Any, tmp_path: Path) -> None:
    more: dict[str, Any] = {"shape": (7, 9, bands) if bands else (7, 9), "byteorder": byteorder}
    if bands:
        more |= {"planarconfig": "contig", "extrasamples": [0] * (bands - 1)}
    said = {} if kind is np.uint8 else {"bits": 8 * np.dtype(kind).itemsize}
    black = load(tiffs(tmp_path / "black", kind, "minisblack", **more), **said)
    white = load(tiffs(tmp_path / "white", kind, "miniswhite", **more), **said)
    assert black.input[0] == (bands or 1) and black.digest() == white.digest()


@pytest.mark.parametrize("kind", [np.float32, np.int16])
def test_white_is_zero_without_a_top_is_refused(kind: Any, tmp_path: Path) -> None:
    said = refusal(tiffs(tmp_path, kind, "miniswhite"), range=[0, 1])
    assert f"0.tif is {np.dtype(kind)} with zero as white" in said and "MinIsBlack" in said


@pytest.mark.parametrize("kind", [np.uint32, np.int32, np.int8, np.uint16, np.int16])
def test_values_have_the_sign_that_the_tags_say(kind: Any, tmp_path: Path) -> None:
    about = np.iinfo(kind)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(5):
            values = np.full((7, 9), (about.min, about.max)[number % 2], kind)
            values[0, 0] = number
            tifffile.imwrite(tmp_path / name / f"{number}.tif", values)
    assert f"{about.min:g}..{about.max:g}" in refusal(tmp_path)


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("kind", [np.uint16, np.uint32])
def test_pictures_are_upright_whichever_library_reads_them(kind: Any, turned: int, tmp_path: Path) -> None:
    tag = [(274, "H", 1, turned, True)]
    plain = load(tiffs(tmp_path / "8", np.uint8, "minisblack", extratags=tag))
    deep = load(
        tiffs(tmp_path / "deep", kind, "minisblack", extratags=tag), bits=8 * np.dtype(kind).itemsize, depth=8
    )
    assert plain.input == deep.input and plain.digest() == deep.digest()


def test_a_message_names_the_file_alone(tmp_path: Path) -> None:
    (put(tmp_path) / "cat" / "0.png").write_bytes(b"not an image at all")
    said = refusal(tmp_path)
    assert "cat/0.png cannot be read as an image" in said and "<" not in said
