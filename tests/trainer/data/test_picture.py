"""Picture files of every kind that people have: read as they are, or refused with what may be said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainer.data.made import images_of, pixels, put, refusal
from trainer import Data, load

Maker = Callable[[int, str], Image.Image]


def ink(number: int, mode: str) -> Image.Image:
    """Return black ink on a transparent ground, of which the colours alone are black all over."""
    stroke = np.zeros((7, 9), np.uint8)
    stroke[number % 7, 2:7] = 255
    rgba = np.zeros((7, 9, 4), np.uint8)
    rgba[..., 3] = stroke
    image = Image.fromarray(rgba)
    if mode == "P":
        indexed = Image.fromarray(stroke // 255)
        indexed.putpalette([0, 0, 0, 0, 0, 0])
        indexed.info["transparency"] = 0
        return indexed
    return image.convert(mode)


def drawn(folder: Path, make: Callable[[int], Image.Image], suffix: str = ".png", **options: Any) -> Path:
    for place, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for number in range(5):
            make(5 * place + number).save(folder / name / f"{number}{suffix}", **options)
    return folder


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_need_a_ground(mode: str, tmp_path: Path) -> None:
    drawn(tmp_path, lambda number: ink(number, mode))
    said = refusal(tmp_path)
    assert "cat/0.png has transparent pixels; say alpha: white or alpha: black" in said
    assert "(white shows more contrast here)" in said
    white, black, dropped = (load(tmp_path, alpha=alpha) for alpha in ("white", "black", "drop"))
    assert int(black.train.x.max()) == int(dropped.train.x.max()) == 0
    row = white.train.x[0, 0].float().min(dim=1).values
    assert sorted(row.tolist()) == [0] + 6 * [255], "one row has ink"


def test_white_ink_is_shown_on_black(tmp_path: Path) -> None:
    drawn(
        tmp_path,
        lambda number: Image.merge("LA", (Image.new("L", (9, 7), 255), ink(number, "LA").getchannel("A"))),
    )
    assert "(black shows more contrast here)" in refusal(tmp_path)
    assert load(tmp_path, alpha="black").train.x.float().std() > 0


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_opaque_alpha_channel_changes_nothing(mode: str, tmp_path: Path) -> None:
    plain = mode.removesuffix("A")
    made = [Image.fromarray(pixels(number)).convert(plain) for number in range(10)]
    drawn(tmp_path / "with", lambda number: made[number].convert(mode))
    drawn(tmp_path / "without", lambda number: made[number])
    assert load(tmp_path / "with").digest() == load(tmp_path / "without").digest()


def png16(number: int, channels: int) -> np.ndarray[Any, Any]:
    """Return 12 bits in 16."""
    return pixels(number, (7, 9, channels), 4096, np.uint16)


def written_png16(folder: Path, channels: int, alpha: int | None = None) -> None:
    """Write PNG of 16 bits a channel, which Pillow cannot."""
    png = pytest.importorskip("png")
    for place, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for number in range(5):
            image = png16(5 * place + number, channels)
            if alpha is not None:
                image[..., -1] = alpha
            writer = png.Writer(9, 7, bitdepth=16, greyscale=channels < 3, alpha=channels in (2, 4))
            with (folder / name / f"{number}.png").open("wb") as file:
                writer.write(file, image.reshape(7, -1).tolist())


def scaled(image: np.ndarray[Any, Any], top: int = 4095) -> bytes:
    return np.rint(image * (65535 / top)).astype(np.uint16).transpose(2, 0, 1).tobytes()


def test_colour_png_of_16_bits_is_scaled_by_its_bits(tmp_path: Path) -> None:
    written_png16(tmp_path, 3)
    high = max(int(png16(number, 3).max()) for number in range(10))
    said = refusal(tmp_path)
    assert (
        f"{tmp_path} is uint16 with values" in said
        and f"..{high}; say of how many bits they are (bits: 12" in said
    )
    data = load(tmp_path, bits=12)
    assert images_of(data) == {scaled(png16(number, 3)) for number in range(10)}
    assert "of which 0..4095 is kept in 16 bits (0..65535)" in data.seen.pixels
    assert "values 1..4" in (said := refusal(tmp_path, bits=8)) or "which are not of 8 bits" in said
    assert load(tmp_path, range=[0, 4095]).digest() == data.digest()


def test_grey_png_of_16_bits_with_alpha(tmp_path: Path) -> None:
    written_png16(tmp_path / "opaque", 2, alpha=65535)
    data = load(tmp_path / "opaque", bits=12)
    assert data.input == (1, 7, 9)
    assert images_of(data) == {scaled(png16(number, 2)[..., :1]) for number in range(10)}
    written_png16(tmp_path / "clear", 4, alpha=70)
    assert "has transparent pixels and more than 8 bits a channel; say alpha: drop" in refusal(
        tmp_path / "clear", bits=12
    )
    assert load(tmp_path / "clear", bits=12, alpha="drop").input == (3, 7, 9)


def test_one_channel_of_16_bits_is_scaled_by_its_bits(tmp_path: Path) -> None:
    drawn(tmp_path, lambda number: Image.fromarray(png16(number, 1)[..., 0]))
    assert "is uint16 with values" in refusal(tmp_path)
    assert images_of(load(tmp_path, bits=12)) == {scaled(png16(number, 1)) for number in range(10)}
    assert load(tmp_path, bits=12, size=4).input == (1, 4, 4)
    (tmp_path / "cat" / "0.png").unlink()
    Image.new("L", (9, 7)).save(tmp_path / "cat" / "0.png")
    assert "has images of uint16 and of uint8; save all with the same bits" in refusal(tmp_path, bits=12)


def test_bits_of_pictures_of_8_bits_are_refused(tmp_path: Path) -> None:
    put(tmp_path)
    assert "has 8 bits a channel, and bits: 12 is said" in refusal(tmp_path, bits=12)


def test_pages_and_frames_need_a_word(tmp_path: Path) -> None:
    def paged(suffix: str) -> Path:
        root = tmp_path / suffix
        for place, name in enumerate(("cat", "dog")):
            (root / name).mkdir(parents=True)
            for number in range(4):
                black = Image.new("RGB", (9, 7))
                later = [Image.fromarray(pixels(place * 40 + number * 10 + page)) for page in range(2)]
                black.save(root / name / f"{number}{suffix}", save_all=True, append_images=later)
        return root

    for suffix in (".tif", ".gif", ".png", ".webp"):
        root = paged(suffix)
        assert f"cat/0{suffix} has 3 pages or frames; say pages: first, or pages: each" in refusal(root)
        assert int(load(root, pages="first").train.x.max()) == 0
        each = load(root, pages="each")
        assert sum(map(len, (each.train, each.valid, each.test))) == 24 and int(each.train.x.max()) > 0


def test_damaged_exif_leaves_the_pixels(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    put(tmp_path, count=4)
    plain = images_of(load(tmp_path))
    for number, damage in enumerate(
        (b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", b"II*\0\x08\0\0\0\x01\0\x12\x01\x05\0")
    ):
        image = Image.fromarray(pixels(70 + number))
        image.save(tmp_path / "cat" / f"d{number}.jpg", exif=b"Exif\0\0" + damage, quality=95)
    data = load(tmp_path)
    assert len(images_of(data)) == len(plain) + 3 and data.input == (3, 7, 9)


@pytest.mark.parametrize("turn", range(1, 9))
def test_every_orientation_of_a_camera_is_undone(turn: int, tmp_path: Path) -> None:
    from PIL import ImageOps

    said = Image.Exif()
    said[0x0112] = turn
    drawn(tmp_path, lambda number: Image.fromarray(pixels(number)), ".jpg", exif=said)
    upright = {
        np.asarray(ImageOps.exif_transpose(Image.open(file))).transpose(2, 0, 1).tobytes()
        for file in tmp_path.rglob("*.jpg")
    }
    assert images_of(load(tmp_path)) == upright


def test_sizes_that_differ_may_be_the_median(tmp_path: Path) -> None:
    for place, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for number in range(6):
            shape = (30 + number, 20 + number, 3)
            Image.fromarray(pixels(place * 6 + number, shape)).save(tmp_path / name / f"{number}.png")
    assert "make all images one size, or give a size such as 32, or auto for the median side" in refusal(
        tmp_path
    )
    data = load(tmp_path, size="auto")
    assert data.input == (3, 28, 28) and data.seen.pixels.endswith("resized from 30x20 to 35x25")
    assert load(tmp_path, size=(12, 10)).input == (3, 12, 10)


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    assert "decompression bomb" in refusal(tmp_path)


def tiffs(folder: Path, make: Callable[[int], np.ndarray[Any, Any]], **options: Any) -> Path:
    tifffile = pytest.importorskip("tifffile")
    for place, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for number in range(5):
            tifffile.imwrite(folder / name / f"{number}.tif", make(5 * place + number), **options)
    return folder


def deep(channels: int) -> Callable[[int], np.ndarray[Any, Any]]:
    return lambda number: png16(number, channels)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("channels", [3, 4, 5, 13])
def test_deep_and_banded_tiff(channels: int, planar: str, tmp_path: Path) -> None:
    rgb = {"photometric": "rgb" if channels < 5 else "minisblack", "planarconfig": planar}
    if channels == 4:
        rgb["extrasamples"] = ["unspecified"]  # RGB and near infrared

    def made(number: int) -> np.ndarray[Any, Any]:
        return png16(number, channels).transpose(2, 0, 1) if planar == "separate" else png16(number, channels)

    tiffs(tmp_path, made, **rgb)
    assert "is uint16 with values" in refusal(tmp_path)
    data = load(tmp_path, bits=12)
    assert data.input == (channels, 7, 9)
    assert images_of(data) == {scaled(png16(number, channels)) for number in range(10)}


def test_four_bands_of_8_bits_are_all_read(tmp_path: Path) -> None:
    tiffs(tmp_path, lambda number: pixels(number, (7, 9, 4)), photometric="rgb", extrasamples=["unspecified"])
    data = load(tmp_path)
    assert images_of(data) == {pixels(number, (7, 9, 4)).transpose(2, 0, 1).tobytes() for number in range(10)}
    assert load(tmp_path, size=5).input == (4, 5, 5)


def test_float_tiff_of_0_to_1_is_read_and_others_are_asked_for(tmp_path: Path) -> None:
    tiffs(tmp_path / "unit", lambda number: pixels(number, (7, 9), 256, np.float32) / np.float32(255))
    assert load(tmp_path / "unit").input == (1, 7, 9)
    tiffs(tmp_path / "height", lambda number: pixels(number, (7, 9), 900, np.float32) - 20)
    assert "say which values are black and white, such as range: [-20, 8" in refusal(tmp_path / "height")
    assert load(tmp_path / "height", range=[-20, 880]).input == (1, 7, 9)


def test_a_tiff_of_deep_pages_is_a_question_too(tmp_path: Path) -> None:
    tiffs(tmp_path, lambda number: pixels(number, (3, 7, 9, 3), 4096, np.uint16), photometric="rgb")
    assert "has 3 pages or frames; say pages: first" in refusal(tmp_path, bits=12)
    data = load(tmp_path, bits=12, pages="each")
    assert isinstance(data, Data) and sum(map(len, (data.train, data.valid, data.test))) == 30


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiffs(tmp_path, deep(3), photometric="rgb")
    monkeypatch.setitem(__import__("sys").modules, "tifffile", None)
    assert "install tifffile to read it, with `pip install tifffile`" in refusal(tmp_path, bits=12)
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    (tmp_path / "cat" / "0.dcm").touch()
    assert (
        "0.dcm is DICOM; install pydicom to read it, with `pip install pydicom` or `pip install 'genome"
        in refusal(tmp_path)
    )
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    (tmp_path / "cat" / "0.dcm").rename(tmp_path / "cat" / "0.HEIC")
    assert "0.HEIC is HEIC; install pillow-heif to read it" in refusal(tmp_path)


def test_channels_that_differ_are_refused(tmp_path: Path) -> None:
    tiffs(tmp_path, lambda number: pixels(number, (7, 9, 4)), photometric="rgb", extrasamples=["unspecified"])
    Image.fromarray(pixels(1)).save(tmp_path / "cat" / "x.png")
    assert "the numbers of channels differ" in refusal(tmp_path)


def test_deep_pictures_are_kept_in_16_bits_or_as_is_said(tmp_path: Path) -> None:
    written_png16(tmp_path, 3)
    deep = load(tmp_path, bits=16)
    assert deep.train.x.dtype == torch.uint16 and deep.white == 65535 and "16 bits, " in deep.seen.pixels
    assert images_of(deep) == {png16(number, 3).transpose(2, 0, 1).tobytes() for number in range(10)}
    flat = load(tmp_path, bits=16, depth=8)
    assert flat.train.x.dtype == torch.uint8
    assert torch.equal(flat.train.x, (deep.train.x.double() / 257).round().byte())
