"""Data sets by name: real digits, Fashion-MNIST through torchvision, and the fixed split."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from trainer import NAMES, Data, DataError, Split, load
from trainer.data.split import divide

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"


def rows(split: Split) -> set[bytes]:
    return {x.numpy().tobytes() for x in split.x}


def test_digits_are_the_real_scans(digits: Data) -> None:
    from sklearn.datasets import load_digits

    theirs = load_digits()
    assert digits.input == (1, 8, 8) and digits.classes == tuple("0123456789") and not digits.mirror
    assert (len(digits.train), len(digits.valid), len(digits.test)) == (1222, 216, 359)
    ours = {
        (x.tobytes(), int(y)) for part in parts(digits) for x, y in zip(part.x.numpy(), part.y, strict=True)
    }
    scaled = np.rint(theirs.images * 255 / 16).astype(np.uint8)
    assert ours == {(x.tobytes(), int(y)) for x, y in zip(scaled, theirs.target, strict=True)}
    assert digits.train.x.dtype == torch.uint8 and digits.train.y.dtype == torch.int64
    assert (int(digits.train.x.min()), int(digits.train.x.max())) == (0, 255)


def parts(data: Data) -> tuple[Split, Split, Split]:
    return data.train, data.valid, data.test


def test_the_split_is_disjoint_stratified_and_never_moves(digits: Data) -> None:
    train, valid, test = (rows(part) for part in parts(digits))
    assert not train & valid and not train & test and not valid & test
    counts = [torch.bincount(part.y, minlength=10) for part in parts(digits)]
    whole = sum(counts)
    for part, share in zip(counts, (0.68, 0.12, 0.20), strict=True):
        assert (part / whole - share).abs().max() < 0.01
    # Golden values: a study that is resumed after an update must see the same images as before.
    assert digits.digest() == "7c6c4d7485f47765"


def test_the_digest_knows_what_changed(digits: Data) -> None:
    assert load("digits").digest() == digits.to("cpu").digest() == digits.digest()
    assert load("digits", seed=1).digest() != digits.digest()
    x = digits.test.x.clone()
    x[0, 0, 0, 0] += 1
    assert replace(digits, test=Split(x, digits.test.y)).digest() != digits.digest()
    assert replace(digits, classes=tuple("abcdefghij")).digest() != digits.digest()


@pytest.mark.parametrize("count", [2, 3, 4, 7, 100])
def test_divide_draws_at_least_one_and_leaves_one(count: int) -> None:
    y = np.repeat(np.arange(3), count)
    rest, drawn = divide(y, 0.15, seed=0)
    assert np.array_equal(np.sort(np.concatenate([rest, drawn])), np.arange(len(y)))
    assert np.bincount(y[drawn]).tolist() == [max(1, round(count * 0.15))] * 3
    assert np.bincount(y[rest], minlength=3).min() >= 1


def test_statistics_are_those_of_the_train_pixels(digits: Data) -> None:
    pixels = digits.train.x.double() / 255
    assert digits.mean == pytest.approx((pixels.mean().item(),))
    assert digits.std == pytest.approx((pixels.std(correction=0).item(),))


def test_data_are_frozen_and_not_copied_without_need(digits: Data) -> None:
    with pytest.raises(AttributeError):
        digits.name = "other"  # type: ignore[misc]
    assert digits.to("cpu").train.x.data_ptr() == digits.train.x.data_ptr()


def test_fashion_mnist_through_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SHARED / "fashion-mnist" / "FashionMNIST" / "raw"
    if not source.is_dir():
        pytest.skip("Fashion-MNIST does not lie beside the checkout")
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for packed in source.glob("*.gz"):
        shutil.copy(packed, raw)
    monkeypatch.setenv("GENOME_DATA", str(tmp_path))
    data = load("fashion-mnist")  # the packed files equal torchvision's to the byte, so load unpacks them
    assert data.input == (1, 28, 28) and data.mirror and data.classes[9] == "Ankle boot"
    assert [len(part) for part in parts(data)] == [51_000, 9_000, 10_000]
    assert torch.bincount(data.valid.y).tolist() == [900] * 10
    assert torch.bincount(data.test.y).tolist() == [1000] * 10  # the official test part
    assert data.mean[0] == pytest.approx(0.2860, abs=1e-3) and data.std[0] == pytest.approx(0.3530, abs=1e-3)
    for packed in raw.glob("*.gz"):
        packed.unlink()
    assert load("fashion-mnist", root=tmp_path, download=False).digest() == data.digest()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "digits"])
def test_absent_data_say_how_to_get_them(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")  # nobody listens at the proxy: the network is down
    monkeypatch.delenv("no_proxy", raising=False)
    for download in (False, True):
        with pytest.raises(DataError) as caught:
            load(name, root=tmp_path, download=download)
        message = str(caught.value)
        assert message.startswith(f"{name} is not in {tmp_path} and could not be fetched (")
        assert (
            message.endswith("or name their folder with --data-root or GENOME_DATA") and "\n" not in message
        )


@pytest.mark.parametrize("name", ["nonsense", "", "~nobody-here/x", "a\0b", "x" * 5000])
def test_unknown_names_list_the_known(name: str) -> None:
    with pytest.raises(DataError) as caught:
        load(name)
    assert (
        str(caught.value)
        == f"data is {name!r}; it must be one of {', '.join(NAMES)}, or a file or folder of images that is there "
        "(docs/data.md has the layouts)"
    )


def test_size_is_for_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="size is given for digits; it is for images of your own"):
        load("digits", size=16)
    for size in (0, -1, 5000, 2.5, "8", (8,), (8, 8, 8), True):
        with pytest.raises(DataError, match=r"it must be 1\.\.4096 pixels of a side, .* or auto"):
            load(tmp_path, size=size)  # type: ignore[arg-type]
