"""Hints: what to do with files that people have and no layout reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from trainer.data.dicom import begins_as_dicom

ARCHIVE = "is an archive; unpack it and give its folder"
CODE = "may hold code, which is never run; save its arrays with numpy.savez"
CIFAR = ("batches.meta", "data_batch_1", "meta", "test_batch")  # pickles of CIFAR
FILM = "is a film; save its frames as image files, in a folder for each class"
RECORDS = (
    "is a TFRecord file; write its images and labels as .npz, or as image files in a folder for each class"
)
HINTS: Mapping[str, str] = {
    **dict.fromkeys((".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip"), ARCHIVE),
    **dict.fromkeys((".pickle", ".pkl", ".pt", ".pth"), CODE),
    **dict.fromkeys((".avi", ".mkv", ".mov", ".mp4", ".webm"), FILM),
    **dict.fromkeys((".xls", ".xlsx", ".ods"), "is a workbook; save its sheet as CSV"),
    ".arrow": "is of Hugging Face's save_to_disk; write it with Dataset.to_parquet, one file for each split",
    ".bin": "is bytes without a shape; save their arrays with numpy.savez as train_x and train_y",
    ".json": "is no list of objects with a path and a label each; write it so, as JSON lines or as CSV",
    ".mdb": "is an LMDB database; write its images as files in a folder for each class",
    ".npy": "is one array; give the folder that holds it and the file of its labels, as train-images.npy and "
    "train-labels.npy",
    ".tfrecord": RECORDS,
    ".tfrecords": RECORDS,
}


def hint_of(file: Path) -> str | None:
    """Return what a file is and what to do with it, as the rest of a sentence, where it is known."""
    if not file.suffix and file.is_file() and begins_as_dicom(file):
        return "is DICOM without a suffix; name such files .dcm"
    if ".tfrecord" in file.name.lower():
        return RECORDS
    if file.name in CIFAR and file.parent.name.startswith("cifar"):
        return f"is a pickle that {CODE}, or say data: cifar10 with the folder above as --data-root"
    return HINTS.get(file.suffix.lower())


def hint_of_folder(files: Sequence[Path]) -> str:
    """Return what the files of a folder without images are, in brackets; nothing where it is not known."""
    known = [(hint, file) for file in files if file.suffix != ".json" and (hint := hint_of(file))]
    if not known:
        return ""
    most = Counter(hint for hint, _ in known).most_common(1)[0][0]
    first = next(file for hint, file in known if hint == most)
    return f" ({first} {most})"
