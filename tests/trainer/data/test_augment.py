"""Augmentation on the device against a slow plain reference, image by image and pixel by pixel."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from trainer.data.augment import Augment, Draws, crop, cut_out, draw, flip, windows
from trainer.data.batches import Batch, Epochs, Normalise, bounds, mixed
from trainer.data.data import Data, Split
from trainer.data.residence import Padded, Streamed, images, placed
from trainer.hardware.precision import Form

CPU = torch.device("cpu")
PLAIN = Form("fp32", "contiguous")


def plain(image: np.ndarray, draws: list[int | None], padding: int, data: Data, side: int) -> np.ndarray:
    """Return one image (C, H, W): padded, cropped, flipped, normalised and cut out, in the plainest code."""
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


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
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
def test_every_image_is_the_reference_s(augment: Augment, layout: str) -> None:
    data = colours()
    form = Form("fp32", layout)
    epochs = Epochs(data.train, Normalise(data, CPU, form), augment, 8, seed=5)
    order, draws = epochs.drawn(3)
    seen = 0
    for x, y, _, _ in epochs.epoch(3):
        assert x.dtype == torch.float32 and x.is_contiguous(memory_format=form.memory_format)
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
    assert draws.mirrored is None  # not drawn again in each epoch
    for drawn, high in zip((*draws[:2], *draws[3:]), (5, 5, 9, 7), strict=True):
        assert drawn is not None
        counts = torch.bincount(drawn.long(), minlength=high)
        assert len(counts) == high
        assert counts.min() > 0.8 * 5000 / high


def test_cutout_changes_the_square_only() -> None:
    x = torch.ones(1, 2, 6, 6)
    cut_out(x, Draws(None, None, None, torch.tensor([0]), torch.tensor([3])), 2)
    assert x.sum() == 2 * (36 - 2)  # half of the 2x2 square lies outside the upper border
    assert x[0, :, 0, 2:4].abs().sum() == 0


def test_epochs_differ_and_seeds_repeat() -> None:
    data = colours()
    normalise = Normalise(data, CPU, PLAIN)

    def labels(seed: int) -> list[list[int]]:
        epochs = Epochs(data.train, normalise, Augment(1), 8, seed)
        return [torch.cat([batch.y for batch in epochs.epoch(number)]).tolist() for number in range(2)]

    first, second = labels(1)
    assert first != second and sorted(first) == sorted(second) == list(range(23))
    assert labels(1) == [first, second] != labels(2)


def test_an_epoch_gone_on_with_in_its_middle_is_the_same() -> None:
    data = colours()
    epochs = Epochs(data.train, Normalise(data, CPU, PLAIN), Augment(2, True, 3), 4, seed=1, mixup=0.4)
    whole, rest = [*epochs.epoch(2)], [*epochs.epoch(2, first=3)]
    for ours, theirs in zip(rest, whole[3:], strict=True):
        assert all(a.equal(b) for a, b in zip(ours, theirs, strict=True))


def test_flips_alternate() -> None:
    data = colours(2000)
    epochs = Epochs(data.train, Normalise(data, CPU, PLAIN), Augment(flip=True), 8, seed=1)

    def mirrored(number: int) -> torch.Tensor:
        order, draws = epochs.drawn(number)
        assert draws.mirrored is not None
        return torch.empty_like(draws.mirrored).index_copy_(0, order, draws.mirrored)

    first = mirrored(0)
    assert first.equal(~mirrored(1)) and first.equal(mirrored(2))
    assert 0.45 < first.float().mean() < 0.55


@pytest.mark.parametrize("padding", [0, 2])
def test_streamed_images_are_those_of_the_padded_set(padding: int) -> None:
    data, augment = colours(), Augment(padding, True, 3)
    epochs = Epochs(data.train, Normalise(data, CPU, PLAIN), augment, 8, seed=1)
    order, draws = epochs.drawn(0)
    padded, streamed = Padded(data.train, padding), Streamed(data.train, padding, CPU)
    for chosen, part in ((order[:8], slice(0, 8)), (order[8:], slice(8, 23))):
        for ours, theirs in zip(
            streamed.take(chosen, draws.pick(part)), padded.take(chosen, draws.pick(part)), strict=True
        ):
            assert ours.equal(theirs)


def test_images_are_padded_as_a_whole_where_there_is_room() -> None:
    split = colours().train
    assert isinstance(images(split, 2, CPU), Padded)
    assert isinstance(images(split, 2, CPU, available_bytes=split.x.nbytes), Streamed)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_data_without_room_stay_on_the_host() -> None:
    data, cuda = colours(), torch.device("cuda", 0)
    assert placed(data, cuda, available_bytes=100).train.x.device == CPU
    assert placed(data, cuda).train.x.device == cuda


def test_mixed_images_are_between_the_two_and_so_is_their_label() -> None:
    batch = mixed(Batch(torch.tensor([0.0, 1.0, 4.0]), torch.tensor([7, 8, 9])), torch.tensor(0.25))
    assert batch.x.tolist() == [3.0, 1.0, 1.0]
    assert batch.y.tolist() == [7, 8, 9] and batch.other is not None and batch.other.tolist() == [9, 8, 7]


def test_shares_of_mixup_are_drawn_anew() -> None:
    data = colours()
    epochs = Epochs(data.train, Normalise(data, CPU, PLAIN), Augment(), 4, seed=1, mixup=0.4)
    shares = [batch.share for number in range(20) for batch in epochs.epoch(number)]
    drawn = torch.stack([share for share in shares if share is not None])
    assert len(drawn.unique()) == len(shares) == 120 and 0 <= drawn.min() < 0.1 and 0.9 < drawn.max() <= 1


def test_parts_of_a_batch_are_whole_and_none_has_one_image() -> None:
    for count in range(2, 12):
        batch = mixed(Batch(torch.arange(float(count)), torch.arange(count)), torch.tensor(0.5))
        for wanted in range(1, 6):
            parts = batch.parts(wanted)
            assert torch.cat([part.y for part in parts]).equal(batch.y)
            assert all(len(part.x) == len(part.y) >= 2 for part in parts)
            assert len(parts) == min(wanted, count // 2)


def test_ranks_share_every_batch() -> None:
    data = colours()
    normalise, augment = Normalise(data, CPU, PLAIN), Augment(1, True)
    alone = Epochs(data.train, normalise, augment, 6, seed=1)
    pair = [Epochs(data.train, normalise, augment, 6, seed=1, rank=rank, ranks=2) for rank in range(2)]
    for whole, *shares in zip(alone.epoch(0), *(one.epoch(0) for one in pair), strict=True):
        assert sorted(torch.cat([share.y for share in shares]).tolist()) == sorted(whole.y.tolist())
        assert shares[0].x.equal(whole.x[::2]) and shares[1].x.equal(whole.x[1::2])


def test_one_channel_has_the_strides_of_its_layout() -> None:
    data = colours()
    grey = Split(data.train.x[:, :1], data.train.y)
    for layout, strides in (("contiguous", (63, 63, 7, 1)), ("channels_last", (63, 1, 7, 1))):
        form = Form("fp32", layout)
        normalise = Normalise(replace(data, mean=(0.4,), std=(0.2,)), CPU, form)
        for padding in (0, 1):
            batch = next(Epochs(grey, normalise, Augment(padding, True, 2), 8, seed=0).epoch(0))
            assert batch.x.stride() == strides


@pytest.mark.parametrize(
    ("count", "batch", "sizes"),
    [(10, 4, [4, 4, 2]), (9, 4, [4, 4]), (3, 8, [3]), (1, 8, [1]), (3, 1, [1, 1, 1]), (8, 4, [4, 4])],
)
def test_a_last_batch_of_one_image_is_dropped(count: int, batch: int, sizes: list[int]) -> None:
    assert [stop - start for start, stop in bounds(count, batch)] == sizes


def test_normalised_train_pixels_have_mean_0_and_deviation_1(digits: Data) -> None:
    x = Normalise(digits, CPU, PLAIN)(digits.train.x)
    assert x.mean().item() == pytest.approx(0, abs=1e-5)
    assert x.std(correction=0).item() == pytest.approx(1, abs=1e-5)
