"""Your own images as a folder: real files, written by Pillow."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer import DataError, load

STREAM = np.random.default_rng(0)


def image(mode: str = "RGB", size: tuple[int, int] = (9, 7)) -> Image.Image:
    """Return a random image of size (width, height)."""
    pixels = STREAM.integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def classes(root: Path, names: tuple[str, ...] = ("cat", "dog"), count: int = 4, mode: str = "RGB") -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
        for number in range(count):
            image(mode).save(root / name / f"{number}.png")
    return root


def test_one_subfolder_a_class(tmp_path: Path) -> None:
    root = classes(tmp_path / "pets", count=10)
    (root / ".hidden").mkdir()
    (root / "cat" / "notes.txt").write_text("no image")
    data = load(root)
    assert (data.name, data.input, data.classes, data.mirror) == ("pets", (3, 7, 9), ("cat", "dog"), False)
    assert [len(part) for part in (data.train, data.valid, data.test)] == [14, 2, 4]
    every = {x.numpy().tobytes() for part in (data.train, data.valid, data.test) for x in part.x}
    files = {
        np.asarray(Image.open(file)).transpose(2, 0, 1).tobytes() for file in sorted(root.rglob("*.png"))
    }
    assert every == files
    assert load(root).digest() == data.digest()


def test_train_and_test_subfolders_are_kept(tmp_path: Path) -> None:
    classes(tmp_path / "train", count=6)
    classes(tmp_path / "test", count=3)
    data = load(tmp_path)
    assert [len(part) for part in (data.train, data.valid, data.test)] == [10, 2, 6]


@pytest.mark.parametrize(
    ("modes", "channels"),
    [(("L", "L"), 1), (("L", "RGB"), 3), (("1", "LA"), 1), (("P", "RGBA"), 3), (("RGB", "CMYK"), 3)],
)
def test_grey_or_colour_is_found_from_the_files(
    modes: tuple[str, str], channels: int, tmp_path: Path
) -> None:
    for name, mode in zip(("cat", "dog"), modes, strict=True):
        (tmp_path / name).mkdir()
        for number in range(3):
            image(mode).save(tmp_path / name / f"{number}.{'tif' if mode == 'CMYK' else 'png'}")
    assert load(tmp_path).input == (channels, 7, 9)


def test_size_resizes_and_a_camera_s_rotation_is_undone(tmp_path: Path) -> None:
    classes(tmp_path, count=3)
    image(size=(20, 30)).save(tmp_path / "cat" / "other.jpg")
    assert load(tmp_path, size=8).input == (3, 8, 8)
    assert load(tmp_path, size=(6, 12)).input == (3, 6, 12)
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was turned by 90 degrees
    image(size=(7, 9)).save(tmp_path / "cat" / "other.jpg", exif=turned)
    assert load(tmp_path).input == (3, 7, 9)


def other_size(root: Path) -> None:
    image(size=(5, 5)).save(root / "dog" / "odd.png")


def text_as_image(root: Path) -> None:
    (root / "dog" / "odd.png").write_text("no image at all")


def truncated(root: Path) -> None:
    file = root / "dog" / "0.png"
    file.write_bytes(file.read_bytes()[:-60])


def deep(root: Path) -> None:
    Image.fromarray(STREAM.integers(60000, size=(7, 9), dtype=np.uint16)).save(root / "dog" / "odd.png")


def one_class(root: Path) -> None:
    for file in (root / "dog").iterdir():
        file.unlink()
    (root / "dog").rmdir()


def no_images(root: Path) -> None:
    for file in (root / "dog").iterdir():
        file.unlink()


def too_few(root: Path) -> None:
    (root / "dog" / "0.png").unlink()
    (root / "dog" / "1.png").unlink()


def third_part(root: Path) -> None:
    for part in ("train", "test", "val"):
        classes(root / part)


def new_test_class(root: Path) -> None:
    classes(root / "train")
    classes(root / "test", ("cat", "emu"))
    for name in ("cat", "dog"):
        for file in (root / name).iterdir():
            file.unlink()
        (root / name).rmdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (other_size, "dog/odd.png is 5x5 but {root}/cat/0.png is 7x9; make all images one size, or give"),
        (text_as_image, "dog/odd.png cannot be read as an image (its first bytes are of no known format"),
        (truncated, "dog/0.png cannot be read as an image ("),
        (deep, "{root} has images of uint16 and of uint8; save all with the same bits a channel"),
        (one_class, "{root} has 1 subfolders with images; there must be one for each class, at least 2"),
        (no_images, "{root} has 1 subfolders with images; there must be one for each class, at least 2"),
        (too_few, "class dog has 2 images; at least 3 are needed for train, valid and test"),
        (
            third_part,
            "{root} has test/ and train/ and val/ and also cat/; only splits may be there: leave it out with skip",
        ),
        (new_test_class, "{root}/test has the class emu that {root}/train has not"),
    ],
)
def test_broken_folders(spoil: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    root = classes(tmp_path / "pets")
    spoil(root)
    with pytest.raises(DataError) as caught:
        load(root)
    assert message.format(root=root) in str(caught.value) and "\n" not in str(caught.value)


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = classes(tmp_path / "pets")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    with pytest.raises(DataError, match=r"more than 4e-05 megapixels; .* say megapixels: "):
        load(root)
