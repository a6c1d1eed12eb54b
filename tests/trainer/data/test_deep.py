"""Images of more than 8 bits and of many bands: kept, augmented, normalised and trained on as those of 8 bits are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainer.data.made import refusal
from trainer import Data, Recipe, fit, load
from trainer.data.augment import Augment, Draws
from trainer.data.batches import Epochs, Normalise
from trainer.data.describe import lines, to_json
from trainer.data.residence import Padded, Streamed
from trainer.data.sheet import sheet
from trainer.data.signs import signs
from trainer.hardware.precision import Form

CPU, FORM = torch.device("cpu"), Form("fp32", "contiguous")
BANDS = 8


def saved(folder: Path, x: Any, **more: Any) -> Path:
    np.savez(folder / "deep.npz", train_x=x, train_y=np.arange(len(x)) % 2, **more)
    return folder / "deep.npz"


def reflectances(high: int = 10_000) -> Any:
    return np.random.default_rng(0).integers(high, size=(40, BANDS, 8, 8)).astype(np.uint16)


@pytest.fixture
def deep(tmp_path: Path) -> Data:
    return load(saved(tmp_path, reflectances()), range=[0, 10_000], channels="first", mirror=True)


def test_uint16_is_kept_as_it_is(tmp_path: Path) -> None:
    x = reflectances(65_536)
    data = load(saved(tmp_path, x), bits=16, channels="first")
    assert data.train.x.dtype == torch.uint16 and data.input == (BANDS, 8, 8)
    kept = {one.numpy().tobytes() for split in (data.train, data.valid, data.test) for one in split.x}
    assert kept == {one.tobytes() for one in x}


def test_no_value_of_12_bits_is_lost(tmp_path: Path) -> None:
    x = np.arange(4096, dtype=np.uint16).repeat(40).reshape(-1, 40).T.reshape(40, 64, 64)
    data = load(saved(tmp_path, x), bits=12)
    assert len(data.train.x[0].numpy().ravel()) == len(np.unique(data.train.x[0].numpy()))
    assert len(np.unique(load(saved(tmp_path, x), bits=12, depth=8).train.x.numpy())) == 256


def test_floats_are_kept_as_near_as_16_bits_are(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 6, 6)).astype(np.float32).clip(-3, 3)
    data = load(saved(tmp_path, x), range=[-3, 3])
    kept = {one.numpy().tobytes(): one.double() * 6 / 65_535 - 3 for one in data.train.x[:, 0]}
    for one in kept.values():
        assert min(np.abs(one.numpy() - stored).max() for stored in x) < 6 / 65_535


def test_moments_are_those_of_the_pixels(deep: Data) -> None:
    x = deep.train.x.numpy().astype(np.float64) / 65_535
    assert deep.mean == pytest.approx(x.mean(axis=(0, 2, 3)), abs=1e-9)
    assert deep.std == pytest.approx(x.std(axis=(0, 2, 3)), abs=1e-9)
    normal = Normalise(deep, CPU, FORM)(deep.train.x)
    assert normal.mean(dim=(0, 2, 3)).abs().max() < 1e-5
    assert (normal.std(dim=(0, 2, 3), correction=0) - 1).abs().max() < 1e-5


@pytest.mark.parametrize(
    "augment", [Augment(padding=2), Augment(flip=True), Augment(cutout=3), Augment(2, True, 3)]
)
def test_an_augmented_batch_is_the_same_augmentation_of_floats(deep: Data, augment: Augment) -> None:
    """The reference crops, mirrors and cuts out normalised floats image by image, in double precision."""
    epochs = Epochs(deep.train, Normalise(deep, CPU, FORM), augment, 8, seed=1)
    order, draws = epochs.drawn(1)
    mean, std = (torch.tensor(one, dtype=torch.float64)[:, None, None] for one in (deep.mean, deep.std))
    found = torch.cat([batch.x for batch in epochs.epoch(1)]).double()
    for place, one in enumerate(found):
        x = deep.train.x[order[place]].double() / 65_535
        wanted = reference(x, draws, place, augment, mean, std)
        assert torch.allclose(one, wanted, atol=1e-4), place


def reference(
    x: torch.Tensor, draws: Draws, place: int, augment: Augment, mean: torch.Tensor, std: torch.Tensor
) -> torch.Tensor:
    height, width = x.shape[1:]
    if draws.top is not None and draws.left is not None:
        padded = torch.zeros(len(x), height + 2 * augment.padding, width + 2 * augment.padding, dtype=x.dtype)
        padded[:, augment.padding : -augment.padding, augment.padding : -augment.padding] = x
        top, left = int(draws.top[place]), int(draws.left[place])
        x = padded[:, top : top + height, left : left + width]
    if draws.mirrored is not None and draws.mirrored[place]:
        x = x.flip(2)
    x = (x - mean) / std
    if draws.row is not None and draws.column is not None:
        row, column = (int(one[place]) - augment.cutout // 2 for one in (draws.row, draws.column))
        x = x.clone()
        x[:, max(row, 0) : row + augment.cutout, max(column, 0) : column + augment.cutout] = 0
    return x


def test_streamed_batches_are_those_of_resident_images(deep: Data) -> None:
    chosen, top = torch.tensor([3, 0, 2]), torch.tensor([0, 4, 1])
    draws = Draws(top, top.flip(0), None, None, None)
    one, other = (kind.take(chosen, draws) for kind in (Padded(deep.train, 2), Streamed(deep.train, 2, CPU)))
    assert torch.equal(one[0], other[0]) and one[0].dtype == torch.uint16


def test_it_is_trained_on(deep: Data) -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(BANDS * 64, 2))
    recipe = Recipe(epochs=2, batch=8, crop=1, flip=True, cutout=2, mixup=0.2)
    report = fit(module, deep, recipe=recipe)
    assert report.outcome == "done" and report.epochs == 2


def test_it_is_described_by_percentiles_as_they_are_stored(deep: Data) -> None:
    told = "\n".join(lines(deep))
    assert "uint16 0..9999, of which 0..10000 is kept in 16 bits (0..65535)" in told
    assert "train values from the 1st to the 99th percentile, by channel: " in told
    ends = [one.split("..") for one in to_json(deep)["percentiles"]]
    assert len(ends) == BANDS and all(
        50 < float(low) < 200 and 9_800 < float(high) < 9_950 for low, high in ends
    )
    assert sheet(deep).startswith(b"\x89PNG")


def test_hardly_scaled_pixels_are_told_by_their_own_values(tmp_path: Path) -> None:
    dark = load(saved(tmp_path, reflectances(1_000)), bits=16, channels="first")
    assert "no train pixel is above 999 of 65535; say range: [0, 999] if that is white" in signs(dark)


def test_volumes_are_refused_with_the_reason(tmp_path: Path) -> None:
    said = refusal(saved(tmp_path, np.zeros((6, 8, 8, 8, 1), np.uint16)))
    assert "volumes (3D) are not supported" in said
