"""Kinds of files of arrays."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from tests.trainer.data.kinds.kind import (
    ALL,
    GREY,
    NAMES,
    WITH_TEST,
    WITH_VALID,
    Read,
    grey,
    kind,
    samples,
    stacked,
)

DIGITS = ("0", "1", "2")
NUMBERED = {"classes": DIGITS}


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


@kind("train.npz and test.npz in one folder", read=Read(WITH_TEST, **NUMBERED))
def npz_a_split(root: Path) -> None:
    for split in ("train", "test"):
        x, y = stacked(split)
        np.savez(root / f"{split}.npz", x=x, y=y)


@kind("train.npz, val.npz and test.npz with images and labels", read=Read(ALL, **NUMBERED))
def npz_three_splits(root: Path) -> None:
    for name, split in (("train", "train"), ("val", "valid"), ("test", "test")):
        x, y = stacked(split)
        np.savez_compressed(root / f"mine_{name}.npz", images=x, labels=y)


@kind("KMNIST: an .npz for each array", read=Read(WITH_TEST, **NUMBERED, **GREY))
def kmnist(root: Path) -> None:
    for split in ("train", "test"):
        x, y = stacked(split, grey)
        np.savez_compressed(root / f"kmnist-{split}-imgs.npz", x)
        np.savez_compressed(root / f"kmnist-{split}-labels.npz", y)


@kind("X.npy and Y.npy one-hot, as sign language digits", read=Read(**NUMBERED, **GREY))
def npy_pair(root: Path) -> None:
    x, y = stacked(pixels=lambda pixels: grey(pixels) / 255)
    np.save(root / "X.npy", x)
    np.save(root / "Y.npy", np.eye(3)[y])


@kind("x_train.npy, y_train.npy, x_test.npy, y_test.npy", read=Read(WITH_TEST, **NUMBERED))
def npy_splits(root: Path) -> None:
    for split in ("train", "test"):
        x, y = stacked(split)
        np.save(root / f"x_{split}.npy", x)
        np.save(root / f"y_{split}.npy", y)


@kind("train/ and test/ with images.npy and labels.npy", read=Read(WITH_TEST, **NUMBERED))
def npy_in_folders(root: Path) -> None:
    for split in ("train", "test"):
        x, y = stacked(split)
        (root / split).mkdir()
        np.save(root / split / "images.npy", x)
        np.save(root / split / "labels.npy", y)


@kind(
    "Quick, Draw!: an array of flat drawings for each class", refused="if each is one file a class, join them"
)
def quick_draw(root: Path) -> None:
    x, y = stacked(pixels=grey)
    for label, name in enumerate(NAMES):
        np.save(root / f"{name}.npy", x[y == label].reshape(8, -1))


@kind("class folders of .npy files, one image each", refused="img_00.npy is one array; give the folder")
def npy_class_folders(root: Path) -> None:
    for one in samples():
        (root / one.name).mkdir(exist_ok=True)
        np.save(root / one.name / f"{one.stem}.npy", one.pixels)


def write_idx(root: Path, *, packed: bool = False) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for split, name in (("train", "train"), ("test", "t10k")):
        x, y = stacked(split, grey)
        for array, kind_of in ((x, "images-idx3-ubyte"), (y.astype(np.uint8), "labels-idx1-ubyte")):
            head = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
            content = head + array.tobytes()
            file = root / f"{name}-{kind_of}{'.gz' if packed else ''}"
            file.write_bytes(gzip.compress(content) if packed else content)


@kind("MNIST's IDX files", read=Read(WITH_TEST, **NUMBERED, **GREY))
def idx(root: Path) -> None:
    write_idx(root)


@kind("MNIST's IDX files as they are fetched: .gz", read=Read(WITH_TEST, **NUMBERED, **GREY))
def idx_packed(root: Path) -> None:
    write_idx(root, packed=True)


@kind("torchvision's MNIST/raw, by the folder above", read=Read(WITH_TEST, **NUMBERED, **GREY))
def idx_by_parent(root: Path) -> None:
    write_idx(root / "MNIST" / "raw")


@kind(
    "torchvision's folder MNIST, with the archives beside the files", read=Read(WITH_TEST, **NUMBERED, **GREY)
)
def idx_by_name(root: Path) -> Path:
    write_idx(root / "MNIST" / "raw")
    write_idx(root / "MNIST" / "raw", packed=True)
    return root / "MNIST"


@kind("CIFAR-10's pickles", refused="may hold code, which is never run")
def cifar_pickles(root: Path) -> None:
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        (root / "cifar-10-batches-py").mkdir(exist_ok=True)
        (root / "cifar-10-batches-py" / name).write_bytes(pickle.dumps({b"labels": [0, 1]}))
    (root / "cifar-10-batches-py" / "batches.meta").write_bytes(pickle.dumps({b"label_names": []}))


@kind("PyTorch's tensors", refused="may hold code, which is never run; save its arrays with numpy.savez")
def pt_file(root: Path) -> Path:
    (root / "train.pt").write_bytes(b"PK\3\4")
    return root / "train.pt"


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


@kind(
    "a course's train_signs.h5 and test_signs.h5, each with the names of the classes",
    read=Read(WITH_TEST, **NUMBERED),
)
def course_h5(root: Path) -> None:
    import h5py

    for split in ("train", "test"):
        with h5py.File(root / f"{split}_signs.h5", "w") as file:
            file[f"{split}_set_x"], file[f"{split}_set_y"] = stacked(split)
            file["list_classes"] = np.arange(3)


@kind("PatchCamelyon: an .h5 for each array", read=Read(ALL, **NUMBERED))
def patch_camelyon(root: Path) -> None:
    import h5py

    for split in ("train", "valid", "test"):
        x, y = stacked(split)
        for name, array in (("x", x), ("y", y[:, None, None, None])):
            with h5py.File(root / f"camelyonpatch_level_2_split_{split}_{name}.h5", "w") as file:
                file[name] = array


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


@kind("all sets of EMNIST in one folder", refused="may both be the images of test; keep one")
def emnist_folder(root: Path) -> None:
    for name in ("balanced", "letters"):
        write_idx(root / name)
        for file in (root / name).iterdir():
            file.rename(root / f"emnist-{name}-{file.name}")
        (root / name).rmdir()


@kind("USPS: HDF5 with flat images in groups", refused="its images are flat; save them as (N, H, W)")
def usps(root: Path) -> Path:
    import h5py

    with h5py.File(root / "usps.h5", "w") as file:
        for split in ("train", "test"):
            x, y = stacked(split, grey)
            file[f"{split}/data"], file[f"{split}/target"] = x.reshape(len(x), -1) / 255, y
    return root / "usps.h5"


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


@kind(
    "MNIST-C: a folder of arrays for each corruption",
    refused="give the folder that holds it",
    read=Read(WITH_TEST, **NUMBERED, path="fog"),
)
def mnist_c(root: Path) -> None:
    for corruption in ("brightness", "fog"):
        (root / corruption).mkdir()
        for split in ("train", "test"):
            x, y = stacked(split)
            np.save(root / corruption / f"{split}_images.npy", x)
            np.save(root / corruption / f"{split}_labels.npy", y)


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


@kind(
    "Fashion-MNIST on Kaggle: IDX files and tables of pixels side by side",
    refused="can be read in 2 ways; say layout: array_files",
    read=Read(WITH_TEST, **NUMBERED, **GREY, answers={"layout": "array_files"}),
)
def fashion_mnist(root: Path) -> None:
    from tests.trainer.data.kinds.tables import sign_mnist

    write_idx(root)
    sign_mnist(root)
