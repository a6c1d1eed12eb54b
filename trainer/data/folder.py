"""Images in a folder: one subfolder per class, or train/ and test/ with one subfolder per class each."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from trainer.data.raw import Images, Labels, Raw
from trainer.errors import DataError

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
GREY = frozenset({"1", "L", "LA"})
COLOUR = frozenset({"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr"})

Size = tuple[int, int]


def read_folder(path: Path, *, size: Size | None, mirror: bool) -> Raw:
    """Read image files with Pillow, as grey if every file is grey, else as RGB; an alpha channel is dropped.

    size: (height, width) to which every image is resized; by default all must have the same size.
    Raises DataError for a folder without classes, an unreadable file, sizes that differ.
    """
    parts = {part.name for part in _folders(path)}
    if not {"train", "test"} <= parts:
        classes = _class_names(path)
        x, y = _read_classes(path, classes, size)
        return Raw(path.resolve().name, classes, _channels(x, _colours(x)), y, None, None, mirror, str(path))
    if parts != {"train", "test"}:
        odd = sorted(parts - {"train", "test"})[0]
        raise DataError(f"{path} has train/ and test/ and also {odd}/; only those two may be there")
    classes = _class_names(path / "train")
    strange = sorted(set(_class_names(path / "test")) - set(classes))
    if strange:
        raise DataError(f"{path / 'test'} has the class {strange[0]} that {path / 'train'} has not")
    train_x, train_y = _read_classes(path / "train", classes, size)
    test_x, test_y = _read_classes(path / "test", classes, size or train_x[0].shape[:2])
    colours = _colours(train_x + test_x)
    return Raw(
        path.resolve().name,
        classes,
        _channels(train_x, colours),
        train_y,
        _channels(test_x, colours),
        test_y,
        mirror,
        str(path),
    )


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def _class_names(path: Path) -> tuple[str, ...]:
    names = tuple(folder.name for folder in _folders(path))
    if len(names) < 2:
        raise DataError(
            f"{path} has {len(names)} subfolders with images; there must be one for each class, at least 2"
        )
    return names


def _read_classes(path: Path, classes: tuple[str, ...], size: Size | None) -> tuple[list[Images], Labels]:
    images: list[Images] = []
    labels: list[int] = []
    first: Path | None = None
    for label, name in enumerate(classes):
        for file in _files(path / name):
            image = read_picture(file, size)
            if images and image.shape[:2] != images[0].shape[:2]:
                raise DataError(
                    f"{file} is {_size(image)} but {first} is {_size(images[0])}; "
                    "make all images one size, or give a size such as 32 (data.size in a study, --size)"
                )
            first = first or file
            images.append(image)
            labels.append(label)
    return images, np.asarray(labels, dtype=np.int64)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        return  # a class without test images
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise DataError(
            f"{path} has no image file; it must hold one or more of {', '.join(sorted(SUFFIXES))}"
        )
    yield from files


def read_picture(file: Path, size: Size | None, mode: str | None = None) -> Images:
    """Return one image as (H, W) if grey, else (H, W, 3). Raises DataError, one sentence.

    size: (height, width) to which it is resized.  mode: L or RGB; by default that of the file.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            with Image.open(file) as opened:
                if opened.mode not in GREY | COLOUR:
                    raise DataError(f"{file} has pixels of mode {opened.mode}; save it with 8 bits a channel")
                upright = ImageOps.exif_transpose(opened)
                image = upright.convert(mode or ("L" if opened.mode in GREY else "RGB"))
        if size is not None and (image.height, image.width) != tuple(size):
            image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        return np.asarray(image, dtype=np.uint8)
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        Image.DecompressionBombWarning,
        Image.DecompressionBombError,
    ) as error:
        if isinstance(error, DataError):
            raise
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{file} cannot be read as an image ({reason}); replace or remove it") from None


def _colours(images: list[Images]) -> int:
    return 3 if any(image.ndim == 3 for image in images) else 1


def _channels(images: list[Images], channels: int) -> Images:
    planes = [image if image.ndim == 3 else np.repeat(image[..., None], channels, axis=2) for image in images]
    return np.ascontiguousarray(np.stack(planes).transpose(0, 3, 1, 2))  # (N, C, H, W)


def _size(image: Images) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"
