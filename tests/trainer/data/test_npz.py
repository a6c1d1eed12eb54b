"""Your own images as an .npz: what is read, and the one-sentence refusal of every other file."""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer import Data, DataError, Recipe, fit, load

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"
STREAM = np.random.default_rng(0)


def arrays(shape: tuple[int, ...] = (8, 6), count: int = 12, classes: int = 3) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for part in ("train", "test"):
        made[f"{part}_x"] = STREAM.integers(256, size=(count, *shape), dtype=np.uint8)
        made[f"{part}_y"] = np.arange(count) % classes
    return made


def saved(path: Path, **changes: Any) -> Path:
    values = arrays() | changes
    file = path / "mine.npz"
    np.savez(file, **{name: value for name, value in values.items() if value is not None})
    return file


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        ((8, 6), (1, 8, 6)),
        ((8, 6, 3), (3, 8, 6)),
        ((3, 8, 6), (3, 8, 6)),
        ((8, 6, 1), (1, 8, 6)),
        ((2, 8, 6), (2, 8, 6)),
    ],
)
def test_layouts(shape: tuple[int, ...], image: tuple[int, int, int], tmp_path: Path) -> None:
    values = arrays(shape)
    data = load(saved(tmp_path, **values))
    assert (data.name, data.input, data.classes, data.mirror) == ("mine", image, ("0", "1", "2"), False)
    expected = (
        values["test_x"].reshape(12, *image) if shape[-1] > 4 else values["test_x"].transpose(0, 3, 1, 2)
    )
    assert np.array_equal(data.test.x.numpy(), expected)
    assert (len(data.train), len(data.valid)) == (9, 3)


def test_class_names_and_mirror_are_the_owner_s(tmp_path: Path) -> None:
    data = load(saved(tmp_path, classes=np.array(["cat", "dog", "eel"])), mirror=True)
    assert data.classes == ("cat", "dog", "eel") and data.mirror


BROKEN = [
    ({"test_y": None}, "has no array test_y; it must hold train_x and train_y, and may hold"),
    (
        {"train_x": np.zeros((12, 8, 6), np.float32)},
        "train_x is float32 but test_x is uint8; save both alike",
    ),
    (
        {"train_x": np.full((12, 8, 6), np.nan)},
        "train_x is float64 and holds NaN or infinite pixels; replace them",
    ),
    (
        {"train_x": np.zeros((12, 48), np.uint8)},
        "train_x has shape (12, 48): its images are flat; save them as (N, H, W)",
    ),
    (
        {"train_x": np.zeros((12, 8, 6, 5), np.uint8)},
        "train_x has shape (12, 8, 6, 5) and no axis of 1 to 4 channels; say channels: first or",
    ),
    ({"train_x": np.zeros((12, 3, 6, 3), np.uint8)}, "which axis is the channels cannot be told"),
    ({"train_x": np.zeros((12, 0, 6), np.uint8)}, "train_x has shape (12, 0, 6) and is empty"),
    ({"train_x": np.zeros((0, 8, 6), np.uint8), "train_y": np.zeros(0, int)}, "and is empty"),
    ({"test_x": np.zeros((0, 8, 6), np.uint8), "test_y": np.zeros(0, int)}, "and is empty"),
    (
        {"test_x": np.zeros((12, 8, 7), np.uint8)},
        "train images are 1x8x6 but test images are 1x8x7; they must agree",
    ),
    ({"train_y": np.arange(11) % 3}, "train_y has 11 labels for 12 images; there must be one for each image"),
    (
        {"train_y": np.arange(12) % 3 - 1},
        "train_y holds the label -1; take the images that have no label out",
    ),
    ({"train_y": np.arange(12) % 3 + 1}, "test_y holds the label 0, which no train image has"),
    ({"test_y": np.arange(12) % 4}, "test_y holds the label 3, which no train image has"),
    ({"train_y": np.array([0, 1, 2**40] * 4)}, "test_y holds the label 2, which no train image has"),
    ({"train_y": np.array([0, 1, 2**63] * 4, np.uint64)}, "holds the label 9223372036854775808"),
    ({"train_y": np.zeros(12, int)}, "train_y holds one class; at least 2 are needed"),
    ({"train_y": np.arange(12) / 2}, "train_y holds 0.5; labels must be whole numbers or strings"),
    ({"train_y": np.eye(12, dtype=int)}, "class 0 has 1 images; at least 2 are needed for train and valid"),
    (
        {"train_y": np.array([0] * 10 + [1, 2])},
        "class 1 has 1 images; at least 2 are needed for train and valid",
    ),
    ({"train_y": np.array([object()] * 12)}, "train_y holds Python objects, which are never loaded"),
    ({"classes": np.array(["a", "a", "b"])}, "classes holds 3 names, 2 different"),
    ({"classes": np.array(["a", "b"])}, "train_y holds the label 2; labels must be 0..1"),
    ({"classes": np.array([1, 2, 3])}, "classes is int64 (3,); it must be strings (K,)"),
    ({"classes": np.array(["a", None, "b"])}, "classes holds Python objects, which are never loaded"),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN)
def test_broken_arrays(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = saved(tmp_path, **changes)
    with pytest.raises(DataError) as caught:
        load(file)
    assert message in str(caught.value) and str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_no_zip(tmp_path: Path) -> None:
    for name, content in (("a.npz", b""), ("b.npz", b"not a zip at all"), ("c.npz", npy(np.zeros(3)))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=r"is not a readable .npz file .* write it with numpy.savez"):
            load(tmp_path / name)
    (tmp_path / "d.txt").write_text("x")
    with pytest.raises(DataError, match=r"d.txt is of no layout that is known"):
        load(tmp_path / "d.txt")


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize("packed", [False, True])
def test_any_truncation_or_damage_is_one_sentence(packed: bool, tmp_path: Path) -> None:
    file = tmp_path / "mine.npz"
    (np.savez_compressed if packed else np.savez)(file, **arrays())
    whole = file.read_bytes()
    stream = np.random.default_rng(1)
    refused = 0
    for trial in range(200):
        broken = bytearray(whole)
        if trial % 2:
            del broken[stream.integers(len(whole)) :]
        else:
            broken[stream.integers(len(whole))] ^= 1 << int(stream.integers(8))
        file.write_bytes(broken)
        try:
            load(file)  # a flipped bit in a time stamp is harmless
        except DataError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 120


def test_a_false_header_asks_for_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "mine.npz"
    values = arrays()
    header = npy(values["train_x"]).replace(b"(12, 8, 6)", b"(10**9999)"[:10])
    huge = npy(values["train_x"]).replace(b"(12, 8, 6), ", b"(9**9, 9, 9),"[:12])
    counted = npy(values["train_x"]).replace(b"(12, 8, 6)", b"(99999,8,6)"[:10])
    for content in (header, huge, counted, b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535, b"", b"\x93NUMPY"):
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in values.items():
                archive.writestr(f"{name}.npy", content if name == "train_x" else npy(array))
        with pytest.raises(DataError, match=r"train_x (cannot be read|is cut short|has shape)"):
            load(file)


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    flag = tmp_path / "ran"

    class Mine:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(flag),)

    file = saved(tmp_path, train_x=np.array([Mine()] * 12))
    with pytest.raises(DataError, match="train_x holds Python objects, which are never loaded"):
        load(file)
    assert not flag.exists()


def test_real_cifar10_trains_from_an_npz(tmp_path: Path) -> None:
    source = SHARED / "cifar10" / "cifar10-1of2.npz"
    if not source.is_file():
        pytest.skip("CIFAR-10 does not lie beside the checkout")
    values: dict[str, Any] = {}
    with np.load(source) as packed:
        for part, count in (("train", 600), ("test", 200)):
            values[f"{part}_x"] = decoded(packed[f"{part}_residual"][:count])
            values[f"{part}_y"] = packed[f"{part}_labels"][:count]
        values["classes"] = packed["classes"]
    data = load(saved(tmp_path, **values), mirror=True)
    assert data.input == (3, 32, 32) and data.classes[0] == "airplane" and data.classes[9] == "truck"
    # CIFAR-10's own numbers, on few images
    assert data.mean == pytest.approx((0.491, 0.482, 0.447), abs=0.03)
    report = fit(color_net(), data, recipe=Recipe(epochs=2, batch=64, cutout=8))
    assert report.outcome == "done" and (report.valid_accuracy or 0) > 0.15
    assert_same_after_flips(data)


def decoded(residual: np.ndarray) -> np.ndarray:
    """Undo the differences that encode the stored pixels, mod 256: (N, 3, 32, 32)."""
    pixels = residual.copy()
    np.cumsum(pixels, axis=2, dtype=np.uint8, out=pixels)
    np.cumsum(pixels, axis=3, dtype=np.uint8, out=pixels)
    pixels[:, 0] += pixels[:, 1]
    pixels[:, 2] += pixels[:, 1]
    return pixels


def color_net() -> Any:
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(256, 10),
        )


def assert_same_after_flips(data: Data) -> None:
    from trainer.loop.training import augment

    assert augment(Recipe(crop=None), data).flip and augment(Recipe(crop=None), data).padding == 4
    assert not augment(Recipe(flip=False), data).flip
