"""Augmentation on the device against a slow plain reference, image by image and pixel by pixel."""

import numpy as np
import pytest
import torch

from trainer.augment import Augment, Draws, crop, cut_out, draw, flip, windows
from trainer.batches import Epochs, Normalise, bounds
from trainer.data import Data, Split


def plain(image: np.ndarray, draws: list[int | None], padding: int, data: Data, side: int) -> np.ndarray:
    """One image (C, H, W): padded, cropped, flipped, normalised, cut out, in the plainest words."""
    top, left, mirrored, row, column = draws
    channels, height, width = image.shape
    if top is not None and left is not None:
        padded = np.zeros((channels, height + 2 * padding, width + 2 * padding), np.uint8)
        padded[:, padding : padding + height, padding : padding + width] = image
        image = padded[:, top : top + height, left : left + width]
    if mirrored:
        image = image[:, :, ::-1]
    out = np.empty(image.shape, np.float64)
    for channel in range(channels):
        out[channel] = (image[channel] / 255 - data.mean[channel]) / data.std[channel]
    if row is not None and column is not None:
        top, left = row - side // 2, column - side // 2
        out[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 0
    return out


def colours(count: int = 23, height: int = 9, width: int = 7) -> Data:
    stream = torch.Generator().manual_seed(3)
    x = torch.randint(256, (count, 3, height, width), generator=stream, dtype=torch.uint8)
    split = Split(x, torch.arange(count))
    classes = tuple(str(number) for number in range(count))
    return Data(
        "noise", (3, height, width), classes, split, split, split, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), True
    )


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    "augment",
    [
        Augment(),
        Augment(padding=2),
        Augment(flip=True),
        Augment(cutout=3),
        Augment(2, True, 4),
        Augment(9, True, 50),
    ],
)
def test_every_image_is_the_reference_s(augment: Augment, memory_format: torch.memory_format) -> None:
    data = colours()
    normalise = Normalise(data, torch.device("cpu"), memory_format)
    epochs = Epochs(data.train, normalise, augment, 8, seed=5)
    # The same stream gives the same order and draws, which the reference then follows.
    stream = torch.Generator().manual_seed(5)
    order = torch.randperm(len(data.train), generator=stream)
    draws = draw(len(data.train), 9, 7, augment, stream)
    seen = 0
    for x, y in epochs:
        assert x.dtype == torch.float32 and x.is_contiguous(memory_format=memory_format)
        assert y.equal(order[seen : seen + len(y)])  # labels are indices here
        for image, label in zip(x, y, strict=True):
            mine = [None if drawn is None else int(drawn[seen]) for drawn in draws]
            wanted = plain(data.train.x[label].numpy(), mine, augment.padding, data, augment.cutout)
            np.testing.assert_allclose(image.numpy(), wanted, atol=2e-6)
            seen += 1
    assert seen == len(data.train)


def test_crop_and_flip_are_torchvision_s() -> None:
    functional = pytest.importorskip("torchvision.transforms.functional")
    x = colours(5).train.x
    top, left, mirrored = (
        torch.tensor([0, 1, 2, 3, 4]),
        torch.tensor([4, 0, 2, 1, 3]),
        torch.tensor([0, 1, 0, 1, 1]),
    )
    draws = Draws(top, left, mirrored.bool(), None, None)
    ours = flip(crop(windows(x, 2), torch.arange(5), draws), draws)
    for number in range(5):
        theirs = functional.crop(functional.pad(x[number], [2]), int(top[number]), int(left[number]), 9, 7)
        assert ours[number].equal(functional.hflip(theirs) if mirrored[number] else theirs)


def test_draws_cover_their_ranges_and_no_more() -> None:
    draws = draw(5000, 9, 7, Augment(2, True, 3), torch.Generator().manual_seed(0))
    for drawn, high in zip(draws, (5, 5, 2, 9, 7), strict=True):
        assert drawn is not None
        counts = torch.bincount(drawn.long(), minlength=high)
        assert len(counts) == high
        assert counts.min() > 0.8 * 5000 / high


def test_cutout_changes_the_square_only() -> None:
    x = torch.ones(1, 2, 6, 6)
    cut_out(x, Draws(None, None, None, torch.tensor([0]), torch.tensor([3])), 2)
    assert x.sum() == 2 * (36 - 2)  # half of the 2x2 square hangs over the upper border
    assert x[0, :, 0, 2:4].abs().sum() == 0


def test_epochs_differ_and_seeds_repeat() -> None:
    data = colours()
    normalise = Normalise(data, torch.device("cpu"), torch.contiguous_format)

    def labels(seed: int) -> list[list[int]]:
        epochs = Epochs(data.train, normalise, Augment(1), 8, seed)
        return [torch.cat([y for _, y in epochs]).tolist() for _ in range(2)]

    first, second = labels(1)
    assert first != second and sorted(first) == sorted(second) == list(range(23))
    assert labels(1) == [first, second] != labels(2)


@pytest.mark.parametrize(
    ("count", "batch", "sizes"),
    [(10, 4, [4, 4, 2]), (9, 4, [4, 4]), (3, 8, [3]), (1, 8, [1]), (3, 1, [1, 1, 1]), (8, 4, [4, 4])],
)
def test_a_last_batch_of_one_image_is_dropped(count: int, batch: int, sizes: list[int]) -> None:
    assert [stop - start for start, stop in bounds(count, batch)] == sizes


def test_normalised_train_pixels_have_mean_0_and_deviation_1(digits: Data) -> None:
    x = Normalise(digits, torch.device("cpu"), torch.contiguous_format)(digits.train.x)
    assert x.mean().item() == pytest.approx(0, abs=1e-5)
    assert x.std(correction=0).item() == pytest.approx(1, abs=1e-5)
