"""npz: a NumPy archive with arrays of images and labels. No code in the file is ever run."""

from __future__ import annotations

from pathlib import Path

from trainer.data.arrays import Pair, raw_of, roles, unused_arrays
from trainer.data.layouts.registry import OF_ARRAYS, layout
from trainer.data.npy import Archive, names_of
from trainer.data.raw import Raw
from trainer.data.reading import Reading
from trainer.errors import DataError


@layout(
    "npz",
    about="an .npz file with arrays such as train_x and train_y, x_train and y_train, or train_images and train_labels",
    splits="names of the arrays: train, val or valid, test; arrays without one are split here",
    fits=lambda path, _: path.suffix.lower() == ".npz",
    answers=OF_ARRAYS,
)
def read(path: Path, reading: Reading) -> Raw:
    """Read an .npz; an array `classes` of strings names the classes. Raises DataError; pickled objects are refused."""
    with Archive(path) as archive:
        found = roles(str(path), _named(archive), reading)
        pairs = {}
        for split in dict.fromkeys(split for split, _ in found.names):
            x, y = found.names[split, "x"], found.names[split, "y"]
            pairs[split] = Pair(archive.read(x), archive.read(y), x, y)
        names = names_of(f"{path}: {found.classes}", archive.read(found.classes)) if found.classes else None
    about = unused_arrays(found)._replace(layout="NumPy archive")
    return raw_of(str(path), path.stem, pairs, names, reading, about)


def _named(archive: Archive) -> list[str]:
    """Return the names of the arrays. Raises DataError where they are those that NumPy gives to unnamed arrays."""
    names = archive.names()
    if names and all(name.startswith("arr_") for name in names):
        raise DataError(
            f"{archive.path} holds {', '.join(names[:4])}, which do not say what they are; save it with names, as "
            "numpy.savez(file, train_x=.., train_y=..), or put each into a file of its own, as train-images.npz and "
            "train-labels.npz, and give their folder"
        )
    return names
