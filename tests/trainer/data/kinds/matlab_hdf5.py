"""Kinds of MATLAB and HDF5 files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.trainer.data.kinds.kind import (
    DIGITS,
    GREY,
    NUMBERED,
    WITH_TEST,
    Read,
    grey,
    kind,
    samples,
    stacked,
)


@kind("SVHN: train and test .mat", read=Read(WITH_TEST, classes=("1", "2", "3")))
def svhn(root: Path) -> None:
    from scipy.io import savemat

    for split in ("train", "test"):
        x, y = stacked(split)
        savemat(root / f"{split}_32x32.mat", {"X": x.transpose(1, 2, 3, 0), "y": y[:, None] + 1})


@kind(
    "SVHN with its extra images",
    refused="skip: ['extra_32x32.mat']",
    read=Read(WITH_TEST, classes=("1", "2", "3"), answers={"skip": ["extra_32x32.mat"]}),
)
def svhn_extra(root: Path) -> None:
    from scipy.io import savemat

    svhn(root)
    x, y = stacked()
    savemat(root / "extra_32x32.mat", {"X": x.transpose(1, 2, 3, 0), "y": y[:, None] + 1})


@kind("MATLAB with images on the last axis", read=Read(**NUMBERED, **GREY))
def mat_images_last(root: Path) -> Path:
    from scipy.io import savemat

    x, y = stacked(pixels=grey)
    savemat(root / "faces.mat", {"images": x.transpose(1, 2, 0), "labels": y})
    return root / "faces.mat"


@kind("MATLAB 7.3", refused="is of MATLAB 7.3, an HDF5 file")
def mat_7_3(root: Path) -> Path:
    import h5py

    with h5py.File(root / "new.mat", "w", userblock_size=512) as file:
        file["X"] = np.zeros((2, 3))
    with (root / "new.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")
    return root / "new.mat"


@kind("EMNIST's structure in MATLAB", refused="holds structures")
def emnist_mat(root: Path) -> Path:
    from scipy.io import savemat

    x, y = stacked(pixels=grey)
    savemat(
        root / "emnist-letters.mat", {"dataset": {"train": {"images": x.reshape(len(x), -1), "labels": y}}}
    )
    return root / "emnist-letters.mat"


@kind("Oxford flowers: jpg/ with imagelabels.mat and setid.mat", refused="name their classes in a CSV file")
def oxford_flowers(root: Path) -> None:
    from scipy.io import savemat

    from tests.trainer.data.kinds.kind import save

    for one in samples():
        save(one.pixels, root / "jpg" / f"image_{one.number + 1:05d}.jpg")
    savemat(root / "imagelabels.mat", {"labels": np.arange(24)[None] % 3 + 1})
    savemat(
        root / "setid.mat",
        {"trnid": np.arange(1, 20), "valid": np.arange(20, 22), "tstid": np.arange(22, 25)},
    )


@kind("HDF5 with groups train/ and test/", read=Read(WITH_TEST, **NUMBERED))
def hdf5_groups(root: Path) -> Path:
    import h5py

    with h5py.File(root / "mine.h5", "w") as file:
        for split in ("train", "test"):
            x, y = stacked(split)
            file[f"{split}/images"], file[f"{split}/labels"] = x, y
    return root / "mine.h5"


@kind(
    "Galaxy10: HDF5 with images and ans",
    refused="say label: ans",
    read=Read(**NUMBERED, answers={"label": "ans"}),
)
def galaxy10(root: Path) -> Path:
    import h5py

    with h5py.File(root / "Galaxy10.h5", "w") as file:
        file["images"], file["ans"] = stacked()
        file["redshift"] = np.zeros(24)
    return root / "Galaxy10.h5"


@kind("USPS: HDF5 with flat images in groups", refused="its images are flat; save them as (N, H, W)")
def usps(root: Path) -> Path:
    import h5py

    with h5py.File(root / "usps.h5", "w") as file:
        for split in ("train", "test"):
            x, y = stacked(split, grey)
            file[f"{split}/data"], file[f"{split}/target"] = x.reshape(len(x), -1) / 255, y
    return root / "usps.h5"


@kind(
    "So2Sat: two sensors and one-hot labels in HDF5",
    refused="say image: sen1 or image: sen2",
    read=Read(
        classes=DIGITS,
        input=(10, 12, 16),
        colours=(250,) * 10,
        answers={"image": "sen2", "channels": "last", "range": [0, 2.8]},
    ),
)
def so2sat(root: Path) -> Path:
    import h5py

    x, y = stacked(pixels=grey)
    with h5py.File(root / "training.h5", "w") as file:
        file["sen1"] = np.zeros((24, 12, 16, 8))
        file["sen2"] = np.repeat(x[..., None], 10, 3) * (2.8 / 255)
        file["label"] = np.eye(3)[y]
    return root / "training.h5"
