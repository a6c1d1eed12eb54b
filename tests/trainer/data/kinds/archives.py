"""Kinds of .npz archives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.trainer.data.kinds.kind import (
    ALL,
    GREY,
    NAMES,
    NUMBERED,
    WITH_TEST,
    WITH_VALID,
    Read,
    grey,
    kind,
    samples,
    stacked,
)


def parts(
    *splits: str, names: str, pixels: Any = lambda whole: whole, labels: Any = lambda y: y
) -> dict[str, Any]:
    """Return arrays by name; names: as {split}_x {split}_y."""
    found = {}
    for written in splits:
        word, _, split = written.partition("=")
        x, y = stacked(split or word, pixels)
        x_name, y_name = names.format(split=word).split()
        found |= {x_name: x, y_name: labels(y)}
    return found


@kind("an .npz of train_x, train_y ..", read=Read(ALL, **NUMBERED))
def npz(root: Path) -> Path:
    np.savez(root / "mine.npz", **parts("train", "valid", "test", names="{split}_x {split}_y"))
    return root / "mine.npz"


@kind("Keras' mnist.npz: x_train, y_train, x_test, y_test", read=Read(WITH_TEST, **NUMBERED, **GREY))
def keras_mnist(root: Path) -> Path:
    np.savez(root / "mnist.npz", **parts("train", "test", names="x_{split} y_{split}", pixels=grey))
    return root / "mnist.npz"


@kind("MedMNIST: train_images, val_images, labels (N, 1)", read=Read(ALL, **NUMBERED))
def medmnist(root: Path) -> Path:
    arrays = parts(
        "train",
        "val=valid",
        "test",
        names="{split}_images {split}_labels",
        labels=lambda y: y[:, None].astype(np.uint8),
    )
    np.savez_compressed(root / "bloodmnist.npz", **arrays)
    return root / "bloodmnist.npz"


@kind("MedMNIST in grey, 28x28", read=Read(ALL, **NUMBERED, **GREY))
def medmnist_grey(root: Path) -> Path:
    arrays = parts(
        "train",
        "val=valid",
        "test",
        names="{split}_images {split}_labels",
        pixels=grey,
        labels=lambda y: y[:, None],
    )
    np.savez_compressed(root / "pneumoniamnist.npz", **arrays)
    return root / "pneumoniamnist.npz"


@kind(
    "STL-10's unlabelled images beside train and test",
    refused="unlabeled_x is of no split beside arrays of train; leave it out with skip: ['unlabeled_x']",
    read=Read(WITH_TEST, **NUMBERED, answers={"skip": ["unlabeled_*"]}),
)
def unlabelled_array(root: Path) -> Path:
    np.savez(
        root / "stl.npz",
        **parts("train", "test", names="{split}_x {split}_y"),
        unlabeled_x=stacked("valid")[0],
    )
    return root / "stl.npz"


@kind(
    "test images without labels",
    refused="has no array test_y; it must hold train_x and train_y, and may hold valid_x, valid_y, test_x, test_y and "
    "classes; or leave test_x out with skip: ['test_x']",
    read=Read(**NUMBERED, answers={"skip": ["test_x"]}),
)
def unlabelled_test_array(root: Path) -> Path:
    arrays = parts("train", "test", names="{split}_x {split}_y")
    del arrays["test_y"]
    np.savez(root / "half.npz", **arrays)
    return root / "half.npz"


@kind("MedMNIST in 3D", refused="volumes (3D) are not supported")
def medmnist_3d(root: Path) -> Path:
    x = np.zeros((24, 9, 9, 9), np.uint8)
    np.savez(root / "organmnist3d.npz", train_images=x, train_labels=np.arange(24)[:, None] % 3)
    return root / "organmnist3d.npz"


@kind("images and labels alone", read=Read(**NUMBERED))
def npz_unsplit(root: Path) -> Path:
    np.savez(root / "mine.npz", **parts("", names="images labels"))
    return root / "mine.npz"


@kind("arrays that NumPy named: arr_0, arr_1", refused="which do not say what they are; save it with names")
def npz_unnamed(root: Path) -> Path:
    np.savez(root / "mine.npz", *stacked())
    return root / "mine.npz"


@kind("channels first, as PyTorch saves", read=Read(WITH_TEST, **NUMBERED))
def channels_first(root: Path) -> Path:
    np.savez(
        root / "mine.npz",
        **parts("train", "test", names="X_{split} y_{split}", pixels=lambda x: x.transpose(2, 0, 1)),
    )
    return root / "mine.npz"


@kind("floats of 0 to 1", read=Read(WITH_TEST, **NUMBERED))
def floats(root: Path) -> Path:
    np.savez(
        root / "mine.npz",
        **parts("train", "test", names="x_{split} y_{split}", pixels=lambda x: (x / 255).astype(np.float32)),
    )
    return root / "mine.npz"


@kind("int64 pixels of 0 to 255", read=Read(WITH_TEST, **NUMBERED))
def wide_integers(root: Path) -> Path:
    np.savez(
        root / "mine.npz",
        **parts("train", "test", names="x_{split} y_{split}", pixels=lambda x: x.astype(np.int64)),
    )
    return root / "mine.npz"


@kind("one-hot labels, as Keras' to_categorical writes", read=Read(WITH_TEST, **NUMBERED))
def one_hot_labels(root: Path) -> Path:
    np.savez(
        root / "mine.npz",
        **parts(
            "train", "test", names="x_{split} y_{split}", labels=lambda y: np.eye(3, dtype=np.float32)[y]
        ),
    )
    return root / "mine.npz"


@kind("labels as texts", read=Read(WITH_TEST))
def text_labels(root: Path) -> Path:
    np.savez(
        root / "mine.npz",
        **parts("train", "test", names="x_{split} y_{split}", labels=lambda y: np.array(NAMES)[y]),
    )
    return root / "mine.npz"


@kind("labels from 1 on, as EMNIST letters", read=Read(WITH_TEST, classes=("1", "2", "3")))
def from_one(root: Path) -> Path:
    np.savez(root / "mine.npz", **parts("train", "test", names="x_{split} y_{split}", labels=lambda y: y + 1))
    return root / "mine.npz"


@kind("images on the last axis, (H, W, N)", read=Read(**NUMBERED, **GREY))
def images_last(root: Path) -> Path:
    x, y = stacked(pixels=grey)
    np.savez(root / "mine.npz", images=x.transpose(1, 2, 0), labels=y)
    return root / "mine.npz"


@kind("flat images (N, H*W)", refused="its images are flat; save them as (N, H, W)")
def flat_images(root: Path) -> Path:
    x, y = stacked(pixels=grey)
    np.savez(root / "usps.npz", data=x.reshape(len(x), -1), target=y)
    return root / "usps.npz"


@kind("BreastMNIST-like sets of valid images without test", read=Read(WITH_VALID, **NUMBERED))
def with_valid(root: Path) -> Path:
    np.savez(root / "mine.npz", **parts("train", "valid", names="{split}_data {split}_labels"))
    return root / "mine.npz"


@kind("names of classes in the file", read=Read(WITH_TEST))
def named_classes(root: Path) -> Path:
    np.savez(
        root / "mine.npz", **parts("train", "test", names="x_{split} y_{split}"), classes=np.array(NAMES)
    )
    return root / "mine.npz"


@kind("an array of Python objects", refused="holds Python objects, which are never loaded")
def objects(root: Path) -> Path:
    x = np.empty(24, object)
    x[:] = [one.pixels for one in samples()]
    np.savez(root / "mine.npz", train_x=x, train_y=np.arange(24) % 3)
    return root / "mine.npz"


@kind(
    "dSprites: factors in place of classes",
    refused="if one is it, say label: latents_values or label: latents_classes",
)
def dsprites(root: Path) -> Path:
    factors = np.arange(24 * 6).reshape(24, 6) % 3
    np.savez(
        root / "dsprites.npz",
        imgs=stacked(pixels=grey)[0],
        latents_values=factors / 2,
        latents_classes=factors,
    )
    return root / "dsprites.npz"
